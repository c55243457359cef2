"""What happens in points by itself, as a sandbox's clock finds it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from services.kit.ids import make_id
from services.kit.mongo.chain_clocks import MongoChainClocks
from services.kit.mongo.database import Database
from services.kit.outbox.outbox import OUTBOX, Outbox
from services.points.main import group_commit
from services.points.store.accounts import MongoAccounts
from services.points.store.collections import ENTRIES
from services.points.store.due_accounts import MongoDueAccounts
from services.points.store.reports import MongoJournalSums
from services.points.store.seals import MongoSeals
from services.points.usecases.dues import DayEnds
from services.points.usecases.settle_due import AT_ONCE, Settling
from tests.contract.points.booked import CHAIN, KEY, PROGRAMS, Booker, booker_on, day, verified
from tests.support.clock import FixedClock

TICK = timedelta(milliseconds=1)
EXPIRES = datetime(2027, 3, 1, tzinfo=UTC)


@pytest.fixture
async def booker(database: Database) -> AsyncIterator[Booker]:
    async with booker_on(database) as booker:
        yield booker


@pytest.fixture
def days(database: Database) -> DayEnds:
    return DayEnds(MongoSeals(database), MongoJournalSums(database), KEY)


@pytest.fixture
async def settling(database: Database, clock: FixedClock) -> AsyncIterator[Settling]:
    ledger = group_commit(database, Outbox(database), PROGRAMS)
    await ledger.start()
    clocks = MongoChainClocks(database, system=clock)
    yield Settling(MongoDueAccounts(database), ledger, make_id, Outbox(database), clocks)
    await ledger.stop()


def settled(day_of_march: int) -> datetime:
    """Return when the day before this one has settled."""
    return datetime(2026, 3, day_of_march, 0, 15, tzinfo=UTC)


async def test_a_day_ends_once_anything_is_booked(booker: Booker, days: DayEnds) -> None:
    assert await days.next_due(CHAIN, day(0)) is None
    await booker.book(booker.purchase("R1", at=day(0)))
    assert await days.next_due(CHAIN, day(0)) == settled(2)
    assert await days.next_due(CHAIN, settled(2) - TICK) == settled(2)
    assert await days.next_due(CHAIN, settled(2)) == settled(3)
    assert await days.next_due("chn_other", day(0)) is None


async def test_days_that_have_ended_are_summed_and_sealed_once(booker: Booker, days: DayEnds) -> None:
    await booker.book(booker.purchase("R1", at=day(0)))
    await days.run(CHAIN, settled(2) - TICK)
    assert await days.seals.newest(CHAIN, before=None, first=9) == []
    for _ in range(2):
        await days.run(CHAIN, settled(4))
    seals = await days.seals.newest(CHAIN, before=None, first=9)
    assert [(seal.day.day, seal.sealed_at, seal.postings) for seal in seals] == [
        (number, settled(4), 1) for number in (3, 2, 1)
    ]
    last = await days.sums.last_day(CHAIN)
    assert last is not None
    assert last.isoformat() == "2026-03-03"


async def test_what_is_due_is_booked_by_itself_and_told(booker: Booker, settling: Settling) -> None:
    await booker.book(booker.purchase("R1", at=day(0)), booker.purchase("R2", at=day(9), member="mem_bob"))
    assert await settling.next_due(CHAIN, day(0)) == EXPIRES
    await booker.book(booker.hold("hld_1", 40, at=day(2), hours=24))
    assert await settling.next_due(CHAIN, day(2)) == day(3)
    assert await settling.next_due("chn_other", day(0)) is None
    assert await settling.run(CHAIN, day(3) - TICK) == 0
    assert [await settling.run(CHAIN, day(3)) for _ in range(2)] == [1, 0]
    assert await settling.next_due(CHAIN, day(3)) == EXPIRES
    assert await settling.run("chn_other", day(900)) == 0
    assert [await settling.run(CHAIN, EXPIRES) for _ in range(2)] == [1, 0]
    accounts = await MongoAccounts(booker.database).accounts(CHAIN, ["mem_ada", "mem_bob"])
    assert [whole.account.balance("points").available for whole in accounts.values()] == [0, 100]
    journal = await MongoAccounts(booker.database).journals(CHAIN, ["mem_ada"], before=None, first=9)
    assert [(entry.kind.value, entry.occurred_at, entry.booked_by) for entry in journal["mem_ada"]][:2] == [
        ("expiry", EXPIRES, "program"),
        ("hold_expired", day(3), "program"),
    ]
    told = [row["type"] async for row in booker.database.collection(OUTBOX).find({"chain": CHAIN}).sort("sequence", 1)]
    assert told.count("huitou.events.v1.AccountPosted") == 3  # the hold, its end, the expiry
    assert await verified(booker.database) == []


async def test_many_accounts_are_settled_in_parts_by_two_replicas(booker: Booker, settling: Settling) -> None:
    members = [f"mem_{number:04}" for number in range(AT_ONCE + 30)]
    await booker.book(*(booker.purchase(f"R{one}", at=day(0), member=one) for one in members))
    settled_by = await asyncio.gather(*(settling.run(CHAIN, day(400)) for _ in range(2)))
    assert sum(settled_by) >= len(members)
    entries = booker.database.collection(ENTRIES)
    assert await entries.count_documents({"chain": CHAIN, "kind": "expiry"}) == len(members)
    assert await settling.run(CHAIN, day(400)) == 0
