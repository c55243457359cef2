import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

import pytest

from services.kit.errors import Kind, Problem
from services.kit.mongo.chain_clocks import CLOCKS, LONGEST_MOVE, MongoChainClocks, Standing
from services.kit.mongo.database import Database
from tests.support.clock import START, FixedClock

DAY = timedelta(days=1)


@pytest.fixture
def clocks(database: Database, clock: FixedClock) -> MongoChainClocks:
    return MongoChainClocks(database, system=clock)


async def refusal(call: Callable[[], Awaitable[object]], database: Database) -> Problem:
    """Return why `call` was refused; it must have changed nothing."""
    before = await database.collection(CLOCKS).find({}).to_list(10)
    with pytest.raises(Problem) as refused:
        await call()
    assert await database.collection(CLOCKS).find({}).to_list(10) == before
    return refused.value


async def test_a_real_chains_clock_is_the_systems_and_asks_nobody(clock: FixedClock) -> None:
    nowhere = Database.connect("mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=1", name="nowhere")
    clocks = MongoChainClocks(nowhere, system=clock)
    assert [await clocks.now(chain) for chain in ("chn_1", "", "sbxchn_1")] == [START] * 3
    assert await clocks.each(["chn_1", "chn_2"]) == {"chn_1": START, "chn_2": START}
    await nowhere.close()


async def test_a_sandbox_that_was_never_moved_goes_with_the_system(clocks: MongoChainClocks, clock: FixedClock) -> None:
    assert await clocks.standing("sbx_1") == Standing(START, stands=False)
    clock.move(DAY)
    assert await clocks.now("sbx_1") == START + DAY


async def test_one_that_was_moved_stands_there_for_all_replicas(
    database: Database, clocks: MongoChainClocks, clock: FixedClock
) -> None:
    replica = MongoChainClocks(database, system=FixedClock(START - DAY))
    assert await clocks.move("sbx_1", START + 3 * DAY + timedelta(microseconds=1_999)) == (
        START + 3 * DAY + timedelta(milliseconds=1)
    )
    assert await clocks.move("sbx_1", START + 5 * DAY) == START + 5 * DAY
    clock.move(100 * DAY)
    for each in (clocks, replica):
        assert await each.standing("sbx_1") == Standing(START + 5 * DAY, stands=True)
    assert await clocks.each(["chn_1", "sbx_1", "sbx_2"]) == {
        "chn_1": START + 100 * DAY,
        "sbx_1": START + 5 * DAY,
        "sbx_2": START + 100 * DAY,
    }


async def test_it_never_goes_back(database: Database, clocks: MongoChainClocks) -> None:
    early = await refusal(lambda: clocks.move("sbx_1", START - timedelta(milliseconds=1)), database)
    assert (early.kind, early.code, early.field) == (Kind.REFUSED, "CLOCK_GOES_BACK", "moment")
    await clocks.move("sbx_1", START + DAY)
    back = await refusal(lambda: clocks.move("sbx_1", START + DAY - timedelta(milliseconds=1)), database)
    assert back.code == "CLOCK_GOES_BACK"
    assert "stands at 2026-03-02T04:00:00+00:00" in back.message
    assert await clocks.move("sbx_1", START + DAY) == START + DAY


async def test_only_sandboxes_are_moved_and_only_so_far(database: Database, clocks: MongoChainClocks) -> None:
    for chain in ("chn_1", ""):
        assert (await refusal(partial(clocks.move, chain, START), database)).code == "NOT_A_SANDBOX"
    too_long = START + LONGEST_MOVE + timedelta(milliseconds=1)
    assert (await refusal(lambda: clocks.move("sbx_1", too_long), database)).code == "MOVE_TOO_LONG"
    assert await clocks.move("sbx_1", START + LONGEST_MOVE) == START + LONGEST_MOVE


async def test_of_many_who_move_it_at_once_the_furthest_wins(database: Database, clocks: MongoChainClocks) -> None:
    replica = MongoChainClocks(database, system=FixedClock())
    days = [3, 1, 4, 15, 9, 2, 6, 5, 35, 8]
    moves = [(clocks if number % 2 else replica).move("sbx_1", START + day * DAY) for number, day in enumerate(days)]
    ended = await asyncio.gather(*moves, return_exceptions=True)
    assert await clocks.now("sbx_1") == START + 35 * DAY
    assert ended[8] == START + 35 * DAY
    for day, end in zip(days, ended, strict=True):
        assert end == START + day * DAY or (isinstance(end, Problem) and end.code == "CLOCK_GOES_BACK")
