"""The program: how points are earned and levels reached. A version never changes once something was booked by it."""

from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Level:
    """A level of the program: reached by spend, and what it adds to what is earned."""

    code: str
    threshold_minor: int
    earn_percent: int  # 100 is the base rate, 120 a fifth more


@dataclass(frozen=True, slots=True)
class Program:
    """One version of a chain's program; levels ascend, and the first is everybody's."""

    version: int
    minor_per_point: int
    levels: tuple[Level, ...]

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


DEFAULT_PROGRAM = Program(
    version=1,
    minor_per_point=100,
    levels=(Level("regular", 0, 100), Level("silver", 50_000, 120)),
)
"""What a chain starts with: 1 point for each full unit of money, silver from 500.00 on with a fifth more."""


@dataclass(frozen=True, slots=True)
class EarnedPart:
    """What one rule added to a purchase's points."""

    rule: str
    program_version: int
    points: int


def earn(program: Program, level: Level, paid_minor: int) -> tuple[EarnedPart, ...]:
    """Explain the points for `paid_minor`; the parts sum to ⌊paid × percent / (100 × minor per point)⌋.

    The percentage is applied to the amount and rounded down once, so ¥4.99 at 120 % earns 5 points, not 4.
    """
    base = paid_minor // program.minor_per_point
    total = paid_minor * level.earn_percent // (100 * program.minor_per_point)
    parts = [EarnedPart("base", program.version, base)]
    if total != base:
        parts.append(EarnedPart(f"tier:{level.code}", program.version, total - base))
    return tuple(parts)
