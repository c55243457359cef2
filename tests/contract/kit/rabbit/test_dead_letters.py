"""Dead letters can be looked at as often as one likes, and put back at any time."""

import asyncio
import json
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import pytest

from protos.common.v1 import dead_letters_pb2 as pb
from protos.events.v1.points_pb2 import PurchaseBooked
from services.kit.rabbit.dead_letter_queue import DeadLetterQueue, NotReplayedError
from services.kit.rabbit.dead_letters import NoSuchDeadLetterError, WrongFirstError
from services.kit.rabbit.messages import PoisonError
from services.kit.rabbit.sending import send_to_queue
from services.kit.timestamps import from_timestamp
from tests.support.events import CHAIN, event
from tests.support.stage import Stage, operator

NONSENSE = PoisonError(why="nonsense")
MEMBERS = [f"mem_{number}" for number in range(4)]


async def kill(stage: Stage, aggregates: Sequence[str], *, body: bytes = b"") -> None:
    """Have the first event of each aggregate die, one after the other, with one event waiting behind it."""
    await stage.consume()
    for number, aggregate in enumerate(aggregates):
        stage.effects.fails[aggregate, 1] = NONSENSE
        await stage.publish(event(1, aggregate, body=body), event(2, aggregate))
        await stage.dies(*((dead, 1) for dead in aggregates[: number + 1]))
        await stage.parks(1, aggregate)


async def test_a_list_shows_the_oldest_first_and_changes_nothing(stage: Stage) -> None:
    await kill(stage, MEMBERS)
    request = pb.ListDeadLettersRequest(first=2)

    with operator():
        answers = [await stage.servicer.ListDeadLetters(request, None) for _ in range(3)]
        answers += await asyncio.gather(*(stage.servicer.ListDeadLetters(request, None) for _ in range(2)))

    assert answers == [answers[0]] * 5
    assert answers[0].total == 4
    first, second = answers[0].dead_letters
    assert (first.aggregate, second.aggregate) == ("mem_0", "mem_1")
    assert from_timestamp(first.died_at).year >= 2026
    assert first.queue in stage.topology.queues("members")
    first.ClearField("died_at")
    assert first == pb.DeadLetter(
        id="evt_points.account_mem_0_1",
        type="huitou.events.v1.PurchaseBooked",
        chain_id=CHAIN,
        aggregate="mem_0",
        sequence=1,
        queue=first.queue,
        reason="rejected",
        error="This event can never be handled: nonsense.",
        waiting=1,
    )


async def test_a_body_is_shown_as_json(stage: Stage) -> None:
    body = PurchaseBooked(purchase_id="pur_1", points=12)
    await kill(stage, ["mem_1"], body=body.SerializeToString())

    with operator():
        request = pb.GetDeadLetterRequest(id="evt_points.account_mem_1_1")
        answer = await stage.servicer.GetDeadLetter(request, None)

    assert json.loads(answer.body_json) == {"purchase_id": "pur_1", "points": "12"}
    assert answer.dead_letter == (await stage.dead_letters())[0]


async def test_a_body_that_does_not_parse_is_shown_as_it_is(stage: Stage) -> None:
    await kill(stage, ["mem_1"], body=b"\xff\xff")

    with operator():
        request = pb.GetDeadLetterRequest(id="evt_points.account_mem_1_1")
        answer = await stage.servicer.GetDeadLetter(request, None)

    assert json.loads(answer.body_json) == {"base64": b64encode(b"\xff\xff").decode()}


async def test_a_replay_heals_and_what_waited_follows_in_order(stage: Stage) -> None:
    await kill(stage, MEMBERS)
    stage.effects.fails.clear()

    assert await stage.replay() == 4
    for member in MEMBERS:
        await stage.applies([1, 2], member)
    assert await stage.dead_letters() == []


async def test_a_replay_of_some_leaves_the_others(stage: Stage) -> None:
    await kill(stage, MEMBERS)
    stage.effects.fails.clear()

    assert await stage.replay("evt_points.account_mem_1_1", "evt_points.account_mem_3_1", "evt_gone") == 2
    await stage.applies([1, 2], "mem_3")
    await stage.applies([1, 2], "mem_1")
    await stage.dies(("mem_0", 1), ("mem_2", 1))


async def test_what_fails_again_after_a_replay_is_a_dead_letter_again(stage: Stage) -> None:
    await kill(stage, ["mem_1"])

    assert await stage.replay() == 1
    await stage.dies(("mem_1", 1))
    assert await stage.applied() == []
    async with DeadLetterQueue(stage.amqp_url, stage.topology, service="members").look() as look:
        deaths: Any = look.dead[0].message.headers["x-death"]
    assert [death["count"] for death in deaths] == [1]  # its earlier life is not held against it


async def test_a_replay_that_was_interrupted_can_be_repeated(stage: Stage) -> None:
    await kill(stage, ["mem_1"])
    stage.effects.fails.clear()
    queue = DeadLetterQueue(stage.amqp_url, stage.topology, service="members")
    async with queue.look() as look:
        await send_to_queue(look.channel, look.dead[0].message, queue=look.dead[0].queue)
    await stage.applies([1, 2])
    (dead,) = await stage.dead_letters()
    assert (dead.error, dead.waiting) == ("applied meanwhile; a replay is ignored", 0)

    assert await stage.replay() == 1
    await stage.publish(event(3))
    await stage.applies([1, 2, 3])


async def test_what_cannot_be_put_back_stays(stage: Stage) -> None:
    await kill(stage, ["mem_1"])
    (dead,) = await stage.dead_letters()
    channel = await stage.publisher._open_channel()
    for consumer in stage.consumers:
        await consumer.stop()
    look = DeadLetterQueue(stage.amqp_url, stage.topology, service="members").look()
    async with look as found:
        await channel.queue_delete(dead.queue)
        with pytest.raises(NotReplayedError):
            await found.put_back(found.dead)

    assert await stage.dead_letters() == [dead]


async def test_an_operator_of_one_chain_sees_and_replays_that_one_only(stage: Stage) -> None:
    await kill(stage, ["mem_1"])

    assert await stage.dead_letters(chain="chn_2") == []
    assert len(await stage.dead_letters(chain=CHAIN)) == 1
    assert await stage.replay(chain="chn_2") == 0
    with operator("chn_2"), pytest.raises(NoSuchDeadLetterError):
        await stage.servicer.GetDeadLetter(pb.GetDeadLetterRequest(id="evt_points.account_mem_1_1"), None)


@pytest.mark.parametrize("first", [-1, 1001])
async def test_a_list_is_bounded(stage: Stage, first: int) -> None:
    with operator(), pytest.raises(WrongFirstError):
        await stage.servicer.ListDeadLetters(pb.ListDeadLettersRequest(first=first), None)
