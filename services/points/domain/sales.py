"""Sales as reports count them: additive sums by local hour, channel, item and store, from purchases and refunds.

All amounts are minor units of the chain's currency. A purchase counts on the day and at the hour at which the guest
paid, a refund on its own: what was sold and what came back stay apart, so that no day that is over changes its sales.
Both by the clock of the receipt's store.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

K = TypeVar("K")

SECOND = 2

OTHER_ITEMS = "…"
"""Under which a store's sums count the items that are too many for them."""


@dataclass(frozen=True, slots=True)
class Sums:
    """What adds up. Refunds are no part of what was sold; they have fields of their own."""

    receipts: int = 0  # for an item: those that it stands on
    covers: int = 0  # guests: the party's size, 1 where it is not known; for an item 0
    items: int = 0  # pieces
    paid_minor: int = 0  # after discounts
    discount_minor: int = 0
    costed_minor: int = 0  # paid for lines whose cost is known
    cost_minor: int = 0  # theirs
    known_receipts: int = 0  # those of which it is known whether the guest had been there before
    known_minor: int = 0
    returning_receipts: int = 0  # of these, the ones whose guest had
    returning_minor: int = 0
    refunds: int = 0
    refunded_items: int = 0
    refunded_minor: int = 0
    refunded_costed_minor: int = 0  # of lines whose cost is known

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(*(getattr(self, name) + getattr(other, name) for name in FIELDS))

    @property
    def net_minor(self) -> int:
        """Paid less refunded."""
        return self.paid_minor - self.refunded_minor

    @property
    def gross_profit_minor(self) -> int | None:
        """What lines with a known cost brought beyond it, less their refunds; None where no cost is known.

        Costs of what came back stay: the dish is gone, and a shop that sells a thing again books it as a sale.
        """
        return self.costed_minor - self.refunded_costed_minor - self.cost_minor if self.costed_minor else None

    @property
    def average_ticket_minor(self) -> int | None:
        """Paid for one receipt on average, half a unit rounded up; None without receipts."""
        return (2 * self.paid_minor + self.receipts) // (2 * self.receipts) if self.receipts else None

    @property
    def returning_share_of_visits(self) -> float | None:
        """Of the receipts of which it is known, those of guests who had been there before; None where none is known."""
        return self.returning_receipts / self.known_receipts if self.known_receipts else None

    @property
    def returning_share_of_sales(self) -> float | None:
        """The same of what was paid."""
        return self.returning_minor / self.known_minor if self.known_minor else None


FIELDS = tuple(each.name for each in fields(Sums))
NOTHING = Sums()


class Cell(NamedTuple):
    """Within a day or a month: what happened on this weekday (Monday is 0), in this local hour, over this channel."""

    weekday: int
    hour: int
    channel: str  # as in `Channel`, empty: not known


class Item(NamedTuple):
    """An item with the category that its line named."""

    code: str
    category: str


@dataclass(frozen=True, slots=True)
class SoldLine:
    """A line of a receipt, or what came back of one; amounts for the whole line. `cost_minor` 0: not known."""

    item: Item
    quantity: int
    paid_minor: int
    discount_minor: int = 0
    cost_minor: int = 0


@dataclass(frozen=True, slots=True)
class Sale:
    """A purchase, as far as sums need it. `visit`: the member's how manieth it is, from 1; 0: not known."""

    store: str
    member: str
    at: datetime
    booked_at: datetime
    time_zone: str
    channel: str
    lines: tuple[SoldLine, ...]
    party_size: int = 0
    visit: int = 0


@dataclass(frozen=True, slots=True)
class Return:
    """A refund, as far as sums need it. `booked_at`: since when both it and its purchase are in the ledger."""

    store: str
    at: datetime
    booked_at: datetime
    time_zone: str
    channel: str
    lines: tuple[SoldLine, ...]  # `paid_minor`: what was given back; `cost_minor`: of the whole line of the receipt


Sold = Sale | Return


class Place(NamedTuple):
    """One set of sums: a store's day ("2026-03-01") or month ("2026-03"), in the store's zone."""

    store: str
    span: str


class GuestMonth(NamedTuple):
    """A member in one month of the stores' calendar."""

    member: str
    month: str


