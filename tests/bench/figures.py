"""Figures: one JSON line each, to standard output and to build/bench/NAME.jsonl."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import orjson

from tests.bench.machine import about

A = TypeVar("A")
B = TypeVar("B")

FOLDER = Path(__file__).parents[2] / "build" / "bench"
ROUNDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What was measured: the median, and from the lowest to the highest round."""

    figure: str  # "points.stream_vs_txn"
    value: float
    unit: str
    spread: tuple[float, float]
    detail: Mapping[str, Any]


class Sheet:
    """The figures of one run. They are printed as they come, and kept at the end: what was cut short replaces nothing.

    NAME.jsonl has the figures, NAME.json beside it the machine, versions, date, commit and settings of the run.
    """

    def __init__(self, name: str, *, settings: Mapping[str, Any]) -> None:
        self._name = name
        self._about = {**about(), **settings}
        self._lines: list[bytes] = []

    def add(self, figure: Figure) -> None:
        """Print it and take it in."""
        line = orjson.dumps(figure, option=orjson.OPT_APPEND_NEWLINE)
        self._lines.append(line)
        sys.stdout.write(line.decode())
        sys.stdout.flush()

    def keep(self) -> None:
        """Write the run's files; those of the run before are replaced."""
        FOLDER.mkdir(parents=True, exist_ok=True)
        (FOLDER / f"{self._name}.json").write_bytes(orjson.dumps(self._about, option=orjson.OPT_INDENT_2))
        (FOLDER / f"{self._name}.jsonl").write_bytes(b"".join(self._lines))


def tell(what: str) -> None:
    """Say on standard error how far the run is."""
    sys.stderr.write(f"{what}\n")
    sys.stderr.flush()


def in_turn(a: Callable[[], A], b: Callable[[], B]) -> list[tuple[A, B]]:
    """Measure A B A B …: what disturbs the machine for a while then disturbs both."""
    return [(a(), b()) for _ in range(ROUNDS)]


def middle(values: Sequence[float]) -> float:
    """Return the median, three significant digits."""
    return rounded(median(values))


def spread(values: Sequence[float]) -> tuple[float, float]:
    """Return the lowest and the highest."""
    return rounded(min(values)), rounded(max(values))


def rounded(value: float) -> float:
    """Return the value with what the noise leaves of its digits."""
    return float(f"{value:.3g}") if abs(value) < 1_000 else float(round(value))
