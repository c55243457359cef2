"""`make bench-forecast`: how far off the forecast is on held-out weeks, beside "as on the same day last week".

Each of the last weeks is forecast from what was known before it, its own week left out; the model is the one that the
platform serves, with no parameter of the data's. Data sets are given by path, and skipped where they are absent.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from services.points.domain.forecasting import HOURS, WEEK, Day, forecast, naive, wape
from tests.bench.figures import Figure, Sheet, rounded, tell
from tests.bench.histories import READERS, Hours, history

LEAST_WEEKS = 8


@dataclass(frozen=True, slots=True)
class Week:
    """A held-out week: as expected, by both, as it was, and how often it was within the 10th to 90th percentile."""

    expected: list[list[float]]
    guessed: list[list[float]]
    actual: list[list[float]]
    within: int
    hours: int


def held_out(hours: Hours, *, weeks: int) -> Iterator[Week]:
    """Yield the last whole weeks, the newest first."""
    last = max(day for day, _ in hours)
    for number in range(1, weeks + 1):
        known = history(hours, last=last - timedelta(days=number * WEEK))
        actual = [list(day) for day in history(hours, last=last - timedelta(days=(number - 1) * WEEK)).days[-WEEK:]]
        served = forecast(known)
        expected, spread = [list(day) for day in served.days[:WEEK]], served.by_hour
        pairs = [
            (spread.around(day[hour]), one[hour])
            for day, one in zip(expected, actual, strict=True)
            for hour in range(HOURS)
            if day[hour] > 0 or one[hour]
        ]
        within = sum(low <= value <= high for (low, high), value in pairs)
        yield Week(expected, naive(known, WEEK), actual, within, len(pairs))


def figures(name: str, noun: str, hours: Hours, *, weeks: int) -> Iterator[Figure]:
    """Yield the error by hour and by day, each as a ratio to the naive one's."""
    found = list(held_out(hours, weeks=weeks))
    within = sum(week.within for week in found) / sum(week.hours for week in found)
    for grain, fold in (("hourly", _as_it_is), ("daily", _by_day)):
        model = wape([(fold(week.expected), fold(week.actual)) for week in found])
        guess = wape([(fold(week.guessed), fold(week.actual)) for week in found])
        weekly = [
            (wape([(fold(week.expected), fold(week.actual))]), wape([(fold(week.guessed), fold(week.actual))]))
            for week in found
        ]
        ratios = [one / other for one, other in weekly if one is not None and other]
        if model is None or not guess:
            continue
        yield Figure(
            figure=f"forecast.{name}.{noun}_{grain}_wape_vs_naive",
            value=rounded(model / guess),
            unit="ratio",
            spread=(rounded(min(ratios)), rounded(max(ratios))),
            detail={
                "target": "below 1",
                "model_wape": rounded(model),
                "naive_wape": rounded(guess),
                "held_out_weeks": len(found),
                **({"share_of_hours_within_p10_to_p90": rounded(within)} if grain == "hourly" else {}),
            },
        )


def _as_it_is(week: list[list[float]]) -> list[Day]:
    return list(week)


def _by_day(week: list[list[float]]) -> list[Day]:
    return [[sum(day)] for day in week]


def main() -> int:
    """Measure what is there; 0 also where nothing is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the folder of the data sets")
    parser.add_argument("--weeks", type=int, default=16, help="held-out weeks, at least 8; %(default)s")
    given = parser.parse_args()
    weeks = max(given.weeks, LEAST_WEEKS)
    sheet = Sheet("forecast", settings={"scale": 1, "seconds": 0.0})
    measured = 0
    for name, read in READERS.items():
        if not (given.data / name).is_dir():
            tell(f"{name}: skipped, there is no {given.data / name}")
            continue
        series = read(given.data / name)
        for noun, hours in (("receipts", series.receipts), ("items", series.items)):
            for figure in figures(name, noun, hours, weeks=weeks):
                sheet.add(figure)
                measured += 1
    if measured:
        sheet.keep()
    return 0


if __name__ == "__main__":
    sys.exit(main())
