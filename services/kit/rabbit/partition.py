"""One partition queue, worked off in batches over one channel.

A message is acknowledged when its effects are committed, or its event is parked. A crash in between brings it again,
and the cursor drops it. What fails, fails alone: the others of its batch, and of its partition, go on.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import DeliveryError
from aiormq.abc import DeliveredMessage

from services.kit.errors import Kind, Problem
from services.kit.outbox.events import Event
from services.kit.rabbit.connection import BROKER_ERRORS, CALL_TIMEOUT_S
from services.kit.rabbit.failures import DATABASE_TROUBLE, Verdict, judge, words
from services.kit.rabbit.inbox import Inbox
from services.kit.rabbit.messages import DELIVERY_COUNT, MalformedMessageError, to_event, to_message
from services.kit.rabbit.sending import send_to_queue
from services.kit.rabbit.sequencing import Origin

HANDLE_TIMEOUT_S = 30.0
"""For one batch. MongoDB gives a transaction 60 seconds."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
"""Before what failed is tried again; doubled each time. Others are not held up by it."""

DATABASE_PAUSE_S = 2.0
"""At most, between two tries while the database is away."""

T = TypeVar("T")

_log = logging.getLogger(__name__)


class StoppedError(Exception):
    """The partition was stopped, or its channel is gone; what is not acknowledged goes back to its queue."""


