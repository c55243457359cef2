"""How long points live, and when they become available: what a program says, and what a lot takes from it."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from services.points.domain.calendar import NO_SPAN, Span, begins, day_of, ends, last_of_month
from services.points.domain.lots import NEVER


class Starts(StrEnum):
    """From when on the life of points is counted."""

    EARNED = "earned"
    ACTIVATED = "activated"  # when they became available


class RoundsTo(StrEnum):
    """To the end of what a life is stretched."""

    DAY = "day"
    MONTH = "month"
    YEAR = "year"


class Activity(StrEnum):
    """What keeps points from lapsing for want of it."""

    EARNING = "earning"  # a purchase that gave points
    PURCHASE = "purchase"  # any purchase, also one that gave none
    REDEMPTION = "redemption"


@dataclass(frozen=True, slots=True)
class MonthDay:
    """A day of every year; 29 February is the 28th where there is none."""

    month: int
    day: int

    def of(self, year: int) -> date:
        """Return the day in this year."""
        last = last_of_month(date(year, self.month, 1))
        return last.replace(day=min(self.day, last.day))


@dataclass(frozen=True, slots=True)
class Cycle:
    """What is earned up to `last_day` (after the cycle before) can be used to the end of the next `expires`."""

    last_day: MonthDay
    expires: MonthDay


@dataclass(frozen=True, slots=True)
class Expiry:
    """How long points live. Several may apply, and the first to come ends them; none: for ever."""

    life: Span = NO_SPAN
    starts: Starts = Starts.EARNED
    rounds_to: RoundsTo = RoundsTo.DAY
    cycles: tuple[Cycle, ...] = ()
    idle: Span = NO_SPAN  # without activity
    active_by: frozenset[Activity] = frozenset({Activity.EARNING, Activity.REDEMPTION})

    def last_day(self, earned: date, activated: date, *, extends: Span = NO_SPAN) -> date | None:
        """Return the last day on which what was earned can be used; `extends`: what the level adds to its life."""
        days: list[date] = []
        if self.life:
            start = earned if self.starts is Starts.EARNED else activated
            days.append(self._rounded((self.life + extends).after(start)))
        if self.cycles:
            days.append(self._rounded(extends.after(self._cycle_end(earned))))
        return min(days, default=None)

    def expires_at(self, earned_at: datetime, *, activated_at: datetime, zone: str, extends: Span) -> datetime | None:
        """Return the moment from which on it is no longer there, None: never."""
        if not (self.life or self.cycles) or activated_at >= NEVER:
            return None
        last = self.last_day(day_of(earned_at, zone), day_of(activated_at, zone), extends=extends)
        return None if last is None else ends(last, zone)

    def _rounded(self, day: date) -> date:
        if self.rounds_to is RoundsTo.DAY:
            return day
        return last_of_month(day if self.rounds_to is RoundsTo.MONTH else day.replace(month=12))

    def _cycle_end(self, earned: date) -> date:
        found: list[tuple[date, date]] = []
        for cycle in self.cycles:
            last = cycle.last_day.of(earned.year)
            if last < earned:
                last = cycle.last_day.of(earned.year + 1)
            expires = cycle.expires.of(last.year)
            found.append((last, expires if expires >= last else cycle.expires.of(last.year + 1)))
        return min(found)[1]


@dataclass(frozen=True, slots=True)
class Release:
    """When points become available: after so many whole days, when an action is told, or whichever comes first."""

    days: int = 0
    on_action: bool = False  # such as a delivery: see `commands.Release`

    def pending_until(self, earned_at: datetime, zone: str) -> datetime | None:
        """Return from when on they are available; None: at once; NEVER: when the action is told."""
        if self.days:
            return begins(day_of(earned_at, zone) + timedelta(days=self.days + 1), zone)
        return NEVER if self.on_action else None


NO_EXPIRY = Expiry()
AT_ONCE = Release()
