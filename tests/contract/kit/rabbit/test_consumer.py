"""Each effect once and in order, whatever is sent twice, late, or cut off in the middle."""

import asyncio
from random import Random

from aio_pika.exceptions import ChannelNotFoundEntity
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from services.kit.rabbit.connection import connect
from services.kit.rabbit.cursors import Cursor
from services.kit.rabbit.parked import PARKED
from services.kit.telemetry import set_up
from tests.support.events import CHAIN, Effects, event, events
from tests.support.eventually import eventually
from tests.support.stage import Stage


async def test_an_event_arrives_as_it_was_sent(stage: Stage) -> None:
    await stage.consume()
    sent = event(1, traceparent=f"00-{1:032x}-{1:016x}-01")
    await stage.publish(sent)

    await stage.applies([1])
    assert stage.effects.handled == [sent]


async def test_events_are_kept_for_a_consumer_that_starts_later(stage: Stage) -> None:
    await stage.publish(*events(3))
    await stage.consume()

    await stage.applies([1, 2, 3])


async def test_a_duplicate_is_dropped(stage: Stage) -> None:
    await stage.consume()
    await stage.publish(*events(3))
    await stage.publish(*events(4))

    await stage.applies([1, 2, 3, 4])


async def test_a_gap_waits_and_holds_up_no_other(stage: Stage) -> None:
    await stage.consume()
    await stage.publish(event(2), event(3), event(3), event(1, "mem_2"))

    await stage.applies([1], "mem_2")
    await stage.parks(2)
    assert await stage.applied() == []

    await stage.publish(event(1))

    await stage.applies([1, 2, 3])
    assert await stage.cursor() == Cursor(sequence=3, parked=0)


async def test_a_gap_inside_what_is_parked_still_waits(stage: Stage) -> None:
    await stage.consume()
    await stage.publish(event(2), event(4), event(5))
    await stage.parks(3)
    await stage.publish(event(1))

    await stage.applies([1, 2])
    assert await stage.cursor() == Cursor(sequence=2, parked=2)

    await stage.publish(event(3))

    await stage.applies([1, 2, 3, 4, 5])
    assert await stage.cursor() == Cursor(sequence=5, parked=0)
    assert await stage.database.collection(PARKED).count_documents({"chain": CHAIN}) == 0


async def test_many_parked_events_follow_in_several_transactions(stage: Stage) -> None:
    await stage.consume()
    await stage.publish(*events(900)[1:])
    await stage.parks(899)
    await stage.publish(event(1))

    await stage.applies(range(1, 901))


async def test_streams_of_one_member_have_orders_of_their_own(stage: Stage) -> None:
    await stage.consume(service="feedback")
    await stage.publish(event(1), event(1, stream="members.member"), event(2, stream="members.member"))

    await stage.applies([1])
    await stage.applies([1, 2], stream="members.member")

    await stage.publish(event(1, stream="members.member"), event(1), event(2), event(3, stream="members.member"))

    await stage.applies([1, 2])
    await stage.applies([1, 2, 3], stream="members.member")


async def test_order_is_kept_under_load_by_two_consumers(stage: Stage) -> None:
    await stage.consume(max_batch=50)
    await stage.consume(max_batch=50)
    members = range(50)

    # As relays do: each has some of the members, and each member's events in order.
    lanes = [[event(at, f"mem_{member}") for at in range(1, 41) for member in members[lane::5]] for lane in range(5)]
    await asyncio.gather(*(stage.publish(*lane) for lane in lanes))

    for member in members:
        await stage.applies(range(1, 41), f"mem_{member}", within_s=30)


async def test_order_is_made_of_whatever_comes_twice_and_in_any_order(stage: Stage) -> None:
    await stage.consume(max_batch=20)
    everything = [one for number in range(5) for one in events(30, f"mem_{number}")]
    shuffled = Random(7).sample(everything * 2, 300)  # noqa: S311 - the same shuffle each time

    await stage.publish(*shuffled)

    for number in range(5):
        await stage.applies(range(1, 31), f"mem_{number}", within_s=30)
        assert await stage.cursor(f"mem_{number}") == Cursor(sequence=30, parked=0)


async def test_one_of_two_consumers_is_active_and_the_other_stands_by(stage: Stage) -> None:
    standing_by = Effects(stage.database)
    await stage.consume()
    await stage.consume(handle=standing_by.handle)
    await stage.publish(*(event(1, f"mem_{number}") for number in range(40)))

    for number in range(40):
        await stage.applies([1], f"mem_{number}")
    assert standing_by.handled == []


