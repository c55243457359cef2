"""How far it is: a bar on a terminal, else a line now and then."""

import sys
from collections.abc import Callable
from typing import Literal, Protocol, TextIO

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.text import Text

EVERY_S = 2.0
"""Between two lines in a log."""

Unit = Literal["", "B"]
"""What is counted: rows, or bytes."""


class Progress(Protocol):
    """One phase after the other."""

    def start(self, title: str, *, total: int, unit: Unit = "") -> None:
        """Begin a phase of `total` items."""

    def advance(self, count: int) -> None:
        """Count what is done."""

    def note(self, words: str) -> None:
        """Say something in between."""

    def finish(self) -> None:
        """End the phase."""


class PlainProgress:
    """Lines for a log, at most one in `EVERY_S` and one at the end of a phase."""

    def __init__(self, out: TextIO, *, now: Callable[[], float]) -> None:
        self._out, self._now = out, now
        self._title, self._unit = "", ""
        self._total = 0
        self._done, self._began, self._told = 0, 0.0, 0.0

    def start(self, title: str, *, total: int, unit: Unit = "") -> None:
        """Begin a phase."""
        self._title, self._total, self._unit, self._done = title, total, unit, 0
        self._began = self._told = self._now()

    def advance(self, count: int) -> None:
        """Count, and tell when the time has come."""
        self._done += count
        if self._now() - self._told >= EVERY_S:
            self._told = self._now()
            self._tell()

    def note(self, words: str) -> None:
        """Write a line."""
        self._write(words)

    def finish(self) -> None:
        """Tell the end."""
        self._tell()

    def _tell(self) -> None:
        passed = self._now() - self._began
        rate = self._done / passed if passed else 0.0
        parts = [f"{self._title}: {_amount(self._done, self._unit)}"]
        if self._total:
            parts[0] += f" of {_amount(self._total, self._unit)} ({100 * self._done // self._total} %)"
        if rate:
            parts.append(f"{_amount(int(rate), self._unit)}/s")
        if rate and self._total and self._done < self._total:
            parts.append(f"{_duration((self._total - self._done) / rate)} left")
        self._write(", ".join(parts))

    def _write(self, line: str) -> None:
        self._out.write(line + "\n")
        self._out.flush()


class BarProgress:
    """A bar for each phase, with rate and remaining time."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars: Bars | None = None
        self._task = TaskID(0)

    def start(self, title: str, *, total: int, unit: Unit = "") -> None:
        """Show a new bar."""
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            _Counted(unit),
            _Rate(unit),
            TimeRemainingColumn(compact=True),
            console=self._console,
        )
        self._task = self._bars.add_task(title, total=total)
        self._bars.start()

    def advance(self, count: int) -> None:
        """Move the bar."""
        if self._bars:
            self._bars.advance(self._task, count)

    def note(self, words: str) -> None:
        """Write a line above the bar."""
        self._console.print(words, style="yellow", markup=False, highlight=False)

    def finish(self) -> None:
        """Leave the bar as it is now."""
        if self._bars:
            self._bars.stop()
            self._bars = None


def progress_on(out: TextIO = sys.stderr, *, now: Callable[[], float]) -> Progress:
    """Return what fits `out`."""
    return BarProgress(Console(file=out)) if out.isatty() else PlainProgress(out, now=now)


class _Counted(ProgressColumn):
    def __init__(self, unit: Unit) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        """Show how many of how many."""
        return Text(f"{_amount(int(task.completed), self._unit)} of {_amount(int(task.total or 0), self._unit)}")


class _Rate(ProgressColumn):
    def __init__(self, unit: Unit) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        """Show how many in a second: of late, and on the whole once it is done."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{_amount(int(speed), self._unit)}/s")


def _amount(count: int, unit: str) -> str:
    return decimal(count) if unit == "B" else f"{count:,}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
