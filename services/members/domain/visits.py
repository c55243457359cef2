"""Visits: how often a member comes, how long it stays away, and what it has spent.

A visit is a day, in the store's zone, with at least one purchase. A late receipt is put in its place, so the latest
days, the gaps, the last visit and the spend never depend on the order in which receipts come. The count is exact for
every receipt that is at most `KEPT_DAYS` visits late: an older day can no longer be looked up, and counts as a visit
of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import pairwise
from statistics import median
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.kit.errors import Kind, Problem

MAX_GAPS = 20
"""Gaps that the usual one is taken from: about half a year of a weekly guest, so it follows a change of habit."""

KEPT_DAYS = MAX_GAPS + 1


@dataclass(frozen=True, slots=True)
class Paid:
    """One purchase, as far as visits need it. `time_zone` is the store's, an IANA name."""

    at: datetime
    amount_minor: int
    currency: str
    time_zone: str


@dataclass(frozen=True, slots=True)
class Visits:
    """What is known of a member's visits. `days` are the latest `KEPT_DAYS` at most, the oldest first."""

    count: int = 0
    last: datetime | None = None
    days: tuple[date, ...] = ()
    spend_minor: Mapping[str, int] = field(default_factory=dict)

    @property
    def last_gap_days(self) -> int | None:
        """Whole days between the last two visits."""
        gaps = self._gaps()
        return gaps[-1] if gaps else None

    @property
    def usual_gap_days(self) -> float | None:
        """Median of the kept gaps, in days."""
        gaps = self._gaps()
        return float(median(gaps)) if gaps else None

    def _gaps(self) -> list[int]:
        return [(later - earlier).days for earlier, later in pairwise(self.days)]


class UnknownZoneError(Problem):
    """There is no time zone {zone}."""

    kind = Kind.INVALID
    code = "INVALID_TIME_ZONE"


def after(visits: Visits, paid: Paid) -> Visits:
    """Return `visits` with one more purchase."""
    day = _day(paid)
    known = day in visits.days
    spent = visits.spend_minor.get(paid.currency, 0) + paid.amount_minor
    return Visits(
        count=visits.count if known else visits.count + 1,
        last=paid.at if visits.last is None else max(visits.last, paid.at),
        days=visits.days if known else tuple(sorted((*visits.days, day))[-KEPT_DAYS:]),
        spend_minor={**visits.spend_minor, paid.currency: spent},
    )


def _day(paid: Paid) -> date:
    try:
        return paid.at.astimezone(ZoneInfo(paid.time_zone)).date()
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UnknownZoneError(field="timeZone", zone=paid.time_zone) from error
