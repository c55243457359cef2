"""Days and months as people count them: in a zone, with the end of a day that begins and ends when the zone says."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

MONTHS_A_YEAR = 12
ZONES_KEPT = 1_024


@lru_cache(ZONES_KEPT)
def zone_of(name: str) -> ZoneInfo:
    """Return the zone with this IANA name."""
    return ZoneInfo(name)


def local(moment: datetime, zone: str) -> datetime:
    """Return `moment` as the clocks of `zone` show it."""
    return moment.astimezone(zone_of(zone))


def day_of(moment: datetime, zone: str) -> date:
    """Return the day of `zone` in which `moment` lies."""
    return moment.astimezone(zone_of(zone)).date()


def begins(day: date, zone: str) -> datetime:
    """Return the first moment (UTC) of a day: where clocks skip midnight, when they go on."""
    return datetime.combine(day, time(), zone_of(zone)).astimezone(UTC)


def ends(day: date, zone: str) -> datetime:
    """Return the first moment (UTC) after a day."""
    return begins(day + timedelta(days=1), zone)


def add_months(day: date, months: int) -> date:
    """Return the day `months` later, the month's last where it has none such: a month after 31 January, 28 February."""
    year, month = divmod(day.year * MONTHS_A_YEAR + day.month - 1 + months, MONTHS_A_YEAR)
    return date(year, month + 1, min(day.day, _length(year, month + 1)))


def last_of_month(day: date) -> date:
    """Return the last day of the month."""
    return day.replace(day=_length(day.year, day.month))


def period_of(day: date, months: int, *, anchor: date) -> tuple[date, date]:
    """Return the first day of the period of `months` that has `day`, and that of the next; periods begin at `anchor`.

    An anchor on the 31st begins a period at the end of a shorter month; after it, on the 31st again.
    """
    passed = (day.year - anchor.year) * MONTHS_A_YEAR + day.month - anchor.month
    number = passed // months
    if add_months(anchor, number * months) > day:
        number -= 1
    elif add_months(anchor, (number + 1) * months) <= day:
        number += 1
    return add_months(anchor, number * months), add_months(anchor, (number + 1) * months)


def _length(year: int, month: int) -> int:
    following = date(year + month // MONTHS_A_YEAR, month % MONTHS_A_YEAR + 1, 1)
    return (following - timedelta(days=1)).day


@dataclass(frozen=True, slots=True)
class Span:
    """So many months and days, added in this order; both 0: no span."""

    days: int = 0
    months: int = 0

    def __bool__(self) -> bool:
        return bool(self.days or self.months)

    def after(self, day: date) -> date:
        """Return the day that lies so much after `day`."""
        return add_months(day, self.months) + timedelta(days=self.days)

    def __add__(self, other: "Span") -> "Span":
        return Span(self.days + other.days, self.months + other.months)


NO_SPAN = Span()
