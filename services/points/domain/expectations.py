"""A store's forecast on its own calendar: covers and items by day and hour, with what is known already; and staff."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from math import ceil, isfinite
from zoneinfo import ZoneInfo

from services.kit.errors import Kind, Problem
from services.points.domain.forecasting import (
    HISTORY_WEEKS,
    HORIZON_DAYS,
    HOURS,
    WEEK,
    Errors,
    Forecast,
    History,
    Spread,
    forecast,
)

OPEN_SHARE = 0.02
"""An hour with less than this part of the day's busiest one is not counted as open: somebody paid late once."""

MOST_PER_STAFF_HOUR = 10_000.0
MOST_STAFF = 1_000
SHOWN = 0.005
"""Less than this is expected nothing."""


class InvalidForecastError(Problem):
    """The forecast cannot be made: {why}."""

    kind = Kind.INVALID
    code = "INVALID_FORECAST"


@dataclass(frozen=True, slots=True)
class Known:
    """What bookings and pre-orders say of one hour: so many covers and items come anyway."""

    day: date
    hour: int
    covers: float = 0.0
    items: float = 0.0


@dataclass(frozen=True, slots=True)
class Expected:
    """What is expected, between which values it lies in 8 of 10 cases, and what of it is known already."""

    expected: float
    low: float
    high: float
    known: float = 0.0


@dataclass(frozen=True, slots=True)
class ExpectedHour:
    """An hour of the store's clock. One that comes twice, at the end of summer time, is one of two hours."""

    hour: int
    begins_at: datetime
    covers: Expected
    items: Expected


@dataclass(frozen=True, slots=True)
class ExpectedDay:
    """A day; the hours are those that it has and in which something is expected."""

    day: date
    covers: Expected
    items: Expected
    hours: tuple[ExpectedHour, ...]


@dataclass(frozen=True, slots=True)
class StoreForecast:
    """The days to come, and the errors on held-out weeks. `without_known`: nobody could tell what is planned."""

    days: tuple[ExpectedDay, ...]
    covers_errors: Errors
    items_errors: Errors
    time_zone: str
    without_known: bool = False


@dataclass(frozen=True, slots=True)
class Happened:
    """Of one hour of a past day."""

    covers: int
    items: int


@dataclass(frozen=True, slots=True)
class Needs:
    """How staff is planned."""

    covers_per_staff_hour: float
    min_staff: int = 0
    for_high: bool = False  # for the forecast's high value instead of the expected one

    def __post_init__(self) -> None:
        most = MOST_PER_STAFF_HOUR
        if not (isfinite(self.covers_per_staff_hour) and 0 < self.covers_per_staff_hour <= most):
            raise InvalidForecastError(field="coversPerStaffHour", why=f"it must be above 0 and at most {most:g}")
        if not 0 <= self.min_staff <= MOST_STAFF:
            raise InvalidForecastError(field="minStaff", why=f"it must be 0 to {MOST_STAFF}")


@dataclass(frozen=True, slots=True)
class StaffedHour:
    """How many people an hour needs."""

    day: date
    hour: int
    begins_at: datetime
    covers: float
    staff: int


def history_days(today: date) -> tuple[date, date]:
    """Return the first and the last day of the history that a forecast made `today` learns from."""
    return today - timedelta(days=HISTORY_WEEKS * WEEK), today - timedelta(days=1)


def coming_days(today: date) -> list[date]:
    """Return the days of the forecast: today, which is not over, and those after it."""
    return [today + timedelta(days=number) for number in range(HORIZON_DAYS)]


def check_closed(closed: Iterable[date], today: date) -> frozenset[date]:
    """Refuse days that the forecast does not have."""
    days = frozenset(closed)
    if days - set(coming_days(today)):
        raise InvalidForecastError(field="closedDays", why=f"name days of the {HORIZON_DAYS} from {today} on")
    return days


def expect(
    happened: Mapping[tuple[date, int], Happened],
    *,
    today: date,
    time_zone: str,
    known: Sequence[Known] = (),
    closed: frozenset[date] = frozenset(),
) -> StoreForecast:
    """Return the forecast, given what happened in each hour of `history_days(today)`."""
    first, last = history_days(today)
    past = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    nothing = Happened(0, 0)
    rows = [[happened.get((day, hour), nothing) for hour in range(HOURS)] for day in past]
    weekday = first.weekday()
    covers = forecast(History(weekday, [[float(one.covers) for one in row] for row in rows]))
    items = forecast(History(weekday, [[float(one.items) for one in row] for row in rows]))
    days = tuple(
        _day(day, time_zone, (covers, items), number, known=known, closed=day in closed)
        for number, day in enumerate(coming_days(today))
    )
    return StoreForecast(days, covers.errors, items.errors, time_zone)


def _day(
    day: date, time_zone: str, both: tuple[Forecast, Forecast], number: int, *, known: Sequence[Known], closed: bool
) -> ExpectedDay:
    covers, items = both
    hours: list[ExpectedHour] = []
    for hour, begins_at in hours_of(day, time_zone):
        known_covers = sum(one.covers for one in known if (one.day, one.hour) == (day, hour))
        known_items = sum(one.items for one in known if (one.day, one.hour) == (day, hour))
        expected = ExpectedHour(
            hour,
            begins_at,
            _expected(0.0 if closed else covers.days[number][hour], known_covers, covers.by_hour),
            _expected(0.0 if closed else items.days[number][hour], known_items, items.by_hour),
        )
        if expected.covers.expected >= SHOWN or expected.items.expected >= SHOWN:
            hours.append(expected)
    return ExpectedDay(
        day,
        _together([one.covers for one in hours], covers.by_day),
        _together([one.items for one in hours], items.by_day),
        tuple(hours),
    )


def _expected(value: float, known: float, spread: Spread) -> Expected:
    """Return what is expected; never less than what is known to come."""
    low, high = spread.around(value)
    return Expected(max(value, known), max(low, known), max(high, known), known)


def _together(hours: Sequence[Expected], spread: Spread) -> Expected:
    return _expected(sum(one.expected for one in hours), sum(one.known for one in hours), spread)


def hours_of(day: date, time_zone: str) -> list[tuple[int, datetime]]:
    """Return the hours that the clock shows on that day, 23 or 24, and when each begins (in UTC)."""
    zone = ZoneInfo(time_zone)
    found: list[tuple[int, datetime]] = []
    for hour in range(HOURS):
        begins_at = datetime(day.year, day.month, day.day, hour, tzinfo=zone).astimezone(UTC)
        if begins_at.astimezone(zone).hour == hour:  # else the clock leaps over it
            found.append((hour, begins_at))
    return found


def staffed(expected: StoreForecast, needs: Needs) -> list[StaffedHour]:
    """Return how many people each open hour needs: its covers by those that one serves, rounded up."""
    found: list[StaffedHour] = []
    for day in expected.days:
        busiest = max((one.covers.expected for one in day.hours), default=0.0)
        for one in day.hours:
            if one.covers.expected < OPEN_SHARE * busiest and not one.covers.known:
                continue
            covers = one.covers.high if needs.for_high else one.covers.expected
            staff = max(needs.min_staff, ceil(covers / needs.covers_per_staff_hour))
            found.append(StaffedHour(day.day, one.hour, one.begins_at, covers, staff))
    return found
