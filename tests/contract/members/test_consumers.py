"""What members hears, over the real broker into the real database."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from aio_pika.abc import AbstractIncomingMessage, AbstractQueue
from google.protobuf.message import Message

from protos.common.v1.money_pb2 import Money
from protos.events.v1 import campaigns_pb2, feedback_pb2, points_pb2
from services.kit.mongo.database import Conflict, Session
from services.kit.outbox.events import Event
from services.kit.rabbit import inbox
from services.kit.rabbit.connection import close, connect
from services.kit.rabbit.consumer import Consumer
from services.kit.rabbit.cursors import Cursor, read_cursors
from services.kit.rabbit.messages import PoisonError
from services.kit.rabbit.publisher import RabbitPublisher
from services.kit.rabbit.sequencing import Origin
from services.kit.rabbit.topology import Topology
from services.kit.timestamps import from_timestamp, to_timestamp
from services.members.domain.portraits import Portrait
from services.members.store.migrations import migrations
from services.members.store.portraits import MongoPortraits
from tests.support.clock import START
from tests.support.members_service import MembersService, enrollment, portrait_handler, staff, vault_of

Eventually = Callable[..., Awaitable[Any]]


def told(body: Message, *, chain: str, stream: str, aggregate: str, sequence: int = 1) -> Event:
    return Event(
        id=f"{chain}/{aggregate}/{sequence}",
        chain=chain,
        stream=stream,
        aggregate=aggregate,
        sequence=sequence,
        type=body.DESCRIPTOR.full_name,
        at=START,
        body=body.SerializeToString(),
    )


def purchase(chain: str, member: str, sequence: int, *, day: int, currency: str = "CNY") -> Event:
    body = points_pb2.PurchaseBooked(
        purchase_id=f"pur_{sequence}",
        member_id=member,
        occurred_at=to_timestamp(START + timedelta(days=day)),
        paid=Money(amount_minor=1_000, currency=currency),
        time_zone="Asia/Shanghai",
    )
    return told(body, chain=chain, stream="points.account", aggregate=member, sequence=sequence)


def tier(chain: str, member: str, sequence: int) -> Event:
    body = points_pb2.TierChanged(member_id=member, to_level="silver")
    return told(body, chain=chain, stream="points.account", aggregate=member, sequence=sequence)


@pytest.fixture
async def publisher(amqp_url: str, topology: Topology) -> AsyncIterator[RabbitPublisher]:
    publisher = RabbitPublisher(amqp_url, topology)
    yield publisher
    await publisher.close()


@pytest.fixture
async def consumer(service: MembersService, amqp_url: str, topology: Topology) -> AsyncIterator[Consumer]:
    await inbox.set_up(service.database)
    handle = portrait_handler(service.database)
    consumer = Consumer(amqp_url, topology, service="members", database=service.database, handle=handle)
    await consumer.start()
    yield consumer
    await consumer.stop()


@pytest.fixture
async def member(service: MembersService, chain: str) -> str:
    return (await service.enroll(enrollment(), staff(chain))).member.id


async def portrait(service: MembersService, chain: str, member: str) -> Portrait:
    async def read(session: Session) -> Portrait:
        return (await MongoPortraits(service.database, session).find([(chain, member)])).portraits[chain, member]

    return await service.database.in_transaction(read)


@pytest.mark.usefixtures("consumer")
async def test_purchases_become_visits(
    service: MembersService, chain: str, member: str, publisher: RabbitPublisher, eventually: Eventually
) -> None:
    """A late one is put in its place, two of a day are one visit, a new tier is none."""
    await publisher.publish(
        [
            purchase(chain, member, 1, day=0),
            purchase(chain, member, 2, day=0),
            tier(chain, member, 3),
            purchase(chain, member, 4, day=30, currency="EUR"),
            purchase(chain, member, 5, day=20),
        ]
    )

    async def seen() -> bool:
        return (await service.member(chain, member)).visits.count == 3

    await eventually(seen)
    visits = (await service.member(chain, member)).visits
    assert from_timestamp(visits.last) == START + timedelta(days=30)
    assert (visits.last_gap_days, visits.usual_gap_days) == (10, 15.0)
    assert [(money.currency, money.amount_minor) for money in visits.spend] == [("CNY", 3_000), ("EUR", 1_000)]


@pytest.mark.usefixtures("consumer")
async def test_an_event_that_comes_twice_counts_once(
    service: MembersService, chain: str, member: str, publisher: RabbitPublisher, eventually: Eventually
) -> None:
    first = [purchase(chain, member, number, day=number) for number in (1, 2)]
    await publisher.publish(first)
    await publisher.publish([*first, purchase(chain, member, 3, day=3)])

    async def seen() -> bool:
        return (await service.member(chain, member)).visits.count == 3

    await eventually(seen)
    assert (await service.member(chain, member)).visits.spend[0].amount_minor == 3_000


@pytest.mark.usefixtures("consumer")
async def test_coupons_and_cases_are_counted(
    service: MembersService, chain: str, member: str, publisher: RabbitPublisher, eventually: Eventually
) -> None:
    issued = [campaigns_pb2.CouponIssued(coupon_id=f"cpn_{number}", member_id=member) for number in range(3)]
    redeemed = campaigns_pb2.CouponRedeemed(coupon_id="cpn_1", member_id=member)
    opened = feedback_pb2.CaseOpened(case_id="cas_1", member_id=member)
    coupon = partial(told, chain=chain, stream="campaigns.coupon")
    await publisher.publish([coupon(body, aggregate=body.coupon_id) for body in issued])
    await publisher.publish(
        [
            coupon(redeemed, aggregate="cpn_1", sequence=2),
            told(opened, chain=chain, stream="feedback.case", aggregate="cas_1"),
        ]
    )

    async def counted() -> bool:
        return await portrait(service, chain, member) == Portrait(open_coupons=2, open_cases=1)

    await eventually(counted)


@pytest.fixture
async def dead_letters(amqp_url: str, topology: Topology) -> AsyncIterator[AbstractQueue]:
    connection = await connect(amqp_url, name="test")
    channel = await connection.channel()
    await topology.declare(channel)
    yield await channel.get_queue(f"{topology.namespace}members.dead-letters")
    await close(connection)


@pytest.mark.usefixtures("consumer")
async def test_a_member_that_nobody_enrolled_is_a_dead_letter(
    service: MembersService,
    member: str,
    publisher: RabbitPublisher,
    dead_letters: AbstractQueue,
    eventually: Eventually,
) -> None:
    """A member's id under another chain is nobody; the others of the batch have their effect."""
    chain, other_chain = await service.open_chain(), await service.open_chain("Dumplings")
    await publisher.publish([purchase(other_chain, member, 1, day=0), purchase(chain, member, 1, day=0)])

    async def seen() -> bool:
        return (await service.member(chain, member)).visits.count == 1

    await eventually(seen)

    async def dead() -> AbstractIncomingMessage | None:
        return await dead_letters.get(fail=False)

    message = await eventually(dead)
    assert message.headers["chain"] == other_chain
    await message.ack()


