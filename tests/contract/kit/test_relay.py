import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import NoReturn

import pytest
from pymongo.errors import OperationFailure

from services.kit.mongo.collections import Document, Keyed
from services.kit.mongo.database import Database
from services.kit.mongo.drivers import Pipeline
from services.kit.outbox.events import Event
from services.kit.outbox.outbox import OUTBOX, Outbox, partition_of
from services.kit.outbox.relay import Relay
from tests.support.clock import FixedClock
from tests.support.eventually import eventually
from tests.support.outbox import Received, Writer, left

NEVER_S = 3_600.0
"""A sweep that does not come within the test: what is published is published because of a wake."""


@pytest.fixture
def outbox(database: Database) -> Outbox:
    return Outbox(database)


@pytest.fixture
async def writer(database: Database, outbox: Outbox, clock: FixedClock) -> Writer:
    writer = Writer(database, outbox, clock)
    await writer.set_up()
    return writer


@pytest.fixture
def received() -> Received:
    return Received()


StartRelay = Callable[..., Awaitable[Relay]]


@pytest.fixture
async def start(database: Database, outbox: Outbox, received: Received) -> AsyncIterator[StartRelay]:
    """Yield what starts a relay; each is stopped at the end."""
    started: list[Relay] = []

    async def start(
        owner: str = "one", *, ttl_ms: int = 3_000, sweep_s: float = NEVER_S, publisher: Received = received
    ) -> Relay:
        relay = Relay(outbox, database, publisher, owner=owner, ttl_ms=ttl_ms, sweep_s=sweep_s)
        await relay.start()
        started.append(relay)
        return relay

    yield start
    for relay in started:
        await relay.stop(flush_s=0.1)


def partitions(relay: Relay) -> set[int]:
    return set(relay._shares.serving)


async def kill(relay: Relay) -> None:
    """End the relay as a crash does: nothing is finished, nothing given back."""
    tasks = [*relay._tasks, *(serving._task for serving in relay._shares.serving.values())]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    relay._shares.serving.clear()
    relay._shares._presence = None


async def until_empty(database: Database, *chains: str) -> None:
    async def empty() -> bool:
        return await left(database, *chains) == 0

    await eventually(empty, within_s=30)


async def test_what_lay_there_is_published_in_order_and_deleted(
    database: Database, writer: Writer, received: Received, start: StartRelay
) -> None:
    for _ in range(3):
        await writer.happen("a1", "a2")
    await writer.happen("a1", chain="d")
    await start()
    await until_empty(database, "c", "d")
    assert received.counts() == {("c", "a1"): 3, ("c", "a2"): 3, ("d", "a1"): 1}
    assert len(received) == 7


async def test_a_new_event_wakes_the_relay(
    database: Database, writer: Writer, received: Received, start: StartRelay
) -> None:
    relay = await start()
    await eventually(lambda: len(partitions(relay)) == 8)
    await writer.happen("a1")
    await until_empty(database)
    for _ in range(3):
        await writer.happen("a1", "a2", "a3")
    await writer.happen("a1", chain="new")
    await until_empty(database, "c", "new")
    assert received.counts() == {("c", "a1"): 4, ("c", "a2"): 3, ("c", "a3"): 3, ("new", "a1"): 1}
    assert len(received) == 11


