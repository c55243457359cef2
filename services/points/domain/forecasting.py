"""What a store can expect: a number for each hour of the next days, from the same hours of the weeks before.

The day's total is the mean of its weekday, recent weeks counting more (exponential smoothing), times how the days of
the last weeks compare with theirs; the total is spread over the hours as that weekday's were. Days on which the store
was closed tell nothing. How far off this is, is measured on weeks that it was not told of, beside the simplest guess:
as on the same day last week. (R. J. Hyndman, G. Athanasopoulos, "Forecasting: Principles and Practice", 3rd ed.:
exponential smoothing, ch. 8; rolling origins, 5.10; WAPE is the mean absolute error by the mean, 5.8.)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

HOURS = 24
WEEK = 7
HORIZON_DAYS = 14
HISTORY_WEEKS = 26

LEAST_DAYS = 2 * WEEK
"""Of history, to learn from; a week can only be held out behind as many."""

HELD_OUT_WEEKS = 8
LEAST_HELD_OUT_WEEKS = 4

WEEK_DECAY = 0.85
"""What a week counts by the week after it: half of the weight lies in the last four or five weeks."""

LEVEL_HALF_LIFE_DAYS = 14.0
MOST_LEVEL = 2.0
"""How far the last weeks may move the level, up and (as one by it) down: a broken till is no trend."""

LOW, HIGH = 0.1, 0.9
NORMAL_HIGH = 1.2815515655446004
"""The 90th percentile of the standard normal distribution, for a store with too little history to measure it."""

Day = Sequence[float]
"""24 numbers, by the hour of the store's clock."""


@dataclass(frozen=True, slots=True)
class History:
    """Consecutive days up to yesterday; `first_weekday` is that of the first, Monday 0."""

    first_weekday: int
    days: Sequence[Day]

    def weekday(self, number: int) -> int:
        """Return the weekday of day `number`, also of one that is still to come."""
        return (self.first_weekday + number) % WEEK

    def until(self, number: int) -> "History":
        """Return the days before day `number`."""
        return History(self.first_weekday, self.days[:number])


@dataclass(frozen=True, slots=True)
class Errors:
    """Over `weeks` held-out weeks, the sum of absolute errors by the sum of what happened; None where too few."""

    weeks: int = 0
    hourly: float | None = None
    naive_hourly: float | None = None
    daily: float | None = None
    naive_daily: float | None = None


@dataclass(frozen=True, slots=True)
class Spread:
    """How what happened lies around what was expected, in units of the square root of that (as counts spread)."""

    low: float = -NORMAL_HIGH
    high: float = NORMAL_HIGH

    def around(self, expected: float) -> tuple[float, float]:
        """Return between which values it lies in 8 of 10 cases."""
        root = expected**0.5
        return max(0.0, min(expected, expected + self.low * root)), max(expected, expected + self.high * root)


@dataclass(frozen=True, slots=True)
class Forecast:
    """Expected by day and hour, from the day after the history on; its errors; its spread by hour and by day."""

    days: tuple[tuple[float, ...], ...]
    errors: Errors
    by_hour: Spread
    by_day: Spread


def forecast(history: History, *, days: int = HORIZON_DAYS) -> Forecast:
    """Return what to expect on the next `days`, with its errors."""
    history = _opened(history)
    held_out = _held_out(history)
    pairs = [(seasonal(known, WEEK), naive(known, WEEK), actual) for known, actual in held_out]
    hourly = [
        (expected[hour], actual[hour])
        for model, _, week in pairs
        for expected, actual in zip(model, week, strict=True)
        for hour in range(HOURS)
        if expected[hour] or actual[hour]
    ]
    daily = [(sum(expected), sum(actual)) for model, _, week in pairs for expected, actual in _open_days(model, week)]
    return Forecast(
        days=tuple(tuple(day) for day in seasonal(history, days)),
        errors=_errors(pairs),
        by_hour=_spread(hourly),
        by_day=_spread(daily),
    )


def naive(history: History, days: int) -> list[list[float]]:
    """Return the same day of the last known week, for each of the next `days`."""
    last = [list(day) for day in history.days[-WEEK:]] or [[0.0] * HOURS]
    return [list(last[number % len(last)]) for number in range(days)]


