"""How far a verification is, in one line that a terminal shows over and over and a log now and then."""

from collections.abc import Callable
from typing import TextIO

EVERY_S, EVERY_ON_A_TERMINAL_S = 2.0, 0.2


class Telling:
    """Counts what one run does; earlier runs' share is in the totals, not in the rates."""

    def __init__(self, out: TextIO, *, now: Callable[[], float], accounts: int, postings: int) -> None:
        self._out, self._now, self._terminal = out, now, out.isatty()
        self._accounts_before, self._postings_before = accounts, postings
        self._began = self._told = now()

    def tell(self, *, accounts: int, postings: int, in_all: int, last: bool = False) -> None:
        """Write how far it is when the time has come, or when it is the `last` time."""
        now = self._now()
        if not last and now - self._told < (EVERY_ON_A_TERMINAL_S if self._terminal else EVERY_S):
            return
        self._told = now
        passed_s = now - self._began
        parts = [f"{accounts:,} accounts"]
        if in_all:
            parts[0] = f"{accounts:,} of about {in_all:,} accounts ({min(100, 100 * accounts // in_all)} %)"
        parts.append(f"{postings:,} postings")
        done = accounts - self._accounts_before
        if passed_s > 0:
            parts.append(f"{(postings - self._postings_before) / passed_s:,.0f} postings/s")
            if done and in_all > accounts:
                parts.append(f"{_duration((in_all - accounts) * passed_s / done)} left")
        self._write(", ".join(parts), lasting=last)

    def note(self, words: str) -> None:
        """Say something in between."""
        self._write(words, lasting=True)

    def _write(self, words: str, *, lasting: bool) -> None:
        if self._terminal:
            self._out.write(f"\r\x1b[K{words}" + ("\n" if lasting else ""))
        else:
            self._out.write(f"{words}\n")
        self._out.flush()

    def clear(self) -> None:
        """Make room on a terminal for a line of the result."""
        if self._terminal:
            self._out.write("\r\x1b[K")
            self._out.flush()


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