async def test_a_body_of_another_type_is_poison(service: MembersService, chain: str, member: str) -> None:
    event = purchase(chain, member, 1, day=0)
    broken = Event(**{name: getattr(event, name) for name in Event.__slots__} | {"body": b"\xff"})
    handle = portrait_handler(service.database)
    before = await service.everything()
    with pytest.raises(PoisonError, match=r"not a huitou\.events\.v1\.PurchaseBooked"):
        await service.database.in_transaction(partial(handle, [event, broken]))
    assert await service.everything() == before


async def test_two_consumers_of_one_member_lose_nothing(service: MembersService, chain: str, member: str) -> None:
    """A purchase and a coupon of one member lie in different partitions: the slower transaction is a conflict."""
    coupon = told(
        campaigns_pb2.CouponIssued(coupon_id="cpn_1", member_id=member),
        chain=chain,
        stream="campaigns.coupon",
        aggregate="cpn_1",
    )
    handle = portrait_handler(service.database)

    async def slower(session: Session) -> None:
        await MongoPortraits(service.database, session).find([(chain, member)])
        await service.database.in_transaction(partial(handle, [coupon]))
        await handle([purchase(chain, member, 1, day=0)], session)

    with pytest.raises(Conflict):
        await service.database.once_in_transaction(slower)
    await service.database.in_transaction(partial(handle, [purchase(chain, member, 1, day=0)]))
    found = await portrait(service, chain, member)
    assert (found.visits.count, found.open_coupons) == (1, 1)


async def test_what_members_told_before_it_heard_itself_is_not_waited_for(service: MembersService, chain: str) -> None:
    await inbox.set_up(service.database)
    ids = [(await service.enroll(enrollment(), staff(chain))).member.id for _ in range(2)]
    [hears_itself] = [step for step in migrations(vault_of(service.database)) if "own events" in step.name]
    for _ in range(2):  # a step that was cut short is done again
        await hears_itself.apply(service.database)
    origins = [Origin(chain, id_, "members.member") for id_ in ids]
    assert await read_cursors(service.database, origins) == dict.fromkeys(origins, Cursor(sequence=1))
