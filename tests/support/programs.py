"""Programs as tests want them: the default one with a few terms changed, and one program for every chain."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from services.points.domain.calendar import Span
from services.points.domain.expiries import Expiry, Release
from services.points.domain.programs import DEFAULT_PROGRAM, Program, Programs
from services.points.domain.rules import STAMPS, Earning, LineMatch, PerPiece, Rule
from services.points.domain.tiers import Tiers, by_spend


def program_with(
    *, expires_days: int = 0, pending_days: int = 0, stamped: tuple[str, ...] = (), **terms: Any
) -> Program:
    """Return the default program with points that live so many days, are pending so long, and stamps for pieces."""
    rules = DEFAULT_PROGRAM.earning.rules + ((stamps(*stamped),) if stamped else ())
    return replace(
        DEFAULT_PROGRAM,
        earning=Earning(rules),
        expiry=Expiry(Span(days=expires_days)),
        release=Release(pending_days),
        **terms,
    )


def two_levels(silver_minor: int) -> Tiers:
    """Return the levels regular and silver, which is reached by spend and brings a fifth more."""
    return Tiers((by_spend("regular", 0), by_spend("silver", silver_minor, earn_permille=1_200)))


def stamps(*categories: str) -> Rule:
    """Return the rule that gives a stamp for each piece of these categories."""
    return Rule("stamps", PerPiece(1), LineMatch(categories=frozenset(categories)), currency=STAMPS)


@dataclass(frozen=True, slots=True)
class OneProgram:
    """Where every chain has the same program."""

    programs: Programs

    async def of(self, chains: Collection[str]) -> Mapping[str, Programs]:
        """Return it for each."""
        return dict.fromkeys(chains, self.programs)
