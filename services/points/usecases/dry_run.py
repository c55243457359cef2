"""Try a draft on the receipts of a month that is over."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from services.kit.errors import Kind, Problem
from services.points.domain.calendar import add_months, begins
from services.points.domain.dry_runs import DryRun
from services.points.domain.items import Item
from services.points.domain.program_versions import DraftHead
from services.points.domain.receipts import BookedPurchase
from services.points.usecases.program_desk import ProgramStore, draft_named
from services.points.usecases.record_purchases import Items


class InvalidMonthError(Problem):
    """A month is written like 2026-03, and must be over in the chain's time zone."""

    kind = Kind.INVALID
    code = "INVALID_MONTH"


class PastReceipts(Protocol):
    """Where a chain's receipts are read."""

    async def count(self, chain: str, *, since: datetime, until: datetime) -> int:
        """Return how many occurred in [since, until)."""

    def occurred(
        self, chain: str, *, since: datetime, until: datetime, by_member: bool
    ) -> AsyncGenerator[Sequence[BookedPurchase], None]:
        """Yield those that occurred in [since, until); `by_member`: each member's together, in the order of time."""


@dataclass(frozen=True, slots=True)
class DryRunDesk:
    """What a dry run needs from outside."""

    store: ProgramStore
    receipts: PastReceipts
    items: Items


@dataclass(frozen=True, slots=True)
class DryRunProgress:
    """How far it is."""

    month: str
    draft: DraftHead
    run: DryRun  # its sums so far
    in_all: int
    done: bool = False


async def dry_run(
    name: str, month: str, *, chain: str, now: datetime, desk: DryRunDesk
) -> AsyncGenerator[DryRunProgress, None]:
    """Yield the progress after every few hundred receipts, and the whole sums last."""
    draft = await draft_named(name, chain=chain, store=desk.store)
    programs = await desk.store.now(chain)
    first = _first_day(month)
    since, until = begins(first, programs.zone), begins(add_months(first, 1), programs.zone)
    if until > now:
        raise InvalidMonthError(field="month")
    in_all = await desk.receipts.count(chain, since=since, until=until)
    run = DryRun(draft.program, programs)
    by_member = draft.program.earning.has_caps
    async with aclosing(desk.receipts.occurred(chain, since=since, until=until, by_member=by_member)) as chunks:
        async for chunk in chunks:
            items = await _items(chain, chunk, run, desk)
            for booked in chunk:
                run.take(booked, items)
            yield DryRunProgress(month, draft.head, run, max(in_all, run.receipts))
            await asyncio.sleep(0)  # a chunk is work for the processor: others are let in between
    yield DryRunProgress(month, draft.head, run, run.receipts, done=True)


async def _items(chain: str, chunk: Sequence[BookedPurchase], run: DryRun, desk: DryRunDesk) -> Mapping[str, Item]:
    lines = [line for booked in chunk if run.needs_items_of(booked) for line in booked.purchase.lines]
    codes = frozenset(line.item_code for line in lines if line.item_code)
    return await desk.items.items(chain, codes) if codes else {}


def _first_day(month: str) -> date:
    try:
        first = date.fromisoformat(f"{month}-01")
    except ValueError:
        raise InvalidMonthError(field="month") from None
    if f"{first:%Y-%m}" != month or first.year < date.min.year + 1 or first.year >= date.max.year:
        raise InvalidMonthError(field="month")
    return first