@dataclass(slots=True)
class Additions:
    """What a batch adds to the sums of one chain."""

    cells: dict[Place, dict[Cell, Sums]] = field(default_factory=dict)
    items: dict[Place, dict[Item, Sums]] = field(default_factory=dict)
    guests: dict[GuestMonth, list[str]] = field(default_factory=dict)  # the store of each purchase

    def add(self, sold: Sold) -> None:
        """Take in a purchase or a refund."""
        local = local_time(sold.at, sold.time_zone)
        day = local.date().isoformat()
        cell = Cell(local.weekday(), local.hour, sold.channel)
        sums = _of_sale(sold) if isinstance(sold, Sale) else _of_return(sold)
        by_item = list(_by_item(sold))
        for place in (Place(sold.store, day), Place(sold.store, day[:7])):
            _add(self.cells.setdefault(place, {}), cell, sums)
            kept = self.items.setdefault(place, {})
            for item, each in by_item:
                _add(kept, item, each)
        if isinstance(sold, Sale):
            self.guests.setdefault(GuestMonth(sold.member, day[:7]), []).append(sold.store)


def local_time(at: datetime, time_zone: str) -> datetime:
    """Return the moment by the clock of the zone, by UTC where there is no such zone or no such time in it."""
    try:
        return at.astimezone(ZoneInfo(time_zone))
    except (ZoneInfoNotFoundError, ValueError, OSError, OverflowError):
        return at


def merged(sums: Iterable[Sums]) -> Sums:
    """Return all of them together."""
    total = NOTHING
    for each in sums:
        total += each
    return total


def _add(kept: dict[K, Sums], key: K, sums: Sums) -> None:
    kept[key] = kept.get(key, NOTHING) + sums


def _of_sale(sale: Sale) -> Sums:
    lines = merged(_of_line(line) for line in sale.lines)
    paid, known, returning = lines.paid_minor, sale.visit > 0, sale.visit > 1
    return replace(
        lines,
        receipts=1,
        covers=sale.party_size or 1,
        known_receipts=int(known),
        known_minor=paid if known else 0,
        returning_receipts=int(returning),
        returning_minor=paid if returning else 0,
    )


def _of_return(back: Return) -> Sums:
    return replace(merged(_of_returned(line) for line in back.lines), refunds=1)


def _by_item(sold: Sold) -> Iterator[tuple[Item, Sums]]:
    """Yield each item that the receipt or refund names, once, with its sums."""
    by_item: dict[Item, list[SoldLine]] = {}
    for line in sold.lines:
        by_item.setdefault(line.item, []).append(line)
    for item, lines in by_item.items():
        if isinstance(sold, Sale):
            yield item, replace(_of_sale(replace(sold, lines=tuple(lines))), covers=0)
        else:
            yield item, _of_return(replace(sold, lines=tuple(lines)))


def _of_line(line: SoldLine) -> Sums:
    return Sums(
        items=line.quantity,
        paid_minor=line.paid_minor,
        discount_minor=line.discount_minor,
        costed_minor=line.paid_minor if line.cost_minor else 0,
        cost_minor=line.cost_minor,
    )


def _of_returned(line: SoldLine) -> Sums:
    return Sums(
        refunded_items=line.quantity,
        refunded_minor=line.paid_minor,
        refunded_costed_minor=line.paid_minor if line.cost_minor else 0,
    )


def within_bound(additions: Mapping[Item, Sums], known: Collection[Item]) -> dict[Item, Sums]:
    """Return what may be added to sums that have as many items as they can: new items together, as one other."""
    kept: dict[Item, Sums] = {}
    for item, sums in additions.items():
        _add(kept, item if item in known else Item(OTHER_ITEMS, ""), sums)
    return kept


@dataclass(frozen=True, slots=True)
class Turned:
    """In a month and a store: members who bought for the first time in that month, and for the second."""

    guests: int = 0
    repeaters: int = 0

    def __add__(self, other: "Turned") -> "Turned":
        return Turned(self.guests + other.guests, self.repeaters + other.repeaters)

    @property
    def repeat_rate(self) -> float | None:
        """Members with two purchases or more, of those with any; None without any."""
        return self.repeaters / self.guests if self.guests else None


def turned(guests: Mapping[GuestMonth, list[str]], before: Mapping[GuestMonth, int]) -> dict[Place, Turned]:
    """Return who became a guest, or a repeater, of a month; `before`: how often each had bought in it."""
    found: dict[Place, Turned] = {}
    for guest, stores in guests.items():
        for number, store in enumerate(stores, start=before.get(guest, 0) + 1):
            if number <= SECOND:
                place = Place(store, guest.month)
                found[place] = found.get(place, Turned()) + Turned(int(number == 1), int(number == SECOND))
    return found
