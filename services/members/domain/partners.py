"""Partners: other brands that call with keys of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from services.members.domain.coded import Saved, check_coded, save_coded

MAX_PARTNERS = 1_000
"""Partners of one chain."""


class PartnerState(StrEnum):
    """Whether a partner's keys are good."""

    ACTIVE = "active"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Partner:
    """A partner as it is now. A key of the kind PARTNER whose subject is the code is this partner's."""

    code: str
    name: str
    state: PartnerState = PartnerState.ACTIVE
    version: int = 0

    def at(self, version: int) -> "Partner":
        """Return it with that version."""
        return replace(self, version=version)


def check_partners(wanted: Sequence[Partner]) -> None:
    """Refuse, with the field at fault, what no partner can be, and a code that is given twice."""
    check_coded(wanted, things="partners")


def save_partners(wanted: Sequence[Partner], known: Mapping[str, Partner]) -> Saved[Partner]:
    """Fold `wanted` over `known`, all partners of the chain."""
    return save_coded(wanted, known=known, things="partners", most=MAX_PARTNERS)
