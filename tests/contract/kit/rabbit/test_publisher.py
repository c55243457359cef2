"""What is published is confirmed by every queue, in order, or the caller is told."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from services.kit.rabbit.connection import BrokerUnavailableError
from services.kit.rabbit.messages import to_event
from services.kit.rabbit.publisher import NotTakenError, RabbitPublisher
from services.kit.rabbit.topology import Topology, TopologyError, UnknownStreamError
from tests.support.cable import cable_to
from tests.support.events import event, events
from tests.support.eventually import eventually


@pytest.fixture
async def publisher(amqp_url: str, topology: Topology) -> AsyncIterator[RabbitPublisher]:
    publisher = RabbitPublisher(amqp_url, topology)
    yield publisher
    await publisher.close()


@pytest.fixture
async def channel(amqp_url: str) -> AsyncIterator[AbstractChannel]:
    connection = await aio_pika.connect(amqp_url)
    async with connection, connection.channel() as channel:
        yield channel


async def receive(channel: AbstractChannel, topology: Topology, service: str) -> list[AbstractIncomingMessage]:
    """Return a list that fills with what arrives for `service`."""
    arrived: list[AbstractIncomingMessage] = []

    async def arrive(message: AbstractIncomingMessage) -> None:
        arrived.append(message)

    for name in topology.queues(service):
        queue = await channel.get_queue(name, ensure=False)
        await queue.consume(arrive, consumer_tag=name)
    return arrived


def has(arrived: list[AbstractIncomingMessage], count: int) -> bool:
    return len(arrived) == count


async def test_every_subscriber_gets_every_event_in_order(
    publisher: RabbitPublisher, topology: Topology, channel: AbstractChannel
) -> None:
    everything = [one for number in range(4) for one in events(250, f"mem_{number}")]
    await publisher.publish(everything)

    for service in ("members", "campaigns", "feedback"):
        arrived = await receive(channel, topology, service)
        await eventually(partial(has, arrived, 1_000), within_s=30)
        got = [to_event(message.headers, message.body) for message in arrived]
        for number in range(4):
            assert [one for one in got if one.aggregate == f"mem_{number}"] == events(250, f"mem_{number}")


async def test_aggregates_are_spread_over_the_partitions_each_in_one(
    publisher: RabbitPublisher, topology: Topology, channel: AbstractChannel
) -> None:
    await publisher.publish([event(at, f"mem_{number}") for at in (1, 2) for number in range(40)])
    arrived = await receive(channel, topology, "members")
    await eventually(partial(has, arrived, 80))
    where: dict[str, set[str | None]] = {}
    for message in arrived:
        where.setdefault(str(message.headers["aggregate"]), set()).add(message.consumer_tag)

    assert len(where) == 40
    assert {len(queues) for queues in where.values()} == {1}
    assert {queue for queues in where.values() for queue in queues} == set(topology.queues("members"))


async def test_an_event_is_a_persistent_cloud_event(
    publisher: RabbitPublisher, topology: Topology, channel: AbstractChannel
) -> None:
    await publisher.publish([event(7, traceparent="00-1-2-01")])
    arrived = await receive(channel, topology, "members")
    await eventually(lambda: arrived)

    (message,) = arrived
    assert (message.delivery_mode, message.content_type) == (2, "application/protobuf")
    assert dict(message.headers) == {
        "cloudEvents:specversion": "1.0",
        "cloudEvents:id": "evt_points.account_mem_1_7",
        "cloudEvents:source": "/chn_1/points.account",
        "cloudEvents:type": "huitou.events.v1.PurchaseBooked",
        "cloudEvents:time": "2026-03-01T04:00:00.000+00:00",
        "cloudEvents:subject": "mem_1",
        "chain": "chn_1",
        "aggregate": "mem_1",
        "sequence": 7,
        "stream": "points.account",
        "traceparent": "00-1-2-01",
    }


async def test_an_event_that_no_queue_takes_is_an_error(
    publisher: RabbitPublisher, topology: Topology, channel: AbstractChannel
) -> None:
    await publisher.publish([event(1)])
    for queue in topology.queues("members"):
        await channel.queue_delete(queue)

    with pytest.raises(NotTakenError, match="NO_ROUTE"):
        await publisher.publish([event(1, "cas_1", stream="feedback.case")])
    await publisher.publish([event(2)])  # has other subscribers still


async def test_a_full_queue_is_an_error(amqp_url: str, topology: Topology) -> None:
    publisher = RabbitPublisher(amqp_url, replace(topology, max_length=3))

    async def fill() -> None:
        for start in range(0, 1_000, 50):
            await publisher.publish(events(1_000)[start : start + 50])

    with pytest.raises(NotTakenError):
        await fill()

    await publisher.close()


async def test_a_stream_that_is_not_in_the_topology_is_refused_before_anything_is_sent(
    publisher: RabbitPublisher, topology: Topology, channel: AbstractChannel
) -> None:
    with pytest.raises(UnknownStreamError):
        await publisher.publish([event(1), event(1, stream="points.unheard")])

    await publisher.publish([event(2)])
    arrived = await receive(channel, topology, "members")
    await eventually(lambda: arrived)
    assert [message.headers["sequence"] for message in arrived] == [2]


async def test_a_stream_without_subscribers_may_be_published(amqp_url: str, topology: Topology) -> None:
    publisher = RabbitPublisher(amqp_url, replace(topology, streams={**topology.streams, "points.quiet": frozenset()}))
    await publisher.publish([event(1, stream="points.quiet")])
    await publisher.close()


async def test_a_lost_connection_is_told_and_the_next_call_connects_again(amqp_url: str, topology: Topology) -> None:
    async with cable_to(amqp_url) as cable:
        publisher = RabbitPublisher(cable.url, topology)
        await publisher.publish(events(1))
        publishing = asyncio.create_task(publisher.publish(events(5_000)))
        await asyncio.wait({publishing}, timeout=0.05)
        cable.cut()
        with pytest.raises(BrokerUnavailableError):
            await publishing
        await publisher.publish(events(10))
        await publisher.close()


async def test_a_broker_that_is_not_there_is_told(amqp_url: str, topology: Topology) -> None:
    async with cable_to(amqp_url) as cable:
        url = cable.url
    with pytest.raises(BrokerUnavailableError):
        await RabbitPublisher(url, topology).publish([event(1)])


async def test_a_broker_whose_queues_differ_is_told(
    amqp_url: str, topology: Topology, channel: AbstractChannel
) -> None:
    await topology.declare(channel)
    other = RabbitPublisher(amqp_url, replace(topology, delivery_limit=9))

    with pytest.raises(TopologyError, match="x-delivery-limit"):
        await other.publish([event(1)])
    await other.close()
