"""What fails, fails alone, and ends as a dead letter that says why."""

import pytest
from aio_pika import Message

from services.kit.errors import Kind, Problem
from services.kit.mongo.database import Database, Driver
from services.kit.outbox.events import Event
from services.kit.rabbit import partition
from services.kit.rabbit.cursors import Cursor
from services.kit.rabbit.inbox import Inbox
from services.kit.rabbit.messages import PoisonError
from services.kit.rabbit.sending import send_to_queue
from tests.support.cable import cable_to
from tests.support.events import Effects, event, events
from tests.support.eventually import eventually
from tests.support.stage import Stage


class RefusedError(Problem):
    """The coupon is gone."""

    kind = Kind.REFUSED
    code = "GONE"


class AwayError(Problem):
    """The other service is away."""

    kind = Kind.UNAVAILABLE
    code = "AWAY"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PoisonError(why="nonsense"), "This event can never be handled: nonsense."),
        (RefusedError(), "The coupon is gone."),
    ],
    ids=["poison", "business"],
)
async def test_what_can_never_succeed_is_a_dead_letter_at_once_and_others_go_on(
    stage: Stage, error: Problem, words: str
) -> None:
    stage.effects.fails["mem_1", 2] = error
    await stage.publish(*events(3), *events(3, "mem_2"))
    await stage.consume()

    await stage.applies([1, 2, 3], "mem_2")
    (dead,) = await stage.dies(("mem_1", 2))
    await stage.parks(1)
    assert await stage.applied() == [1]
    assert (dead.reason, dead.error, dead.queue in stage.topology.queues("members")) == ("rejected", words, True)
    assert stage.effects.tries.count(("mem_1", 2)) <= 2  # with its batch, and alone


async def test_what_fails_again_and_again_dies_of_the_delivery_limit(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition, "FIRST_PAUSE_S", 0.01)
    stage.effects.fails["mem_1", 1] = ValueError("a bug")
    await stage.publish(*events(3), *events(3, "mem_2"))
    await stage.consume(max_batch=1)

    await stage.applies([1, 2, 3], "mem_2")
    (dead,) = await stage.dies(("mem_1", 1))
    await stage.parks(2)
    assert await stage.applied() == []
    assert (dead.reason, dead.error) == ("delivery_limit", "ValueError: a bug")
    # Once and five times more (the limit); each time with its batch, and alone.
    assert stage.effects.tries.count(("mem_1", 1)) == 2 * (1 + stage.topology.delivery_limit)


async def test_what_fails_and_then_succeeds_is_applied_once(stage: Stage) -> None:
    stage.effects.fails["mem_1", 2] = ValueError("a hiccup")
    await stage.publish(*events(4))
    await stage.consume()
    await stage.parks(2)
    assert await stage.cursor() == Cursor(sequence=1, parked=2, failed=2, error="ValueError: a hiccup")
    stage.effects.fails.clear()

    await stage.applies([1, 2, 3, 4])
    assert await stage.cursor() == Cursor(sequence=4)
    assert await stage.dead_letters() == []


async def test_an_outage_of_others_kills_nothing_however_often_it_is_tried(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition, "LONGEST_PAUSE_S", 0.02)
    stage.effects.fails["mem_1", 1] = AwayError()
    await stage.publish(*events(2), *events(2, "mem_2"))
    await stage.consume()

    await stage.applies([1, 2], "mem_2")
    await eventually(lambda: stage.effects.tries.count(("mem_1", 1)) > 20)
    stage.effects.fails.clear()

    await stage.applies([1, 2])
    assert await stage.dead_letters() == []


async def test_a_parked_event_that_fails_is_a_dead_letter_too(stage: Stage) -> None:
    stage.effects.fails["mem_1", 3] = PoisonError(why="nonsense")
    await stage.consume()
    await stage.publish(*events(5)[1:])
    await stage.parks(4)
    await stage.publish(event(1))

    (dead,) = await stage.dies(("mem_1", 3))
    await stage.parks(2)
    assert await stage.applied() == [1, 2]
    assert (dead.reason, dead.error, dead.waiting) == ("rejected", "This event can never be handled: nonsense.", 2)


async def test_what_finds_no_room_to_wait_is_a_dead_letter(stage: Stage) -> None:
    await stage.consume(max_parked=2)
    await stage.publish(*events(5)[1:], event(2))

    dead = await stage.dies(("mem_1", 4), ("mem_1", 5))
    assert await stage.cursor() == Cursor(sequence=0, parked=2)
    assert [(one.reason, one.error) for one in dead] == [
        ("rejected", "waits for event 1, as do 2 others, and more are not kept")
    ] * 2

    await stage.publish(event(1))
    await stage.applies([1, 2, 3])
    assert await stage.replay() == 2
    await stage.applies([1, 2, 3, 4, 5])


async def test_a_message_that_is_no_event_is_a_dead_letter(stage: Stage) -> None:
    await stage.consume()
    message = Message(b"?", message_id="msg_1")
    channel = await stage.publisher._open_channel()
    await send_to_queue(channel, message, queue=stage.topology.queues("members")[0])

    async def found() -> list[tuple[str, str, str]]:
        return [(one.id, one.reason, one.error) for one in await stage.dead_letters()]

    (dead,) = await eventually(found)
    assert dead == (
        "msg_1",
        "rejected",
        "The message is not an event of this platform: header 'cloudEvents:id' is missing.",
    )


async def test_a_fault_of_the_consumers_own_does_not_end_it(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    note_failure = Inbox.note_failure
    faults = [ArithmeticError("a bug")]

    async def fail_once(inbox: Inbox, failed: Event, error: str) -> None:
        if faults:
            raise faults.pop()
        await note_failure(inbox, failed, error)

    monkeypatch.setattr(Inbox, "note_failure", fail_once)
    stage.effects.fails["mem_1", 2] = PoisonError(why="nonsense")
    await stage.publish(*events(3))
    await stage.consume()

    await stage.dies(("mem_1", 2))
    await stage.parks(1)
    assert (await stage.applied(), faults) == ([1], [])


async def test_a_database_that_is_away_costs_no_event_a_try(
    stage: Stage,
    mongo_url: str,
    driver: Driver,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(partition, "DATABASE_PAUSE_S", 0.1)
    async with cable_to(mongo_url.partition("?")[0] + "?directConnection=true") as cable:
        database = Database.connect(f"{cable.url}&serverSelectionTimeoutMS=50", name=stage.database.name, driver=driver)
        consumer = await stage.consume(database=database, handle=Effects(database).handle)
        cable.unplugged = True
        cable.cut()
        await stage.publish(*events(3))
        # More tries than the delivery limit allows.
        await eventually(lambda: caplog.text.count("DatabaseDownError") > 6, within_s=20)
        assert await stage.applied() == []
        cable.unplugged = False

        await stage.applies([1, 2, 3], within_s=20)
        assert await stage.dead_letters() == []
        assert "one by one" not in caplog.text
        await consumer.stop()
        await database.close()