def seasonal(history: History, days: int) -> list[list[float]]:
    """Return for each of the next `days` its weekday's total at the present level, spread over that weekday's hours."""
    count = len(history.days)
    open_days = _open(history)
    weights = {number: WEEK_DECAY ** ((count - 1 - number) // WEEK) for number in open_days}
    totals = {number: sum(history.days[number]) for number in open_days}
    usual = {weekday: _mean(history, weekday, totals, weights) for weekday in range(WEEK)}
    level = _level(history, totals, usual)
    everywhere = _shares(history, list(open_days), weights, prior=[1 / HOURS] * HOURS, strength=0.0)
    shares = {}
    for weekday in range(WEEK):
        numbers = [number for number in open_days if history.weekday(number) == weekday]
        shares[weekday] = _shares(history, numbers, weights, prior=everywhere, strength=usual[weekday])
    coming = [history.weekday(count + number) for number in range(days)]
    return [[usual[weekday] * level * share for share in shares[weekday]] for weekday in coming]


def _opened(history: History) -> History:
    """Leave out the days before the first sale: the store was not there."""
    first = next((number for number, day in enumerate(history.days) if any(day)), len(history.days))
    return History(history.weekday(first), history.days[first:])


def _open(history: History) -> list[int]:
    """Return the days that tell something: not those without any sale of a weekday that usually has some."""
    by_weekday: dict[int, list[float]] = {}
    for number, day in enumerate(history.days):
        by_weekday.setdefault(history.weekday(number), []).append(sum(day))
    usually = {weekday: median(totals[-HELD_OUT_WEEKS:]) for weekday, totals in by_weekday.items()}
    return [number for number, day in enumerate(history.days) if any(day) or not usually[history.weekday(number)]]


def _mean(history: History, weekday: int, totals: dict[int, float], weights: dict[int, float]) -> float:
    numbers = [number for number in totals if history.weekday(number) == weekday]
    weight = sum(weights[number] for number in numbers)
    return sum(weights[number] * totals[number] for number in numbers) / weight if weight else 0.0


def _level(history: History, totals: dict[int, float], usual: dict[int, float]) -> float:
    """Return how the last days compare with their weekdays' means."""
    last = len(history.days) - 1
    happened = meant = 0.0
    for number, total in totals.items():
        weight = 0.5 ** ((last - number) / LEVEL_HALF_LIFE_DAYS)
        happened += weight * total
        meant += weight * usual[history.weekday(number)]
    return min(max(happened / meant, 1 / MOST_LEVEL), MOST_LEVEL) if meant else 1.0


def _shares(
    history: History, numbers: Sequence[int], weights: dict[int, float], *, prior: Sequence[float], strength: float
) -> list[float]:
    """Return how these days spread over the hours, with one usual day (`strength`) of `prior` among them."""
    sums = [strength * share for share in prior]
    for number in numbers:
        for hour, value in enumerate(history.days[number]):
            sums[hour] += weights[number] * value
    total = sum(sums)
    return [value / total for value in sums] if total else list(prior)


def _held_out(history: History) -> list[tuple[History, Sequence[Day]]]:
    """Return the last whole weeks, each with what was known before it, the oldest first; none when too few."""
    count = len(history.days)
    origins = [count - WEEK * number for number in range(HELD_OUT_WEEKS, -1, -1)]
    origins = [origin for origin in origins if origin >= LEAST_DAYS]
    if len(origins) <= LEAST_HELD_OUT_WEEKS:
        return []
    return [(history.until(begin), history.days[begin:end]) for begin, end in pairwise(origins)]


Held = tuple[Sequence[Day], Sequence[Day], Sequence[Day]]
"""A held-out week: as the model expected it, as the naive guess did, and as it was."""


def _errors(weeks: Sequence[Held]) -> Errors:
    if not weeks:
        return Errors()
    return Errors(
        weeks=len(weeks),
        hourly=wape([(model, actual) for model, _, actual in weeks]),
        naive_hourly=wape([(guess, actual) for _, guess, actual in weeks]),
        daily=wape([(_by_day(model), _by_day(actual)) for model, _, actual in weeks]),
        naive_daily=wape([(_by_day(guess), _by_day(actual)) for _, guess, actual in weeks]),
    )


def wape(weeks: Sequence[tuple[Sequence[Day], Sequence[Day]]]) -> float | None:
    """Return the sum of |actual - expected| by that of what happened, of (expected, actual) weeks; None of nothing."""
    off = happened = 0.0
    for week, actual_week in weeks:
        for expected, actual in zip(week, actual_week, strict=True):
            off += sum(abs(one - other) for one, other in zip(expected, actual, strict=True))
            happened += sum(actual)
    return off / happened if happened else None


def _by_day(week: Sequence[Day]) -> list[list[float]]:
    return [[sum(day)] for day in week]


def _open_days(model: Sequence[Day], week: Sequence[Day]) -> list[tuple[Day, Day]]:
    return [(expected, actual) for expected, actual in zip(model, week, strict=True) if any(actual)]


def _spread(pairs: Sequence[tuple[float, float]]) -> Spread:
    """Return the 10th and 90th percentile of the errors, each by the root of what was expected."""
    off = sorted((actual - expected) / expected**0.5 for expected, actual in pairs if expected > 0)
    if len(off) < WEEK * LEAST_HELD_OUT_WEEKS:
        return Spread()
    return Spread(off[int(LOW * len(off))], off[min(int(HIGH * len(off)), len(off) - 1)])
