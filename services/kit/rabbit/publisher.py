"""Publishing events: in order, persistent, each confirmed by every queue that it goes to."""

import asyncio
from collections.abc import Sequence

from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange
from aio_pika.exceptions import DeliveryError

from services.kit.errors import Kind, Problem
from services.kit.outbox.events import Event
from services.kit.rabbit.connection import BROKER_ERRORS, BrokerUnavailableError, close, connect
from services.kit.rabbit.messages import to_message
from services.kit.rabbit.topology import Topology

IN_FLIGHT = 256
"""Messages published and not yet confirmed, over all callers: beyond it throughput no longer grows."""

CONFIRM_TIMEOUT_S = 15.0
"""A broker that takes longer to write a message down has lost its majority or its disk."""


class NotTakenError(Problem):
    """The broker did not take event {id} of stream {stream}: {why}."""

    kind = Kind.UNAVAILABLE
    code = "NOT_TAKEN"


class RabbitPublisher:
    """Publishes over one channel, so that what is published first arrives first.

    Connects when first used and again after a break, and then declares the whole topology before anything else, so
    that an event never meets a missing queue.
    """

    def __init__(self, url: str, topology: Topology) -> None:
        self._url, self._topology = url, topology
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._connecting = asyncio.Lock()
        self._in_flight = asyncio.Semaphore(IN_FLIGHT)

    async def publish(self, events: Sequence[Event]) -> None:
        """Publish `events` in their order and return when all are confirmed.

        Raises `UnknownStreamError` before anything is sent; `BrokerUnavailableError` or `NotTakenError` when at
        least one was not confirmed. The caller then publishes all of them again: consumers drop what comes twice,
        and hold back what came too early.
        """
        mandatory = [self._topology.has_subscribers(event.stream) for event in events]
        exchange = await self._open_exchange()
        under_way: list[asyncio.Task[None]] = []
        failed: list[BaseException] = []

        def settle(task: asyncio.Task[None]) -> None:
            self._in_flight.release()
            if not task.cancelled() and (error := task.exception()) is not None:
                failed.append(error)

        try:
            for event, is_mandatory in zip(events, mandatory, strict=True):
                await self._in_flight.acquire()
                if failed:
                    self._in_flight.release()
                    break
                # Tasks start in the order in which they are made, and the channel's lock is fair: so the order on
                # the wire is the order of the events.
                task = asyncio.create_task(_publish(exchange, event, mandatory=is_mandatory))
                task.add_done_callback(settle)
                under_way.append(task)
            await asyncio.gather(*under_way, return_exceptions=True)
        except asyncio.CancelledError:
            for task in under_way:
                task.cancel()
            raise
        if failed:
            raise failed[0]

    async def close(self) -> None:
        """Close the connection; `publish` would open a new one."""
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            await close(connection)

    async def _open_exchange(self) -> AbstractExchange:
        async with self._connecting:
            if self._channel is None or self._channel.is_closed:
                await self.close()
                self._channel = await self._open_channel()
            return await self._channel.get_exchange(self._topology.events_exchange, ensure=False)

    async def _open_channel(self) -> AbstractChannel:
        self._connection = await connect(self._url, name=f"{self._topology.namespace}publisher")
        try:
            channel = await self._connection.channel(on_return_raises=True)
            await self._topology.declare(channel)
        except BROKER_ERRORS as error:
            await self.close()
            raise BrokerUnavailableError(why=type(error).__name__) from error
        return channel


async def _publish(exchange: AbstractExchange, event: Event, *, mandatory: bool) -> None:
    try:
        await exchange.publish(
            to_message(event), routing_key=event.stream, mandatory=mandatory, timeout=CONFIRM_TIMEOUT_S
        )
    except DeliveryError as error:
        # Returned (no queue) or refused (a queue is full).
        raise NotTakenError(id=event.id, stream=event.stream, why=str(error)) from error
    except BROKER_ERRORS as error:
        raise BrokerUnavailableError(why=type(error).__name__) from error
    except asyncio.CancelledError as error:
        if (task := asyncio.current_task()) is not None and task.cancelling():
            raise
        # Nobody cancelled the task: the channel cancels what waits for it when the connection breaks.
        raise BrokerUnavailableError(why="the connection was lost") from error
