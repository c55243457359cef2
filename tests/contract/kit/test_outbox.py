from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from services.kit.mongo.collections import Session, ShardKeyListener
from services.kit.mongo.database import Database
from services.kit.outbox.events import Event, EventCursor
from services.kit.outbox.outbox import Outbox, partition_of
from tests.support.clock import START, FixedClock
from tests.support.outbox import Writer, an_event, left


@pytest.fixture
async def outbox(database: Database) -> Outbox:
    return Outbox(database)


@pytest.fixture
async def writer(database: Database, outbox: Outbox, clock: FixedClock) -> Writer:
    writer = Writer(database, outbox, clock)
    await writer.set_up()
    return writer


async def write(database: Database, outbox: Outbox, *events: Event) -> None:
    async def body(session: Session) -> None:
        await outbox.write(events, session)

    await database.in_transaction(body)


async def test_an_event_comes_out_as_it_went_in(database: Database, outbox: Outbox, writer: Writer) -> None:
    await writer.happen("a1")
    event = Event(
        id="evt_2",
        chain="c",
        stream="points.account",
        aggregate="a1",
        sequence=2,
        type="huitou.events.v1.TierChanged",
        at=START + timedelta(milliseconds=1),
        body=b"\x00\xff",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )
    await write(database, outbox, event)
    assert (await outbox.first("c", partition_of("a1", 8), most=10))[1:] == [event]


async def test_an_event_is_there_only_if_its_fact_is(database: Database, outbox: Outbox, writer: Writer) -> None:
    async def body(session: Session) -> None:
        await outbox.write([an_event(chain="c", aggregate="a1", cursor=EventCursor(1, START))], session)
        assert await left(database) == 0
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await database.in_transaction(body)
    assert await left(database) == 0
    assert await outbox.chains() == ["c"]  # a chain that is known without need does no harm
    await writer.happen("a1")
    assert await left(database) == 1


async def test_nothing_to_write_writes_nothing(database: Database, outbox: Outbox) -> None:
    await write(database, outbox)
    assert await outbox.chains() == []


async def test_a_lane_is_read_in_order_and_no_further_than_asked(
    outbox: Outbox, writer: Writer, clock: FixedClock
) -> None:
    for _ in range(3):
        await writer.happen("a1")
        clock.move(timedelta(seconds=-1))
    first = await outbox.first("c", partition_of("a1", 8), most=2)
    assert [event.sequence for event in first] == [1, 2]
    assert await outbox.first("d", partition_of("a1", 8), most=2) == []


async def test_a_lane_is_read_from_one_snapshot(
    outbox: Outbox, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await writer.happen("a1")
    asked: list[Mapping[str, Any]] = []
    monkeypatch.setattr(ShardKeyListener, "started", lambda _, event: asked.append(event.command))
    await outbox.first("c", partition_of("a1", 8), most=2)
    assert [(command["find"], command["readConcern"]["level"]) for command in asked] == [("outbox", "snapshot")]


async def test_deleting_leaves_the_rest(database: Database, outbox: Outbox, writer: Writer) -> None:
    partition = partition_of("a1", 8)
    for _ in range(3):
        await writer.happen("a1")
    await outbox.delete(await outbox.first("c", partition, most=2), partition=partition)
    assert [event.sequence for event in await outbox.first("c", partition, most=10)] == [3]
    assert await left(database) == 1


async def test_it_tells_which_chains_have_something_waiting(outbox: Outbox, writer: Writer) -> None:
    for chain in ("c", "d", "e"):
        await writer.happen("a1", chain=chain)
    partition = partition_of("a1", 8)
    assert sorted(await outbox.chains()) == ["c", "d", "e"]
    assert sorted(await outbox.waiting_chains(partition, ["c", "d", "x"])) == ["c", "d"]
    assert await outbox.waiting_chains((partition + 1) % 8, ["c", "d", "x"]) == []


async def test_many_chains_are_asked_for_some_at_a_time(
    outbox: Outbox, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.kit.outbox.outbox.CHAINS_AT_ONCE", 2)
    chains = [f"chain{number}" for number in range(5)]
    for chain in chains:
        await writer.happen("a1", chain=chain)
    assert await outbox.waiting_chains(partition_of("a1", 8), chains) == chains


async def test_the_number_of_partitions_does_not_change(database: Database, writer: Writer) -> None:
    await writer.happen("a1")
    with pytest.raises(ValueError, match="the outbox of c has not 4 partitions"):
        await write(
            database, Outbox(database, partitions=4), an_event(chain="c", aggregate="a1", cursor=EventCursor(2, START))
        )
    assert await left(database) == 1
