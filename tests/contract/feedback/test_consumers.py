"""Purchases become invitations, enrollments known members, each once."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from protos.events.v1.points_pb2 import TierChanged
from protos.feedback.v1 import feedback_pb2 as pb
from services.feedback.store.collections import INVITATIONS, KNOWN_MEMBERS
from services.kit.rabbit.consumer import Consumer
from services.kit.rabbit.publisher import RabbitPublisher
from services.kit.rabbit.topology import Topology
from services.kit.timestamps import to_timestamp
from tests.contract.feedback.conftest import Feedback, bought, enrolled, told
from tests.support.clock import START

Eventually = Callable[..., Awaitable[Any]]
DAY = timedelta(days=1)


async def test_a_purchase_invites(feedback: Feedback) -> None:
    await feedback.hear(bought(at=START - DAY))
    [[invitation]] = await feedback.invitations()
    assert invitation == pb.Invitation(
        id=invitation.id,
        member_id="mem_ada",
        purchase_id="pur_1",
        store_id="sto_1",
        invited_at=to_timestamp(START),
    )


async def test_a_purchase_heard_twice_invites_once(feedback: Feedback) -> None:
    await feedback.hear(bought())
    before = await feedback.everything()
    await feedback.hear(bought())
    await feedback.hear(bought(), bought())
    assert await feedback.everything() == before


async def test_a_member_is_asked_once_in_thirty_days(feedback: Feedback) -> None:
    for number, day in enumerate((0, 1, 29, 30, 59, 60)):
        now = START + day * DAY
        feedback.clock.now = now
        await feedback.hear(bought(number, at=now))
    [waiting] = await feedback.invitations()
    assert [one.purchase_id for one in waiting] == ["pur_5", "pur_3", "pur_0"]


async def test_a_receipt_that_comes_a_week_late_invites_nobody(feedback: Feedback) -> None:
    await feedback.hear(bought(at=START - 7 * DAY - timedelta(milliseconds=1)))
    assert await feedback.rows(INVITATIONS) == []


async def test_a_batch_invites_each_member_of_each_chain_once(feedback: Feedback) -> None:
    await feedback.hear(
        bought(1, at=START - DAY),
        bought(1, member="mem_bob"),
        bought(2),
        bought(1, chain="chn_2"),
        told(TierChanged(member_id="mem_ada", purchase_id="pur_1"), 3, stream="points.account"),
    )
    rows = {(row["chain"], row["member"], row["purchase"]) for row in await feedback.rows(INVITATIONS)}
    assert rows == {("chn_1", "mem_ada", "pur_1"), ("chn_1", "mem_bob", "pur_1"), ("chn_2", "mem_ada", "pur_1")}


async def test_at_most_ten_invitations_are_shown(feedback: Feedback) -> None:
    for number in range(11):
        now = feedback.clock.move(30 * DAY)
        await feedback.hear(bought(number, at=now))
    [waiting] = await feedback.invitations()
    assert [one.purchase_id for one in waiting] == [f"pur_{number}" for number in range(10, 0, -1)]


async def test_enrolled_members_are_known_once(feedback: Feedback) -> None:
    await feedback.hear(enrolled(), enrolled("mem_bob"), enrolled())
    await feedback.hear(enrolled())
    known = [(row["chain"], row["member"]) for row in await feedback.rows(KNOWN_MEMBERS)]
    assert known == [("chn_1", "mem_ada"), ("chn_1", "mem_bob")]


async def test_what_the_broker_delivers_twice_has_its_effect_once(
    feedback: Feedback, amqp_url: str, topology: Topology, eventually: Eventually
) -> None:
    consumer = Consumer(amqp_url, topology, service="feedback", database=feedback.database, handle=feedback.handler)
    publisher = RabbitPublisher(amqp_url, topology)
    await consumer.start()
    try:
        await publisher.publish([enrolled(), bought(), bought(), enrolled()])
        await publisher.publish([bought(1, member="mem_bob")])

        async def heard() -> bool:
            return len(await feedback.rows(INVITATIONS)) == 2 and len(await feedback.rows(KNOWN_MEMBERS)) == 1

        await eventually(heard)
    finally:
        await consumer.stop()
        await publisher.close()
    assert len(await feedback.rows(INVITATIONS)) == 2
