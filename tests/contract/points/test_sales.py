"""Sums of sales: exact, bounded, apart by chain; and the same when counted again from receipts."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from services.kit.errors import Problem
from services.kit.mongo.database import Database
from services.kit.principal import Caller, Principal
from services.points.domain.purchases import Channel, Line
from services.points.domain.refunds import RefundLine
from services.points.domain.sales import OTHER_ITEMS
from services.points.store import sales as sales_store
from services.points.store import sales_reports
from services.points.store.collections import GUEST_MONTHS, ITEM_SALES, SALES, SALES_NEWS
from services.points.store.sales import MongoSalesRoll
from services.points.store.sales_rebuilds import MongoRebuilds
from services.points.usecases.rebuild_sales import AHEAD, SETTLED, Progress, rebuild_sales
from services.points.usecases.sales_reports import guest_months
from tests.contract.points.booked import CHAIN, Booker, booker_on, day
from tests.contract.points.selling import STAFF, Seller, anything, kept, shuffled, turned

LINES = (
    Line("noodles", 2, 4_000, discount_minor=500, category="mains", cost_minor=1_200),
    Line("tea", 1, 800, category="drinks"),
)


@pytest.fixture
async def seller(database: Database) -> AsyncIterator[Seller]:
    async with booker_on(database) as booker:
        seller = Seller(booker)
        await seller.open_stores()
        yield seller


async def test_what_was_sold_by_everything(seller: Seller) -> None:
    await seller.sell(
        seller.purchase("R1", at=day(0), lines=LINES, channel=Channel.DINE_IN, party_size=4),
        seller.purchase("R2", at=day(0), member="mem_bob", channel=Channel.TAKEAWAY),
        seller.purchase("R3", at=day(1), store="sto_2", member="mem_bob"),
    )
    show = ("receipts", "covers", "items", "paid_minor")
    assert await seller.rows(show=show) == {(): (3, 6, 5, 6_300)}
    assert await seller.rows("store", show=show) == {("sto_1",): (2, 5, 4, 5_300), ("sto_2",): (1, 1, 1, 1_000)}
    assert await seller.rows("region", show=show) == {("east",): (2, 5, 4, 5_300), ("west",): (1, 1, 1, 1_000)}
    assert await seller.rows("channel", show=show) == {
        ("",): (1, 1, 1, 1_000),
        ("dine_in",): (1, 4, 3, 4_300),
        ("takeaway",): (1, 1, 1, 1_000),
    }
    assert await seller.rows("weekday", "hour", show=show) == {
        ("6", "12"): (2, 5, 4, 5_300),  # Sunday, noon in Shanghai
        ("0", "12"): (1, 1, 1, 1_000),
    }
    assert await seller.rows("day", "store", show=show) == {
        ("2026-03-01", "sto_1"): (2, 5, 4, 5_300),
        ("2026-03-02", "sto_2"): (1, 1, 1, 1_000),
    }
    assert await seller.rows("month", "region", show=show) == {
        ("2026-03", "east"): (2, 5, 4, 5_300),
        ("2026-03", "west"): (1, 1, 1, 1_000),
    }
    assert await seller.rows("item", show=show) == {("noodles",): (3, 0, 4, 5_500), ("tea",): (1, 0, 1, 800)}
    assert await seller.rows("category", "weekday", show=show) == {
        ("drinks", "6"): (1, 0, 1, 800),
        ("mains", "0"): (1, 0, 1, 1_000),
        ("mains", "6"): (2, 0, 3, 4_500),
    }


async def test_only_what_is_asked_for(seller: Seller) -> None:
    await seller.sell(
        seller.purchase("R1", at=day(0), lines=LINES, channel=Channel.DINE_IN),
        seller.purchase("R2", at=day(1), store="sto_2", channel=Channel.TAKEAWAY),
        seller.purchase("R3", at=day(40), store="sto_3"),
    )
    show = ("receipts", "paid_minor")
    assert await seller.rows(show=show, stores=frozenset({"sto_1"})) == {(): (1, 4_300)}
    assert await seller.rows(show=show, regions=frozenset({"east"})) == {(): (2, 5_300)}
    assert await seller.rows(show=show, channels=frozenset({"takeaway", "dine_in"})) == {(): (2, 5_300)}
    assert await seller.rows("item", show=show, items=frozenset({"tea"})) == {("tea",): (1, 800)}
    assert await seller.rows(show=show, categories=frozenset({"mains"})) == {(): (3, 5_500)}
    first = date(2026, 3, 1)
    assert await seller.rows(show=show, since=first, until=first) == {(): (1, 4_300)}
    assert await seller.rows(show=show, since=first, until=date(2026, 3, 31)) == {(): (2, 5_300)}  # the month's sums
    assert await seller.rows(show=show, since=date(2026, 2, 28), until=date(2026, 4, 10)) == {(): (3, 6_300)}


async def test_a_refund_counts_on_its_own_day_and_leaves_the_sale(seller: Seller) -> None:
    await seller.sell(seller.purchase("R1", at=day(0), lines=LINES))
    await seller.sell(
        seller.refund("C1", "R1", RefundLine(1, 1, 1_700), at=day(3), store="sto_2", receipt_store="sto_1")
    )
    show = ("receipts", "paid_minor", "refunds", "refunded_items", "refunded_minor", "net_minor", "gross_profit_minor")
    assert await seller.rows("day", "store", show=show) == {
        ("2026-03-01", "sto_1"): (1, 4_300, 0, 0, 0, 4_300, 2_300),
        ("2026-03-04", "sto_2"): (0, 0, 1, 1, 1_700, -1_700, None),
    }
    assert await seller.rows("item", show=show) == {
        ("noodles",): (1, 3_500, 1, 1, 1_700, 1_800, 600),
        ("tea",): (1, 800, 0, 0, 0, 800, None),
    }
    total = (await seller.report()).total
    assert (total.gross_profit_minor, total.average_ticket_minor) == (600, 4_300)


async def test_who_came_again(seller: Seller) -> None:
    await seller.booker.book(
        seller.purchase("R1", at=day(0)), seller.purchase("R2", at=day(2)), seller.purchase("R3", at=day(40)),
        seller.purchase("R4", at=day(3), member="mem_bob"),
    )  # fmt: skip
    await seller.hear(await seller.told())
    months = await guest_months(["2026-02", "2026-03", "2026-04"], caller=STAFF, insight=seller.insight)
    assert [(month, one.guests, one.repeaters, one.repeat_rate) for month, one in months] == [
        ("2026-02", 0, 0, None),
        ("2026-03", 2, 1, 0.5),
        ("2026-04", 1, 0, 0.0),
    ]


async def test_a_key_for_some_stores_hears_of_these_only(seller: Seller) -> None:
    await seller.sell(seller.purchase("R1"), seller.purchase("R2", store="sto_2"))
    limited = Principal(CHAIN, Caller.STAFF, "sta_2", stores=frozenset({"sto_2"}))
    assert await seller.rows("store", show=("receipts",), caller=limited) == {("sto_2",): (1,)}
    with pytest.raises(Problem) as refused:
        await seller.report(caller=limited, stores=frozenset({"sto_1"}))
    assert refused.value.code == "DENIED"
    with pytest.raises(Problem) as refused:
        await guest_months(["2026-03"], caller=limited, insight=seller.insight)
    assert refused.value.code == "DENIED"
    with pytest.raises(Problem) as refused:
        await seller.report(stores=frozenset({"sto_9"}))
    assert refused.value.code == "STORE_NOT_FOUND"


async def test_another_chain_has_sums_of_its_own(seller: Seller) -> None:
    other = Seller(Booker(seller.database, chain="chn_2"))
    await other.open_stores("chn_2")
    await seller.sell(seller.purchase("R1"))
    await other.sell(other.purchase("R1"), other.purchase("R2"))
    stranger = replace(STAFF, chain="chn_2")
    assert await seller.rows(show=("receipts",)) == {(): (1,)}
    assert await seller.rows(show=("receipts",), caller=stranger) == {(): (2,)}
    months = await guest_months(["2026-03"], caller=stranger, insight=seller.insight)
    assert [(one.guests, one.repeaters) for _, one in months] == [(1, 1)]


async def test_items_without_end_are_counted_as_others(seller: Seller, monkeypatch: pytest.MonkeyPatch) -> None:
    await seller.sell(seller.purchase("R1", lines=(Line("noodles", 1, 100), Line("tea", 1, 200))))
    monkeypatch.setattr(sales_store, "FULL_BYTES", 1)
    await seller.sell(seller.purchase("R2", lines=(Line("tea", 1, 200), Line("x1", 1, 300), Line("x2", 1, 400))))
    assert await seller.rows("item", show=("receipts", "paid_minor")) == {
        ("noodles",): (1, 100),
        ("tea",): (2, 400),
        (OTHER_ITEMS,): (2, 700),
    }


async def test_a_report_that_takes_too_long_is_refused(seller: Seller, monkeypatch: pytest.MonkeyPatch) -> None:
    await seller.sell(seller.purchase("R1"))
    monkeypatch.setattr(sales_reports, "QUERY_S", 1e-9)
    with pytest.raises(Problem) as refused:
        await seller.report("store")
    assert refused.value.code == "REPORT_TOO_LARGE"


NOW = datetime(2026, 6, 1, tzinfo=UTC)
CONTROL = 99
"""A counting of events alone."""


async def rebuilt(seller: Seller, *, now: datetime) -> list[Progress]:
    steps = rebuild_sales(CHAIN, now=now, rebuilds=MongoRebuilds(seller.database))
    return [step async for step in steps]


@pytest.mark.parametrize("seed", range(4))
async def test_counted_again_from_receipts_is_the_same(seller: Seller, seed: int) -> None:
    """Whatever happened, and whenever its events come: before, while or after it is counted again."""
    dice = random.Random(seed)  # noqa: S311 - the same each time is what is wanted
    commands = anything(dice, seller, count=50)
    cut = NOW + AHEAD
    for number, command in enumerate(commands):
        # The last third is booked after the cut.
        booked_at = cut + timedelta(seconds=number - 2 * len(commands) // 3)
        await seller.booker.book(replace(command, author=replace(command.author, booked_at=booked_at)))
    events = await seller.told()
    for batch in shuffled(dice, events):
        await seller.hear_as(CONTROL, batch)
    # What is booked after the cut cannot be told before the cut was made.
    before = [event for event in events if event.at < cut and dice.random() < 0.5]
    later = shuffled(dice, [event for event in events if event not in before])
    for batch in shuffled(dice, before):
        await seller.hear(batch)
    assert await rebuilt(seller, now=NOW) == [Progress(0, begins_at=cut + SETTLED)]
    for batch in later[: len(later) // 3]:
        await seller.hear(batch)
    await stopped_early(seller, now=cut + SETTLED)
    for batch in later[len(later) // 3 : 2 * len(later) // 3]:
        await seller.hear(batch)
    assert (await rebuilt(seller, now=cut + SETTLED))[-1].done
    for batch in later[2 * len(later) // 3 :]:
        await seller.hear(batch)
    for keyed in (SALES, ITEM_SALES, GUEST_MONTHS):
        assert await kept(seller.database, keyed, generation=0) == []
        counted = await kept(seller.database, keyed, generation=1)
        assert counted
        assert counted == await kept(seller.database, keyed, generation=CONTROL)
    assert await turned(seller, generation=1) == await turned(seller, generation=CONTROL)
    assert await seller.insight.sums.generation(CHAIN) == 1


async def stopped_early(seller: Seller, *, now: datetime) -> None:
    steps = rebuild_sales(CHAIN, now=now, rebuilds=MongoRebuilds(seller.database))
    async with aclosing(steps):
        async for step in steps:
            assert not step.done
            return


async def test_a_rebuild_can_be_done_again(seller: Seller) -> None:
    await seller.sell(seller.purchase("R1"), seller.purchase("R2", store="sto_2"))
    before = await seller.rows("store", "item", show=("receipts", "paid_minor"))
    for number in range(2):
        now = NOW + timedelta(days=number)
        await rebuilt(seller, now=now)
        assert await MongoRebuilds(seller.database).count(CHAIN) is not None
        assert await seller.rows("store", "item", show=("receipts", "paid_minor")) == before  # not two of each
        steps = await rebuilt(seller, now=now + AHEAD + SETTLED)
        assert (set(steps[:-1]), steps[-1]) == ({Progress(2)}, Progress(2, done=True))
        assert await seller.rows("store", "item", show=("receipts", "paid_minor")) == before
    assert await seller.insight.sums.generation(CHAIN) == 2


async def test_several_at_once_lose_nothing_and_add_nothing_twice(seller: Seller) -> None:
    await seller.booker.book(*[seller.purchase(f"R{number}", member=f"mem_{number}") for number in range(12)])
    events = await seller.told()
    await asyncio.gather(*[seller.note(events[start : start + 3]) for start in range(0, 12, 3)])
    assert await seller.rows(show=("receipts",)) == {}
    await asyncio.gather(*[MongoSalesRoll(seller.database).add_some(CHAIN) for _ in range(3)])
    assert await seller.database.collection(SALES_NEWS).count_documents({"chain": CHAIN}) == 0
    assert await seller.rows(show=("receipts", "paid_minor")) == {(): (12, 12_000)}
