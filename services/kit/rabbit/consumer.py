"""Consuming a service's events: each effect once, each aggregate in order, on any number of replicas.

Every replica subscribes to every partition; the broker lets one of them be active for each (single active consumer)
and takes the next when that one is gone.
"""

import asyncio
import logging
import random

from aio_pika.abc import AbstractConnection

from services.kit.mongo.database import Database
from services.kit.rabbit.connection import BROKER_ERRORS, BrokerUnavailableError, close, connect
from services.kit.rabbit.inbox import MAX_PARKED, Handle, Inbox
from services.kit.rabbit.partition import Partition
from services.kit.rabbit.topology import Topology, TopologyError

MAX_BATCH = 500
"""Beyond it a transaction gets slower than it saves."""

START_WITHIN_S = 30.0
STOP_WITHIN_S = 30.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 5.0

_log = logging.getLogger(__name__)


class Consumer:
    """Hands every event of the service's streams to `handle` (see `Handle`), in batches, each with its transaction."""

    def __init__(
        self,
        url: str,
        topology: Topology,
        *,
        service: str,
        database: Database,
        handle: Handle,
        max_batch: int = MAX_BATCH,
        max_parked: int = MAX_PARKED,
    ) -> None:
        self._url, self._topology, self._service, self._max_batch = url, topology, service, max_batch
        self._inbox = Inbox(database, handle=handle, max_parked=max_parked)
        self._consuming, self._stopping, self._ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Return when events are being received; from then on breaks are mended without a word to the caller.

        Raises `TopologyError`, or `BrokerUnavailableError` when the broker stays away.
        """
        self._task = asyncio.create_task(self._keep_consuming())
        consuming = asyncio.create_task(self._consuming.wait())
        done, _ = await asyncio.wait(
            {self._task, consuming}, timeout=START_WITHIN_S, return_when=asyncio.FIRST_COMPLETED
        )
        consuming.cancel()
        if self._task in done:
            await self._task
        if not done:
            await self.stop()
            raise BrokerUnavailableError(why=f"no connection within {START_WITHIN_S:.0f} s")

    async def stop(self) -> None:
        """Finish the batches under way and leave the rest to others; give up on them after `STOP_WITHIN_S`."""
        self._stopping.set()
        self._ended.set()
        if self._task is None:
            return
        await asyncio.wait({self._task}, timeout=STOP_WITHIN_S)
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _keep_consuming(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._stopping.is_set():
            self._ended = asyncio.Event()
            try:
                await self._consume_until_ended(self._ended)
                pause_s = FIRST_PAUSE_S
            except TopologyError as error:
                if not self._consuming.is_set():
                    raise
                _log.error("%s: %s", self._service, error.message)
            except (BrokerUnavailableError, *BROKER_ERRORS) as error:
                _log.warning("%s: %s: %s", self._service, type(error).__name__, error)
            except Exception:  # noqa: BLE001 - a fault of our own: what it happened to comes again, to the delivery limit
                _log.exception("%s: consuming broke off", self._service)
            if await self._stopped_within(pause_s * random.uniform(0.5, 1)):  # noqa: S311 - only spreads replicas
                return
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _consume_until_ended(self, ended: asyncio.Event) -> None:
        """Consume over one connection until it breaks, the broker cancels a consumer, or `stop`."""
        connection = await connect(self._url, name=f"{self._topology.namespace}{self._service}.consumer")
        running: list[asyncio.Task[None]] = []
        try:
            await self._topology.declare(await connection.channel())
            partitions = [
                await self._subscribe(connection, queue, ended) for queue in self._topology.queues(self._service)
            ]
            running += [asyncio.create_task(partition.run()) for partition in partitions]
            for task in running:
                task.add_done_callback(lambda _: ended.set())
            self._consuming.set()
            await ended.wait()
            for partition in partitions:
                partition.stop()
            await asyncio.gather(*running)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            await close(connection)

    async def _subscribe(self, connection: AbstractConnection, queue: str, ended: asyncio.Event) -> Partition:
        # A channel for each queue: acknowledging "all up to this one" counts within a channel.
        channel = await connection.channel(on_return_raises=True)
        channel.close_callbacks.add(lambda *_: ended.set())
        underlying = await channel.get_underlay_channel()
        underlying.on_consumer_cancel_callbacks.add(lambda _: ended.set())
        partition = Partition(channel, queue=queue, inbox=self._inbox, max_batch=self._max_batch)
        await partition.consume()
        return partition

    async def _stopped_within(self, pause_s: float) -> bool:
        try:
            async with asyncio.timeout(pause_s):
                return await self._stopping.wait()
        except TimeoutError:
            return False