async def test_more_than_fits_into_one_batch_is_published_to_the_end(
    database: Database, writer: Writer, received: Received, start: StartRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.kit.outbox.serving.AT_ONCE", 3)
    await asyncio.gather(*(writer.happen(f"a{number}") for number in range(30)))
    await writer.happen(*(f"a{number}" for number in range(30)))
    await start()
    await until_empty(database)
    assert received.counts() == {("c", f"a{number}"): 2 for number in range(30)}
    assert len(received) == 60


async def test_a_broker_that_fails_loses_and_reorders_nothing(
    database: Database, writer: Writer, received: Received, start: StartRelay
) -> None:
    for _ in range(4):
        await writer.happen("a1")
    received.failures = 3
    await start()
    await until_empty(database)
    assert received.counts() == {("c", "a1"): 4}
    assert [event.sequence for event in received] == [1, 2, 1, 2, 1, 2, 1, 2, 3, 4]


async def test_a_chain_that_fails_does_not_hold_up_the_others(
    database: Database, writer: Writer, start: StartRelay
) -> None:
    class Picky(Received):
        async def publish(self, events: Sequence[Event]) -> None:
            if events[0].chain == "bad":
                message = "not this one"
                raise ValueError(message)
            await super().publish(events)

    picky = Picky()
    await start(publisher=picky)
    for number in range(5):
        await writer.happen("a1", chain="bad")
        await writer.happen("a1", chain=f"good{number}")
    await until_empty(database, *(f"good{number}" for number in range(5)))
    assert await left(database, "bad") == 5
    assert picky.counts() == {(f"good{number}", "a1"): 1 for number in range(5)}


async def test_a_cancellation_from_the_brokers_client_is_a_failure_like_others(
    database: Database, writer: Writer, start: StartRelay
) -> None:
    class Cancelling(Received):
        async def publish(self, events: Sequence[Event]) -> None:
            if not self.failures:
                self.failures += 1
                raise asyncio.CancelledError
            self.extend(events)

    cancelling = Cancelling()
    relay = await start(publisher=cancelling)
    await eventually(lambda: len(partitions(relay)) == 8)
    servings = list(relay._shares.serving.values())
    await writer.happen("a1")
    await until_empty(database)
    assert not any(serving.ended for serving in servings)
    assert cancelling.counts() == {("c", "a1"): 1}


async def test_what_was_confirmed_is_not_published_again_because_it_could_not_be_deleted(
    database: Database, writer: Writer, received: Received, start: StartRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete, failures = Outbox.delete, 2

    async def failing(outbox: Outbox, events: Sequence[Event], *, partition: int) -> None:
        nonlocal failures
        if failures:
            failures -= 1
            message = "not now"
            raise OperationFailure(message)
        await delete(outbox, events, partition=partition)

    monkeypatch.setattr(Outbox, "delete", failing)
    await writer.happen("a1")
    await start()
    await until_empty(database)
    assert failures == 0
    assert [event.id for event in received] == ["evt_c_a1_1"]


async def test_without_a_change_stream_the_sweep_finds_everything(
    database: Database, writer: Writer, received: Received, start: StartRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> NoReturn:
        message = "Resume of change stream was not possible"
        raise OperationFailure(message, code=286)

    monkeypatch.setattr(database, "watch", broken)
    await start(sweep_s=0.05)
    for _ in range(3):
        await writer.happen("a1", "a2")
    await until_empty(database)
    assert received.counts() == {("c", "a1"): 3, ("c", "a2"): 3}


async def test_a_change_stream_that_lost_its_place_is_opened_anew_and_nothing_is_missed(
    database: Database, writer: Writer, received: Received, start: StartRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch, opened, lose = database.watch, 0, asyncio.Event()

    class Lost:
        def __aiter__(self) -> "Lost":
            return self

        async def __anext__(self) -> Document:
            await lose.wait()
            message = "Resume of change stream was not possible, as the resume point may no longer be in the oplog"
            raise OperationFailure(message, code=286)

    @asynccontextmanager
    async def losing(keyed: Keyed, pipeline: Pipeline) -> AsyncIterator[AsyncIterator[Document]]:
        nonlocal opened
        opened += 1
        async with watch(keyed, pipeline) as changes:
            yield Lost() if opened == 1 else changes

    monkeypatch.setattr(database, "watch", losing)
    relay = await start()
    await eventually(lambda: opened == 1 and len(partitions(relay)) == 8)
    await writer.happen("a1")
    lose.set()
    await eventually(lambda: received.counts() == {("c", "a1"): 1})
    assert opened == 2
    await writer.happen("a1")
    await until_empty(database)
    assert received.counts() == {("c", "a1"): 2}


async def test_a_dropped_outbox_is_listened_to_again(
    database: Database, writer: Writer, received: Received, start: StartRelay
) -> None:
    relay = await start()
    await writer.happen("a1")
    await until_empty(database)
    await database.collection(OUTBOX).drop()
    await writer.set_up()
    await writer.happen("a1")
    await until_empty(database)
    assert received.counts() == {("c", "a1"): 2}
    assert not any(task.done() for task in relay._tasks)


@pytest.mark.usefixtures("writer")
async def test_two_relays_share_fairly_and_a_third_gets_its_part(start: StartRelay) -> None:
    one = await start("one")
    await eventually(lambda: len(partitions(one)) == 8)
    two = await start("two")
    await eventually(lambda: (len(partitions(one)), len(partitions(two))) == (4, 4))
    three = await start("three")
    await eventually(lambda: sorted(len(partitions(each)) for each in (one, two, three)) == [2, 3, 3])
    assert partitions(one) | partitions(two) | partitions(three) == set(range(8))
    await two.stop()
    await eventually(lambda: (len(partitions(one)), len(partitions(three))) == (4, 4))


async def test_moving_partitions_between_relays_publishes_each_event_once(
    database: Database, writer: Writer, received: Received, start: StartRelay
) -> None:
    async def write() -> None:
        while not enough.is_set():
            await writer.happen(*aggregates)

    aggregates, enough = [f"a{number}" for number in range(12)], asyncio.Event()
    one = await start("one")
    writing = asyncio.create_task(write())
    two = await start("two")
    await eventually(lambda: len(partitions(two)) == 4)
    await two.stop()
    await eventually(lambda: len(partitions(one)) == 8)
    enough.set()
    await writing
    await until_empty(database)
    [times] = set(received.counts().values())
    assert len(received) == times * len(aggregates)


async def test_a_partition_changes_hands_after_the_batch_under_way(
    database: Database, writer: Writer, received: Received, start: StartRelay
) -> None:
    class Slow(Received):
        confirms = asyncio.Event()

        async def publish(self, events: Sequence[Event]) -> None:
            self.extend(events)
            await self.confirms.wait()

    slow = Slow()
    aggregates = [f"a{number}" for number in range(24)]
    one = await start("one", publisher=slow)
    await eventually(lambda: len(partitions(one)) == 8)
    await writer.happen(*aggregates)
    await eventually(lambda: len(slow) == 24)
    two = await start("two")
    servings = list(one._shares.serving.values())
    await eventually(lambda: sum(serving.finishing or serving.ended for serving in servings) == 4)
    assert partitions(two) == set()
    slow.confirms.set()
    await eventually(lambda: len(partitions(two)) == 4)
    await until_empty(database)
    assert len(slow) == 24
    assert received == []


async def test_when_one_of_two_relays_is_killed_the_other_publishes_the_rest_in_order(
    database: Database, writer: Writer, received: Received, start: StartRelay, clock: FixedClock
) -> None:
    dying = Received()
    victim = await start("victim", publisher=dying)
    await eventually(lambda: len(partitions(victim)) == 8)
    other = await start("other")
    await eventually(lambda: (len(partitions(victim)), len(partitions(other))) == (4, 4))
    aggregates = [f"a{number}" for number in range(24)]
    slow_clock = Writer(database, Outbox(database), FixedClock(clock() - timedelta(seconds=7)))

    async def write(writer: Writer, times: int) -> None:
        for _ in range(times):
            await writer.happen(*aggregates)

    await write(writer, 2)
    await until_empty(database)
    dying.hang = True  # half of the next batch reaches the broker, and no confirm comes back
    await write(slow_clock, 1)
    await dying.hanging.wait()
    await write(writer, 1)
    await kill(victim)
    for _ in range(2):
        await write(writer, 1)
        await write(slow_clock, 1)
    await until_empty(database)
    assert partitions(other) == set(range(8))
    seen = Received()
    seen.extend([*dying, *received])  # the victim's came before: it is dead
    by_partition = {partition_of(name, 8) for name in aggregates}
    assert by_partition == set(range(8))
    assert seen.counts() == {("c", name): 8 for name in aggregates}


async def test_a_relay_whose_lease_ran_out_stops_publishing(
    database: Database, writer: Writer, received: Received, start: StartRelay
) -> None:
    relay = await start("paused", ttl_ms=1_500)
    await eventually(lambda: len(partitions(relay)) == 8)
    servings = list(relay._shares.serving.values())
    for task in relay._tasks:  # nothing renews any more, as when the process hangs
        task.cancel()
    await eventually(lambda: all(serving.ended for serving in servings))
    await writer.happen("a1")
    await start("next")
    await until_empty(database)
    assert received.counts() == {("c", "a1"): 1}


async def test_stop_publishes_what_waits_and_gives_the_partitions_back(
    database: Database, writer: Writer, received: Received, start: StartRelay
) -> None:
    relay = await start()
    await eventually(lambda: len(partitions(relay)) == 8)
    await asyncio.gather(*(writer.happen(f"a{number}") for number in range(10)))
    await relay.stop()
    assert await left(database) == 0
    assert received.counts() == {("c", f"a{number}"): 1 for number in range(10)}
    heir = await start("heir", ttl_ms=60_000)
    await eventually(lambda: len(partitions(heir)) == 8, within_s=5)


async def test_stop_is_bounded_when_the_broker_is_away_and_keeps_the_events(
    database: Database, writer: Writer, received: Received, start: StartRelay
) -> None:
    received.failures = 1_000_000
    relay = await start()
    await writer.happen("a1")
    await eventually(lambda: received.failures < 1_000_000)
    loop = asyncio.get_running_loop()
    before = loop.time()
    await relay.stop(flush_s=0.2)
    assert loop.time() - before < 5
    assert await left(database) == 1
