"""What stores ask of their receipts: how a day compares, which refunds wait, and single receipts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.kit.principal import Caller, Principal
from services.points.domain.receipts import Receipt
from services.points.domain.reconciling import BookedDay, DayTotals, ItemName, Reconciled, day_bounds, reconcile
from services.points.domain.refunds import BookedRefund
from services.points.usecases.read_accounts import page_size
from services.points.usecases.record_purchases import Stores, TooManyError, known_store

MAX_RECEIPTS = 500


@dataclass(frozen=True, slots=True)
class RefundMark:
    """After which of the waiting refunds a page begins: they are in the order of their arrival, then of their keys."""

    booked_at: datetime
    key: str


class Receipts(Protocol):
    """Where receipts and refunds are read."""

    async def receipts(self, chain: str, keys: Sequence[str]) -> Mapping[str, Receipt]:
        """Return those that exist, by key."""

    async def owners(self, chain: str, accounts: Sequence[str]) -> Mapping[str, str]:
        """Return which account each of these is now: itself, or the one that took it over."""

    async def day(self, chain: str, store: str, *, since: datetime, until: datetime) -> BookedDay:
        """Return what occurred in the store in [since, until)."""

    async def waiting(
        self,
        chain: str,
        *,
        stores: frozenset[str],
        received_before: datetime | None,
        after: RefundMark | None,
        first: int,
    ) -> Sequence[BookedRefund]:
        """Return up to `first` refunds that wait, in `stores` (none: in all), the oldest first."""


async def reconcile_day(
    store: str,
    day: str,
    *,
    totals: DayTotals | None,
    items: Sequence[tuple[ItemName, int]],
    caller: Principal,
    stores: Stores,
    receipts: Receipts,
) -> Reconciled:
    """Compare a store's own day with what was booked."""
    known = known_store(store, await stores.stores(caller.chain, frozenset({store})), caller)
    since, until = day_bounds(day, known.time_zone)
    booked = await receipts.day(caller.chain, store, since=since, until=until)
    return reconcile(booked, totals, items)


async def waiting_refunds(
    *, received_before: datetime | None, after: RefundMark | None, first: int, caller: Principal, receipts: Receipts
) -> tuple[Sequence[BookedRefund], RefundMark | None]:
    """Return a page of refunds whose receipt has not come, and after which to go on, None at the end."""
    first = page_size(first)
    found = await receipts.waiting(
        caller.chain, stores=caller.stores, received_before=received_before, after=after, first=first + 1
    )
    page = found[:first]
    last = page[-1] if len(found) > first else None
    return page, None if last is None else RefundMark(last.booked_at, last.refund.key)


async def get_receipts(names: Sequence[tuple[str, str]], *, caller: Principal, receipts: Receipts) -> list[Receipt]:
    """Return the receipts of these stores and numbers in order; empty where there is none, or not for this caller."""
    if len(names) > MAX_RECEIPTS:
        raise TooManyError(field="receipts", count=len(names), what="receipts", most=MAX_RECEIPTS)
    keys = [f"{store}/{number}" if caller.may_use_store(store) else "" for store, number in names]
    found = dict(await receipts.receipts(caller.chain, [key for key in keys if key]))
    if caller.kind is Caller.MEMBER:
        members = {key: one.booked.purchase.member for key, one in found.items() if one.booked is not None}
        owners = await receipts.owners(caller.chain, sorted(set(members.values())))
        found = {key: found[key] for key, member in members.items() if owners.get(member, member) == caller.id}
    return [found.get(key, Receipt()) for key in keys]
