"""Reconciling a store's day: what the store has against what was booked."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from services.kit.errors import Kind, Problem

MOST_ITEMS = 20_000


class InvalidDayError(Problem):
    """The day cannot be compared: {why}."""

    kind = Kind.INVALID
    code = "INVALID_DAY"


@dataclass(frozen=True, slots=True)
class DayTotals:
    """Of one day; amounts in minor units of the store's currency."""

    purchases: int = 0
    paid_minor: int = 0
    refunds: int = 0
    refunded_minor: int = 0


@dataclass(frozen=True, slots=True, order=True)
class ItemName:
    """A receipt, or a refund, of a store."""

    number: str
    is_refund: bool


@dataclass(frozen=True, slots=True)
class BookedDay:
    """What was booked: amounts by name. A refund that waits, or was refused, has been received and stands at 0."""

    amounts: Mapping[ItemName, int]
    unbooked: frozenset[ItemName] = frozenset()  # those refunds

    def totals(self) -> DayTotals:
        """Return what they sum to."""
        return totals_of((name, amount) for name, amount in self.amounts.items() if name not in self.unbooked)


@dataclass(frozen=True, slots=True)
class Difference:
    """What is not the same on both sides; None: missing on that side."""

    name: ItemName
    booked_minor: int | None
    store_minor: int | None


@dataclass(frozen=True, slots=True)
class Reconciled:
    """How a day compares."""

    matches: bool
    totals: DayTotals
    differences: tuple[Difference, ...]


def totals_of(items: Iterable[tuple[ItemName, int]]) -> DayTotals:
    """Return what items sum to."""
    purchases = paid = refunds = refunded = 0
    for name, amount in items:
        if name.is_refund:
            refunds, refunded = refunds + 1, refunded + amount
        else:
            purchases, paid = purchases + 1, paid + amount
    return DayTotals(purchases, paid, refunds, refunded)


def day_bounds(day: str, time_zone: str) -> tuple[datetime, datetime]:
    """Return when the store's own day begins and ends; it may have 23 or 25 hours."""
    try:
        first = date.fromisoformat(day)
    except ValueError:
        first = None
    if first is None or first.isoformat() != day or first == date.max:
        raise InvalidDayError(field="day", why='a day is like "2026-03-01"')
    zone = ZoneInfo(time_zone)
    begin, end = (datetime.combine(one, time(), zone) for one in (first, first + timedelta(days=1)))
    return begin.astimezone(UTC), end.astimezone(UTC)


def reconcile(booked: BookedDay, totals: DayTotals | None, items: Sequence[tuple[ItemName, int]]) -> Reconciled:
    """Compare what was booked with the store's totals, and with its items where it sent them."""
    if len(items) > MOST_ITEMS:
        raise InvalidDayError(field="items", why=f"send at most {MOST_ITEMS} items")
    theirs = dict(items)
    if len(theirs) != len(items):
        raise InvalidDayError(field="items", why="each number may be there once")
    ours = booked.totals()
    differences: list[Difference] = []
    if items:
        for name in sorted(theirs.keys() | booked.amounts.keys()):
            one, other = booked.amounts.get(name), theirs.get(name)
            if one != other or name in booked.unbooked:
                differences.append(Difference(name, one, other))
    wanted = totals if totals is not None or items else DayTotals()
    matches = not differences and (wanted is None or wanted == ours)
    return Reconciled(matches, ours, tuple(differences))
