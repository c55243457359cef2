"""The program: how points are earned, how long they live, levels. A version never changes once it was booked by."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from services.points.domain.purchases import Line

POINTS = "points"
STAMPS = "stamps"
CURRENCIES = (POINTS, STAMPS)
"""What a chain's program counts in: points for money, stamps for pieces ("buy five, get one")."""


@dataclass(frozen=True, slots=True)
class Level:
    """A level of the program: reached by spend, and what it adds to what is earned."""

    code: str
    threshold_minor: int
    earn_percent: int  # 100 is the base rate, 120 a fifth more


class TakeBack(StrEnum):
    """How far a refund goes for points that its purchase's own lot no longer has."""

    PENDING_ONLY = "pending_only"  # what has become available is the member's
    WITHIN_BALANCE = "within_balance"  # what is there, never below zero
    DEBT = "debt"  # the rest is owed, and paid off by what is earned next


@dataclass(frozen=True, slots=True)
class Program:
    """One version of a chain's program; levels ascend, and the first is everybody's."""

    version: int
    minor_per_point: int
    levels: tuple[Level, ...]
    stamp_categories: frozenset[str] = frozenset()  # a stamp for each piece of these
    expires_after: timedelta | None = None  # from the purchase on; None: never
    pending_for: timedelta | None = None  # from the purchase on; None: available at once
    take_back: TakeBack = TakeBack.DEBT
    adjustment_limit: int = 10_000
    """Of points or stamps, in either direction: more than this by hand waits for a second person."""

    def __post_init__(self) -> None:
        """Refuse a program that has no first level, or levels out of order."""
        thresholds = [level.threshold_minor for level in self.levels]
        if not thresholds or thresholds[0] != 0 or any(low >= high for low, high in pairwise(thresholds)):
            raise ValueError(f"levels must start at 0 and ascend, not {thresholds}")

    def level(self, code: str) -> Level:
        """Return the level named `code`."""
        return next(level for level in self.levels if level.code == code)

    def level_for(self, spend_minor: int) -> Level:
        """Return the highest level whose threshold `spend_minor` reaches."""
        return next(level for level in reversed(self.levels) if spend_minor >= level.threshold_minor)

    def above(self, code: str) -> Level | None:
        """Return the next level up, None at the top."""
        return next((high for low, high in pairwise(self.levels) if low.code == code), None)

    def expiry(self, earned_at: datetime) -> datetime | None:
        """Return when what is earned at `earned_at` expires."""
        return earned_at + self.expires_after if self.expires_after else None

    def available(self, earned_at: datetime) -> datetime | None:
        """Return when it becomes available, None when at once."""
        return earned_at + self.pending_for if self.pending_for else None


DEFAULT_PROGRAM = Program(
    version=1,
    minor_per_point=100,
    levels=(Level("regular", 0, 100), Level("silver", 50_000, 120)),
)
"""What a chain starts with: 1 point for each full unit of money, silver from 500.00 on with a fifth more."""


@dataclass(frozen=True, slots=True)
class Programs:
    """The versions of a program, the newest last: what is new is booked by that, a refund by its purchase's."""

    versions: tuple[Program, ...] = (DEFAULT_PROGRAM,)

    @property
    def current(self) -> Program:
        """Return the one that holds now."""
        return self.versions[-1]

    def version(self, number: int) -> Program:
        """Return the one with this number."""
        return next(program for program in self.versions if program.version == number)


@dataclass(frozen=True, slots=True)
class EarnedPart:
    """What one rule added to what a purchase granted."""

    rule: str
    program_version: int
    points: int
    currency: str = POINTS


def earn(program: Program, level: Level, lines: Sequence[Line]) -> tuple[EarnedPart, ...]:
    """Explain what `lines` earn; the parts in points sum to ⌊paid × percent / (100 × minor per point)⌋.

    The percentage is applied to the amount and rounded down once, so ¥4.99 at 120 % earns 5 points, not 4.
    """
    paid_minor = sum(line.paid_minor for line in lines)
    base = paid_minor // program.minor_per_point
    total = paid_minor * level.earn_percent // (100 * program.minor_per_point)
    parts = [EarnedPart("base", program.version, base)]
    if total != base:
        parts.append(EarnedPart(f"tier:{level.code}", program.version, total - base))
    if program.stamp_categories:
        stamps = sum(line.quantity for line in lines if line.category in program.stamp_categories)
        if stamps:
            parts.append(EarnedPart("stamps", program.version, stamps, STAMPS))
    return tuple(parts)


def sums(parts: Sequence[EarnedPart]) -> dict[str, int]:
    """Return what the parts sum to, by currency; points are always there."""
    found = {POINTS: 0}
    for part in parts:
        found[part.currency] = found.get(part.currency, 0) + part.points
    return found