async def test_the_one_standing_by_takes_over_from_one_that_dies_in_the_middle(stage: Stage) -> None:
    dying, entered, release = Effects(stage.database), asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        entered.set()
        await release.wait()

    dying.gate = wait
    first = await stage.consume(handle=dying.handle)
    await stage.consume()
    await stage.publish(*events(20))
    await entered.wait()
    stage.cable.cut()
    assert first._task
    first._task.cancel()

    # The transaction of the first is still open and holds the cursors: the second waits for it, and wins.
    release.set()
    await stage.applies(range(1, 21), within_s=30)


async def test_a_lost_connection_is_mended_and_no_effect_doubled(stage: Stage) -> None:
    await stage.consume(max_batch=10)
    everything = events(300)
    for start in range(0, 300, 100):
        await stage.publish(*everything[start : start + 100])
        stage.cable.cut()

    await stage.applies(range(1, 301), within_s=30)


async def test_an_idle_consumer_notices_that_its_connection_is_lost(stage: Stage) -> None:
    await stage.consume()
    stage.cable.cut()
    await stage.publish(*events(3))

    await stage.applies([1, 2, 3])


async def test_a_consumer_makes_its_queues_again_when_they_are_gone(stage: Stage) -> None:
    await stage.consume()
    channel = await stage.publisher._open_channel()
    for queue in stage.topology.queues("members"):
        await channel.queue_delete(queue)

    async def all_are_back() -> bool:
        connection = await connect(stage.amqp_url, name="look")
        async with connection:
            look = await connection.channel()
            try:
                for queue in stage.topology.queues("members"):
                    await look.declare_queue(queue, passive=True)
            except ChannelNotFoundEntity:
                return False
        return True

    await eventually(all_are_back)
    await stage.publish(*events(3))
    await stage.applies([1, 2, 3])


async def test_a_crash_between_commit_and_acknowledgement_doubles_nothing(stage: Stage) -> None:
    async def cut_off() -> None:
        stage.effects.gate = None
        stage.cable.cut()

    stage.effects.gate = cut_off
    await stage.consume()
    await stage.publish(*events(5))

    await stage.applies([1, 2, 3, 4, 5])
    await stage.publish(event(6))
    await stage.applies([1, 2, 3, 4, 5, 6])


async def test_two_consumers_that_hold_the_same_events_apply_them_once(stage: Stage) -> None:
    """The first one was cut off and does not know yet; what it holds has been delivered to the second."""
    slow, entered, release = Effects(stage.database), asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        entered.set()
        await release.wait()

    slow.gate = wait
    await stage.consume(handle=slow.handle)
    await stage.publish(*events(5))
    await entered.wait()
    stage.cable.cut()
    await stage.consume()
    release.set()

    await stage.applies([1, 2, 3, 4, 5], within_s=30)
    await stage.publish(event(6))
    await stage.applies([1, 2, 3, 4, 5, 6], within_s=30)


async def test_stop_finishes_the_batch_under_way_and_leaves_the_rest(stage: Stage) -> None:
    entered, release = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        entered.set()
        await release.wait()

    stage.effects.gate = wait
    await stage.publish(*events(10))
    consumer = await stage.consume(max_batch=1)
    await entered.wait()
    stopping = asyncio.create_task(consumer.stop())
    await asyncio.wait({stopping}, timeout=0.1)
    release.set()
    await stopping

    assert await stage.applied() == [1]
    stage.effects.gate = None
    await stage.consume()
    await stage.applies(range(1, 11))


async def test_each_event_is_handled_in_a_span_of_its_own_trace(stage: Stage) -> None:
    exporter = InMemorySpanExporter()
    telemetry = set_up("members", {}, exporter=exporter)
    await stage.publish(*(event(number, traceparent=f"00-{number:032x}-{number:016x}-01") for number in (1, 2)))
    await stage.consume()
    await stage.applies([1, 2])
    await telemetry.stop()
    spans = [span for span in exporter.get_finished_spans() if span.kind is SpanKind.CONSUMER]

    assert [span.name for span in spans] == ["handle PurchaseBooked"] * 2
    parents = {(span.context.trace_id, span.parent and span.parent.span_id) for span in spans if span.context}
    assert parents == {(1, 1), (2, 2)}
    own = {f"00-{s.context.trace_id:032x}-{s.context.span_id:016x}-01" for s in spans if s.context}
    assert {one.traceparent for one in stage.effects.handled} == own
