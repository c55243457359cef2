"""Brands: the names under which a chain's stores and dishes go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from services.members.domain.coded import Saved, check_coded, save_coded

MAX_BRANDS = 200
"""Brands of one chain: groups of restaurants have a few dozen."""


@dataclass(frozen=True, slots=True)
class Brand:
    """A brand as it is now."""

    code: str
    name: str
    version: int = 0

    def at(self, version: int) -> "Brand":
        """Return it with that version."""
        return replace(self, version=version)


def check_brands(wanted: Sequence[Brand]) -> None:
    """Refuse, with the field at fault, what no brand can be, and a code that is given twice."""
    check_coded(wanted, things="brands")


def save_brands(wanted: Sequence[Brand], known: Mapping[str, Brand]) -> Saved[Brand]:
    """Fold `wanted` over `known`, all brands of the chain."""
    return save_coded(wanted, known=known, things="brands", most=MAX_BRANDS)
