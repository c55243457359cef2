"""Report sales: which sums are read, for whom, and as which rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.kit.principal import NotAllowedError, Principal
from services.points.domain.sales import Sums, Turned, merged
from services.points.domain.sales_reports import (
    MOST_REGIONS,
    Dimension,
    Question,
    ReportTooLargeError,
    Row,
    Spans,
    check,
    check_rows,
    check_size,
    rows,
    spans,
)
from services.points.usecases.record_purchases import NoStoreError, Store

Groups = Mapping[tuple[str, ...], Sums]


class SalesSums(Protocol):
    """Where sums of sales are read."""

    async def generation(self, chain: str) -> int:
        """Return which counting of the chain's sales reports read."""

    async def sums(
        self, chain: str, generation: int, *, stores: Sequence[str], wanted: Spans, question: Question
    ) -> Groups:
        """Return the sums over `stores` by the question's dimensions, in their order, without its region."""

    async def turned(
        self, chain: str, generation: int, *, stores: Sequence[str], months: Sequence[str]
    ) -> Mapping[str, Turned]:
        """Return how many members bought in each of the months, and how many again, counted at these stores."""


class StoreList(Protocol):
    """The chain's stores."""

    async def every(self, chain: str) -> Sequence[Store]:
        """Return all of them."""


@dataclass(frozen=True, slots=True)
class SalesReport:
    """The rows, all of them together, and the currency of their amounts (empty: there are no stores)."""

    rows: Sequence[Row]
    total: Sums
    currency: str


@dataclass(frozen=True, slots=True)
class Insight:
    """What reports need from outside."""

    sums: SalesSums
    stores: StoreList


async def sales(question: Question, *, caller: Principal, insight: Insight) -> SalesReport:
    """Return the sums that are asked for."""
    check(question)
    known = await insight.stores.every(caller.chain)
    chosen = chosen_stores(known, question, caller)
    wanted = spans(question)
    check_size(question, stores=len(chosen), wanted=wanted)
    generation = await insight.sums.generation(caller.chain)
    found: dict[tuple[str, ...], Sums] = {}
    for region, stores in _parts(chosen, question):
        part = await insight.sums.sums(caller.chain, generation, stores=stores, wanted=wanted, question=question)
        found |= {_with_region(group, region, question): sums for group, sums in part.items()}
        check_rows(len(found))
    listed = rows(found)
    return SalesReport(listed, merged(row.sums for row in listed), known[0].currency if known else "")


def chosen_stores(known: Sequence[Store], question: Question, caller: Principal) -> list[Store]:
    """Return the stores that are asked for; a named one must exist, and the caller may see it."""
    by_id = {store.id: store for store in known}
    for id_ in sorted(question.stores):
        if id_ not in by_id:
            raise NoStoreError(field="storeIds", store=id_)
        if not caller.may_use_store(id_):
            raise NotAllowedError(field="storeIds", why="its key is for another store")
    return [
        store
        for store in known
        if caller.may_use_store(store.id)
        and (not question.stores or store.id in question.stores)
        and (not question.regions or store.region in question.regions)
    ]


async def guest_months(months: Sequence[str], *, caller: Principal, insight: Insight) -> list[tuple[str, Turned]]:
    """Return for each month how many members bought, and how many of them at least twice, in the whole chain."""
    if caller.stores:
        raise NotAllowedError(why="it is limited to some stores, and members are counted over the whole chain")
    known = await insight.stores.every(caller.chain)
    generation = await insight.sums.generation(caller.chain)
    found = await insight.sums.turned(caller.chain, generation, stores=[store.id for store in known], months=months)
    return [(month, found.get(month, Turned())) for month in months]


def _parts(chosen: Sequence[Store], question: Question) -> list[tuple[str, list[str]]]:
    """Return the stores to be summed together: by region where rows are told apart by it, since sums do not know it."""
    if Dimension.REGION not in question.by:
        return [("", [store.id for store in chosen])] if chosen else []
    by_region: dict[str, list[str]] = {}
    for store in chosen:
        by_region.setdefault(store.region, []).append(store.id)
    if len(by_region) > MOST_REGIONS:
        raise ReportTooLargeError(field="by", why=f"more than {MOST_REGIONS} regions: choose some of them")
    return sorted(by_region.items())


def _with_region(group: tuple[str, ...], region: str, question: Question) -> tuple[str, ...]:
    if Dimension.REGION not in question.by:
        return group
    place = question.by.index(Dimension.REGION)
    return (*group[:place], region, *group[place:])
