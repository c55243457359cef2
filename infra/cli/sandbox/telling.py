"""Which day it is in a sandbox: one line that a terminal shows over and over, and a log once for each day."""

from datetime import date, datetime
from typing import TextIO
from zoneinfo import ZoneInfo


class Days:
    """Tells each day of the chain's own calendar when it is reached, and how much of the way that is."""

    def __init__(self, out: TextIO, *, zone: ZoneInfo, start: datetime, target: datetime) -> None:
        self._out, self._zone, self._start, self._target = out, zone, start, target
        self._told: date | None = None

    def tell(self, at: datetime) -> None:
        """Write the day of `at`, unless it was written already."""
        day = at.astimezone(self._zone).date()
        if day == self._told:
            return
        self._told = day
        whole = self._target - self._start
        share = 100 * (at - self._start) // whole if whole else 100
        line = f"{day.isoformat()} ({share} %)"
        self._out.write(f"\r\x1b[K{line}" if self._out.isatty() else f"{line}\n")
        self._out.flush()

    def end(self) -> None:
        """Leave the line as it is."""
        if self._told and self._out.isatty():
            self._out.write("\n")