class QueueFullError(Problem):
    """The queue {queue} has no room for an event that is to be tried again."""

    kind = Kind.UNAVAILABLE
    code = "QUEUE_FULL"


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event that has arrived and is not yet acknowledged."""

    event: Event
    tag: int
    returns: int  # how often it came back to its queue before


class Partition:
    """Works off one queue until it is stopped."""

    def __init__(self, channel: AbstractChannel, *, queue: str, inbox: Inbox, max_batch: int) -> None:
        self._channel, self._queue, self._inbox, self._max_batch = channel, queue, inbox, max_batch
        self._arrived: asyncio.Queue[Delivery | None] = asyncio.Queue()  # bounded by the channel's prefetch
        self._stopped = asyncio.Event()
        self._held: set[int] = set()  # tags that are neither in a batch nor acknowledged
        self._later: set[asyncio.Task[None]] = set()

    async def consume(self) -> None:
        """Begin to receive: one batch is prefetched while another is worked off."""
        await self._channel.set_qos(prefetch_count=2 * self._max_batch, timeout=CALL_TIMEOUT_S)
        # On the channel underneath: wrapping each message for aio-pika costs a third of receiving it.
        channel = await self._channel.get_underlay_channel()
        await channel.basic_consume(self._queue, self._arrive, timeout=CALL_TIMEOUT_S)

    async def run(self) -> None:
        """Work off batches until `stop`, or until the channel is gone."""
        try:
            while batch := await self._next_batch():
                await self._work_off(batch)
        except StoppedError:
            pass
        except BROKER_ERRORS as error:
            _log.info("%s: %s; what is not acknowledged comes again", self._queue, type(error).__name__)
        finally:
            for task in self._later:
                task.cancel()

    def stop(self) -> None:
        """Finish the batch under way and leave the rest."""
        self._stopped.set()
        self._arrived.put_nowait(None)

    async def _arrive(self, message: DeliveredMessage) -> None:
        properties, tag = message.header.properties, message.delivery_tag
        if tag is None:
            return
        headers: Mapping[str, Any] = properties.headers or {}
        try:
            event = to_event(headers, message.body)
        except MalformedMessageError as error:
            _log.error("%s: message %s: %s", self._queue, properties.message_id, error.message)
            await self._reject(tag, requeue=False)
            return
        self._arrived.put_nowait(Delivery(event, tag=tag, returns=int(headers.get(DELIVERY_COUNT, 0))))

    async def _next_batch(self) -> list[Delivery]:
        """Return what has arrived, at least one; nothing once stopped."""
        batch: list[Delivery] = []
        while not self._stopped.is_set() and len(batch) < self._max_batch:
            if batch and self._arrived.empty():
                break
            if (delivery := await self._arrived.get()) is not None:
                batch.append(delivery)
        return batch

    async def _work_off(self, batch: Sequence[Delivery]) -> None:
        try:
            refused = await self._take_all([delivery.event for delivery in batch])
        except StoppedError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a handler raises; each is tried alone and judged there
            _log.warning("%s: a batch of %d failed (%s); one by one", self._queue, len(batch), type(error).__name__)
            await self._one_by_one(batch)
        else:
            await self._settle(batch, refused)

    async def _take_all(self, events: Sequence[Event]) -> Sequence[Event]:
        """Take `events` and every parked one that is then next; return those that were refused."""
        taken = await self._outlast(partial(self._inbox.take, events))
        refused = taken.refused
        while taken.unfinished:
            taken = await self._outlast(partial(self._inbox.take, (), origins=taken.unfinished))
        return refused

    async def _one_by_one(self, batch: Sequence[Delivery]) -> None:
        for delivery in batch:
            if self._stopped.is_set():
                raise StoppedError
            try:
                taken = await self._outlast(partial(self._inbox.take, [delivery.event], follow=0))
                await self._follow(taken.unfinished)
            except StoppedError:
                raise
            except Exception as error:  # noqa: BLE001 - as above; `judge` decides
                await self._give_back(delivery, error)
            else:
                await self._settle([delivery], taken.refused)

    async def _follow(self, origins: Sequence[Origin]) -> None:
        """Take parked events that are next, each alone. One that fails goes back into the queue, to be judged there."""
        while origins:
            try:
                origins = (await self._outlast(partial(self._inbox.take, (), origins=origins, follow=1))).unfinished
            except StoppedError:
                raise
            except Exception:  # noqa: BLE001 - as above
                await self._put_back(origins[0])
                return

    async def _put_back(self, origin: Origin) -> None:
        event = await self._outlast(partial(self._inbox.next_parked, origin))
        if event is None:
            return
        try:
            await send_to_queue(self._channel, to_message(event), queue=self._queue)
        except DeliveryError as error:
            raise QueueFullError(queue=self._queue) from error
        except BROKER_ERRORS as error:
            raise StoppedError from error
        await self._outlast(partial(self._inbox.forget_parked, event))

    async def _give_back(self, delivery: Delivery, error: Exception) -> None:
        event, verdict = delivery.event, judge(error)
        _log.error(
            "%s: %s %s (%s of %s, try %d): %s: %s",
            *(self._queue, event.type, event.id, event.sequence, event.aggregate, delivery.returns + 1),
            *(verdict.name.lower(), words(error)),
            exc_info=error if verdict is Verdict.FAILED else None,
        )
        if verdict is Verdict.OUTAGE:
            self._do_later(LONGEST_PAUSE_S, delivery, self._try_again)
            return
        await self._outlast(partial(self._inbox.note_failure, event, words(error)))
        if verdict is Verdict.POISON:
            self._held.discard(delivery.tag)
            await self._reject(delivery.tag, requeue=False)
        else:
            pause_s = min(FIRST_PAUSE_S * 2**delivery.returns, LONGEST_PAUSE_S)
            self._do_later(pause_s, delivery, self._return)

    def _do_later(self, pause_s: float, delivery: Delivery, then: Callable[[Delivery], Awaitable[None]]) -> None:
        async def after_pause() -> None:
            await asyncio.sleep(pause_s)
            await then(delivery)

        self._held.add(delivery.tag)
        task = asyncio.create_task(after_pause())
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def _try_again(self, delivery: Delivery) -> None:
        self._arrived.put_nowait(delivery)

    async def _return(self, delivery: Delivery) -> None:
        """Have the broker count a failed try: it delivers again, or gives up at the limit."""
        self._held.discard(delivery.tag)
        await self._reject(delivery.tag, requeue=True)

    async def _reject(self, tag: int, *, requeue: bool) -> None:
        try:
            channel = await self._channel.get_underlay_channel()
            await channel.basic_reject(tag, requeue=requeue, wait=False)
        except BROKER_ERRORS:
            # The channel is gone, and with it everything that was not acknowledged: the broker has it back already.
            self.stop()

    async def _settle(self, batch: Sequence[Delivery], refused: Sequence[Event]) -> None:
        """Acknowledge what is committed; what was refused becomes a dead letter."""
        too_many = {event.id for event in refused}
        settled = []
        for delivery in batch:
            self._held.discard(delivery.tag)
            if delivery.event.id in too_many:
                await self._reject(delivery.tag, requeue=False)
            else:
                settled.append(delivery.tag)
        if not settled:
            return
        channel = await self._channel.get_underlay_channel()
        last = max(settled)
        if all(tag > last for tag in self._held):
            await channel.basic_ack(last, multiple=True, wait=False)
            return
        for tag in settled:
            await channel.basic_ack(tag, wait=False)

    async def _outlast(self, call: Callable[[], Awaitable[T]]) -> T:
        """Return what `call` returns, however long the database is away; everything waits for it, so no event counts
        a failed try."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                async with asyncio.timeout(HANDLE_TIMEOUT_S):
                    return await call()
            except DATABASE_TROUBLE as error:
                _log.warning("%s: %s; trying again in %.1f s", self._queue, type(error).__name__, pause_s)
            await self._pause(pause_s)
            pause_s = min(2 * pause_s, DATABASE_PAUSE_S)

    async def _pause(self, pause_s: float) -> None:
        try:
            async with asyncio.timeout(pause_s):
                await self._stopped.wait()
        except TimeoutError:
            return
        raise StoppedError
