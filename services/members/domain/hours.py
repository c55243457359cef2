"""Opening hours: when a store is open, by its local clock, over nights and changes of that clock."""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from services.kit.errors import Kind, Problem

WEEKDAYS = 7
DAY_MINUTES = 24 * 60

MAX_SPANS = 10
"""Spans of one day."""

MAX_HOLIDAYS = 400
"""Days that are not as their weekday: more than a year of them is a mistake."""

_MINUTE = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00")


class InvalidHoursError(Problem):
    """The opening hours are not right: {why}."""

    kind = Kind.INVALID
    code = "INVALID_HOURS"


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """From one local minute of the day (0 to 1,439) until before another (1 to 1,440).

    One that ends before it begins runs past midnight.
    """

    opens: int
    closes: int

    @property
    def end(self) -> int:
        """When it ends, in minutes since the beginning of the day on which it began."""
        return self.closes if self.closes > self.opens else self.closes + DAY_MINUTES


@dataclass(frozen=True, slots=True)
class Hours:
    """A week from Monday on, and the local dates that are not as their weekday (no spans: closed)."""

    weekly: tuple[tuple[Span, ...], ...]
    holidays: Mapping[date, tuple[Span, ...]] = field(default_factory=dict)

    def of(self, day: date) -> tuple[Span, ...]:
        """Return the spans that begin on that day."""
        return self.holidays.get(day, self.weekly[day.weekday()])


def span(opens: str, closes: str, *, path: str) -> Span:
    """Return the span from "HH:MM" to "HH:MM"; "24:00" is the end of the day."""
    if not _MINUTE.fullmatch(opens) or not _MINUTE.fullmatch(closes) or opens == "24:00":
        raise InvalidHoursError(
            field=path, why='a span is written like "11:00" to "22:30", to the end of a day "24:00"'
        )
    found = Span(_minutes(opens), _minutes(closes))
    if found.opens == found.closes:
        raise InvalidHoursError(field=path, why='a span that is never over is written "00:00" to "24:00"')
    return found


def written(minutes: int) -> str:
    """Return a minute of the day as "HH:MM"."""
    return f"{minutes // 60:02}:{minutes % 60:02}"


def check_hours(hours: Hours, *, path: str) -> None:
    """Refuse, with the field at fault below `path`, what no store's hours can be."""
    if len(hours.weekly) != WEEKDAYS:
        raise InvalidHoursError(field=f"{path}.weekly", why="a week has 7 days, from Monday on")
    if len(hours.holidays) > MAX_HOLIDAYS:
        raise InvalidHoursError(field=f"{path}.holidays", why=f"there are at most {MAX_HOLIDAYS} such days")
    for number, spans in enumerate(hours.weekly):
        _check_day(spans, path=f"{path}.weekly.{number}")
    for day, spans in hours.holidays.items():
        _check_day(spans, path=f"{path}.holidays.{day.isoformat()}")


def is_open(hours: Hours, *, time_zone: str, moment: datetime) -> bool:
    """Tell whether it is open at `moment`. What ran past midnight belongs to the day on which it began.

    A span begins when its local time is first reached and ends when its local time is last reached: an hour that comes
    twice is open twice, and of one that is left out nothing is missed.
    """
    zone = ZoneInfo(time_zone)
    today = moment.astimezone(zone).date()
    return any(
        _moment(day, one.opens, zone, fold=0) <= moment < _moment(day, one.end, zone, fold=1)
        for day in (today - timedelta(days=1), today)
        for one in hours.of(day)
    )


def _check_day(spans: Sequence[Span], *, path: str) -> None:
    if len(spans) > MAX_SPANS:
        raise InvalidHoursError(field=path, why=f"a day has at most {MAX_SPANS} spans")
    for number, (one, following) in enumerate(itertools.pairwise(spans)):
        if following.opens < one.end:
            raise InvalidHoursError(field=f"{path}.{number + 1}", why="a day's spans stand in their order and apart")


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def _moment(day: date, minutes: int, zone: ZoneInfo, *, fold: int) -> datetime:
    """Return when the zone's clock shows that many minutes of the day; the first (fold 0) or last (fold 1) time.

    What it never shows is the moment at which it is put forward.
    """
    local = datetime.combine(day, time(), zone) + timedelta(minutes=minutes)  # wall time: no clock is put in between
    found = local.replace(fold=fold).astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return found
    before, after = (local.replace(fold=which).astimezone(UTC) for which in (1, 0))
    offset = after.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        before, after = (before, middle) if middle.astimezone(zone).utcoffset() == offset else (middle, after)
    return after.replace(microsecond=0)
