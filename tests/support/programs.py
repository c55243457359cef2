"""Programs as tests want them: the default one with a few terms changed."""

from dataclasses import replace
from typing import Any

from services.points.domain.calendar import Span
from services.points.domain.expiries import Expiry, Release
from services.points.domain.programs import DEFAULT_PROGRAM, Program, rate, stamps
from services.points.domain.rules import Earning
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


__all__ = ["program_with", "rate", "two_levels"]
