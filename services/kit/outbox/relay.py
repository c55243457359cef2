"""Publishes what lies in the outbox: in order for each aggregate, nothing lost, twice only after a failure.

Each partition is served by one relay of all replicas, by lease. A change stream tells of new events; a slow sweep
finds what it may have missed, and what lay there before the stream was opened or the partition was taken.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

from pymongo.errors import PyMongoError

from services.kit.background import background
from services.kit.cancellation import check_cancelled
from services.kit.mongo.database import Database
from services.kit.mongo.drivers import Pipeline
from services.kit.mongo.leases import Lease, Leases
from services.kit.outbox.outbox import OUTBOX, Outbox
from services.kit.outbox.serving import Publisher, Serving, rest_s
from services.kit.outbox.shares import Shares

log = logging.getLogger(__name__)

WAKES: Pipeline = [
    {"$match": {"operationType": "insert", "fullDocument.wakes": True}},
    {"$project": {"fullDocument.chain": 1, "fullDocument.partition": 1}},
]

FAREWELL_S = 3.0
"""For giving leases back when stopping; what is not given back runs out."""


class Relay:
    """One replica's relay. `owner` is a name that no other running process has, never used again after a crash."""

    def __init__(
        self,
        outbox: Outbox,
        database: Database,
        publisher: Publisher,
        *,
        owner: str,
        ttl_ms: int = 10_000,
        sweep_s: float = 5.0,
    ) -> None:
        self._outbox, self._database, self._publisher = outbox, database, publisher
        self._renew_s, self._sweep_s = ttl_ms / 3_000, sweep_s
        leases = Leases(database, owner=owner, ttl_ms=ttl_ms)
        self._shares = Shares(leases, owner=owner, partitions=outbox.partitions, begin=self._begin)
        self._stopping = False
        self._settling = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to relay. Needs neither the database nor the broker to be up."""
        loops = {"shares": self._keep_shares, "listen": self._listen, "sweep": self._keep_sweeping}
        self._tasks = [background(loop(), name=f"outbox relay: {name}") for name, loop in loops.items()]

    async def stop(self, flush_s: float = 10.0) -> None:
        """Relay what waits in the partitions held here, for at most `flush_s`, then give them to the others."""
        self._stopping = True
        with suppress(TimeoutError, PyMongoError):
            async with asyncio.timeout(flush_s):
                await self._flush()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with suppress(TimeoutError, PyMongoError):
            async with asyncio.timeout(FAREWELL_S):
                await self._shares.leave()
        for serving in self._shares.serving.values():
            serving.abandon()

    def _begin(self, partition: int, lease: Lease) -> Serving:
        return Serving(self._outbox, self._publisher, partition=partition, lease=lease)

    async def _keep_shares(self) -> None:
        async def settle() -> None:
            async with self._settling:
                taken = await self._shares.settle(take=not self._stopping)
            await self._sweep(taken)

        await _for_ever(settle, every_s=self._renew_s)

    async def _keep_sweeping(self) -> None:
        async def sweep() -> None:
            await self._sweep(self._shares.serving)

        await _for_ever(sweep, every_s=self._sweep_s)

    async def _listen(self) -> None:
        async def listen() -> None:
            async with self._database.watch(OUTBOX, WAKES) as changes:
                await self._sweep(self._shares.serving)
                async for change in changes:
                    row = change["fullDocument"]
                    self._wake(row["partition"], row["chain"])

        await _for_ever(listen, every_s=0.1)

    async def _sweep(self, partitions: Iterable[int]) -> bool:
        """Wake the chains that have events waiting in `partitions` and tell whether there are any."""
        looked_at = list(partitions)
        chains = await self._outbox.chains() if looked_at else []
        found = False
        for partition in looked_at:
            for chain in await self._outbox.waiting_chains(partition, chains):
                self._wake(partition, chain)
                found = True
        check_cancelled()
        return found

    def _wake(self, partition: int, chain: str) -> None:
        if serving := self._shares.serving.get(partition):
            serving.wake(chain)

    async def _flush(self) -> None:
        async with self._settling:  # what is just being taken is seen below, and given back later
            pass
        while await self._sweep(number for number, serving in self._shares.serving.items() if not serving.ended):
            for serving in list(self._shares.serving.values()):
                await serving.settled()


async def _for_ever(work: Callable[[], Awaitable[None]], *, every_s: float) -> None:
    """Repeat `work` at intervals; after a failure sooner at first, and later the longer it goes on failing."""
    failures = 0
    while True:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - the database may be away for any reason; this must outlive it
            failures += 1
            log.warning("outbox relay: %r; attempt %d failed", error, failures)
        else:
            failures = 0
        check_cancelled()
        await asyncio.sleep(rest_s(failures) if failures else every_s)
