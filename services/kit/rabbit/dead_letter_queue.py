"""The queue of what a service could not work off: looked into without changing it, or put back where it came from."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import DeliveryError
from aiormq.exceptions import ChannelLockedResource

from services.kit.errors import Kind, Problem
from services.kit.outbox.events import Event
from services.kit.rabbit.connection import BROKER_ERRORS, CALL_TIMEOUT_S, BrokerUnavailableError, close, connect
from services.kit.rabbit.messages import MalformedMessageError, to_event
from services.kit.rabbit.sending import send_to_queue
from services.kit.rabbit.topology import Topology

MOST = 10_000
"""Dead letters seen by one look: they are in memory meanwhile, a few kilobytes each.

A look takes all that there are up to this bound, however few are wanted: what is taken goes back behind what was
returned before and not taken, so a part of the queue would change places with the rest.
"""

AT_ONCE = 100
"""Messages put back before their confirms are awaited."""

LOOK_WITHIN_S = 8.0
"""Less than the time that a caller gives."""

PAUSE_S = 0.02


class DeadLettersBusyError(Problem):
    """Somebody else is looking into the dead letters of {service}; ask again in a moment."""

    kind = Kind.OVERLOADED
    code = "DEAD_LETTERS_BUSY"


class NotReplayedError(Problem):
    """The queue {queue} that dead letter {id} came from is full or no longer exists."""

    kind = Kind.REFUSED
    code = "NOT_REPLAYED"


@dataclass(frozen=True, slots=True)
class Dead:
    """A message that was given up."""

    message: AbstractIncomingMessage
    event: Event | None  # None: it is not an event, see `flaw`
    flaw: str
    queue: str  # where it came from
    reason: str  # "rejected" or "delivery_limit"
    died_at: datetime | None

    @property
    def id(self) -> str:
        """The event's id, else the message's."""
        return self.event.id if self.event else self.message.message_id or ""


@dataclass(frozen=True, slots=True)
class Look:
    """What lies in the queue, and stays there but for what is put back."""

    dead: Sequence[Dead]  # the oldest first
    total: int  # with those beyond the bound of the look
    channel: AbstractChannel

    async def put_back(self, some: Sequence[Dead]) -> None:
        """Return dead letters to their queues, in order, or raise `NotReplayedError`.

        Each is removed after its queue has confirmed it: a break in between leaves it in both, and the consumer
        drops what it has applied already.
        """
        for start in range(0, len(some), AT_ONCE):
            window = some[start : start + AT_ONCE]
            sent = [send_to_queue(self.channel, dead.message, queue=dead.queue) for dead in window]
            results = await asyncio.gather(*sent, return_exceptions=True)
            for dead, result in zip(window, results, strict=True):
                if isinstance(result, DeliveryError):
                    raise NotReplayedError(queue=dead.queue, id=dead.id) from result
                if result is not None:
                    raise result
                await dead.message.ack()


class DeadLetterQueue:
    """The dead-letter queue of one service."""

    def __init__(self, url: str, topology: Topology, *, service: str) -> None:
        self._url, self._topology, self._service = url, topology, service
        self._name = topology.dead_letter_queue(service)

    @asynccontextmanager
    async def look(self) -> AsyncIterator[Look]:
        """Hold the oldest dead letters, at most `MOST`, for as long as the context lasts; one look at a time.

        Raises `DeadLettersBusyError`, `BrokerUnavailableError`.
        """
        connection = await connect(self._url, name=f"{self._name}.look")
        try:
            async with asyncio.timeout(LOOK_WITHIN_S):
                await self._lock(connection)
                channel = await connection.channel(on_return_raises=True)
                await self._topology.declare(channel)
                arrived, total = await self._receive(channel)
            try:
                dead = sorted(map(_dead, arrived), key=_died_at)
                yield Look(dead=dead, total=total, channel=channel)
            finally:
                # Before the lock goes with the connection: what is not acknowledged is then back in its old place.
                await channel.close()
        except BROKER_ERRORS as error:
            raise BrokerUnavailableError(why=type(error).__name__) from error
        finally:
            await close(connection)

    async def _lock(self, connection: AbstractConnection) -> None:
        """Keep others out, on any replica: an exclusive queue belongs to the connection that made it.

        Without it the second of two looks would find nothing, and returned messages could change places.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + LOOK_WITHIN_S / 2
        while True:
            channel = await connection.channel()
            with suppress(ChannelLockedResource):
                await channel.declare_queue(f"{self._name}.look", exclusive=True, timeout=CALL_TIMEOUT_S)
                return
            if loop.time() > deadline:
                raise DeadLettersBusyError(service=self._service, retry_after_ms=1_000)
            await asyncio.sleep(PAUSE_S)

    async def _receive(self, channel: AbstractChannel) -> tuple[list[AbstractIncomingMessage], int]:
        arrived: list[AbstractIncomingMessage] = []

        async def arrive(message: AbstractIncomingMessage) -> None:
            arrived.append(message)

        await channel.set_qos(prefetch_count=MOST, timeout=CALL_TIMEOUT_S)
        queue = await channel.get_queue(self._name, ensure=False)
        await queue.consume(arrive, timeout=CALL_TIMEOUT_S)
        while True:
            # Asked twice on the channel that receives: what had left the queue at the first answer has arrived
            # before the second.
            left = await self._ready(channel)
            await self._ready(channel)
            if len(arrived) >= MOST or not left:
                return arrived, len(arrived) + left
            await asyncio.sleep(PAUSE_S)

    async def _ready(self, channel: AbstractChannel) -> int:
        """Return how many messages are in the queue and not held by anyone."""
        underlying = await channel.get_underlay_channel()
        answer = await underlying.queue_declare(self._name, passive=True, timeout=CALL_TIMEOUT_S)
        return answer.message_count or 0


def _dead(message: AbstractIncomingMessage) -> Dead:
    deaths: Any = message.headers.get("x-death") or [{}]
    event, flaw = None, ""
    try:
        event = to_event(message.headers, message.body)
    except MalformedMessageError as error:
        flaw = error.message
    return Dead(
        message=message,
        event=event,
        flaw=flaw,
        queue=deaths[0].get("queue", ""),
        reason=deaths[0].get("reason", ""),
        died_at=deaths[0].get("time"),
    )


def _died_at(dead: Dead) -> datetime:
    """Return the time of death, in whole seconds: those of one second keep the queue's order."""
    return dead.died_at or datetime.min.replace(tzinfo=UTC)
