"""What happens in points by itself, as a sandbox's clock finds it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from services.kit.mongo.database import Database
from services.points.store.due_accounts import MongoDueAccounts
from services.points.store.reports import MongoJournalSums
from services.points.store.seals import MongoSeals
from services.points.usecases.dues import AccountsFallDue, DayEnds
from tests.contract.points.booked import CHAIN, KEY, Booker, booker_on, day

TICK = timedelta(milliseconds=1)


@pytest.fixture
async def booker(database: Database) -> AsyncIterator[Booker]:
    async with booker_on(database) as booker:
        yield booker


@pytest.fixture
def days(database: Database) -> DayEnds:
    return DayEnds(MongoSeals(database), MongoJournalSums(database), KEY)


@pytest.fixture
def accounts(database: Database) -> AccountsFallDue:
    return AccountsFallDue(MongoDueAccounts(database))


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


async def test_accounts_are_found_by_what_falls_due_next(booker: Booker, accounts: AccountsFallDue) -> None:
    await booker.book(booker.purchase("R1", at=day(0)))  # 100 until day 365
    assert await accounts.next_due(CHAIN, day(0)) == day(365)
    await booker.book(booker.hold("hld_1", 40, at=day(2), hours=24))
    assert await accounts.next_due(CHAIN, day(2)) == day(3)
    assert await accounts.next_due(CHAIN, day(3) - TICK) == day(3)
    assert await accounts.next_due(CHAIN, day(3)) is None  # the account says what is next when it is settled
    assert await accounts.next_due("chn_other", day(0)) is None
