"""A clock that stands still until a test moves it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
"""Noon in Shanghai, the first of a month."""


@dataclass(slots=True)
class FixedClock:
    """`clock()` returns the same moment until `clock.move(...)`."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def move(self, step: timedelta) -> datetime:
        """Go on by `step` and return the new time."""
        self.now += step
        return self.now
