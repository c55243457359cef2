"""Which partitions this relay serves: about as many as each of the other live relays, by lease."""

import asyncio
import logging
from collections.abc import Callable
from math import ceil

from services.kit.mongo.leases import Lease, Leases
from services.kit.outbox.serving import Serving

log = logging.getLogger(__name__)

PRESENT = "outbox-relay/"
PARTITION = "outbox-partition/"


class Shares:
    """Takes partitions up to the fair share, and gives back what is above it when another relay comes."""

    def __init__(self, leases: Leases, *, owner: str, partitions: int, begin: Callable[[int, Lease], Serving]) -> None:
        self.serving: dict[int, Serving] = {}
        self._leases, self._owner, self._partitions, self._begin = leases, owner, partitions, begin
        self._presence: Lease | None = None

    async def settle(self, *, take: bool = True) -> list[int]:
        """Renew what is held, give back what is too much, take what is free; return the partitions newly taken.

        To be called several times within a lease's life. With `take` false (when stopping) nothing changes hands.
        """
        await self._be_present()
        await self._renew()
        if not take:
            return []
        live = len(await self._leases.holders(PRESENT))
        share = ceil(self._partitions / max(1, live))
        for partition in sorted(self.serving)[share:]:
            self.serving[partition].finish()  # and given back when it has: others must be renewed meanwhile
        return await self._take(share)

    async def leave(self) -> None:
        """Give everything back, each partition after the batch under way."""
        for serving in self.serving.values():
            serving.finish()
        for partition, serving in list(self.serving.items()):
            await serving.finished()
            await self._give_back(partition)
        if self._presence:
            await self._leases.release(self._presence)

    async def _be_present(self) -> None:
        if self._presence:
            self._presence = await self._leases.renew(self._presence)
        else:
            await self._leases.forget(PRESENT)
        if self._presence is None:
            self._presence = await self._leases.acquire(PRESENT + self._owner)

    async def _renew(self) -> None:
        await asyncio.gather(*(self._keep(partition, serving) for partition, serving in self.serving.items()))

    async def _keep(self, partition: int, serving: Serving) -> None:
        if serving.ended:
            await self._give_back(partition)
        elif renewed := await self._leases.renew(serving.lease):
            serving.extend(renewed)
        else:
            log.warning("outbox partition %d: another relay has it", partition)
            serving.abandon()
            del self.serving[partition]

    async def _take(self, share: int) -> list[int]:
        taken: list[int] = []
        for partition in range(self._partitions):
            if len(self.serving) >= share:
                break
            if partition in self.serving:
                continue
            if lease := await self._leases.acquire(f"{PARTITION}{partition}"):
                self.serving[partition] = self._begin(partition, lease)
                taken.append(partition)
        return taken

    async def _give_back(self, partition: int) -> None:
        await self._leases.release(self.serving.pop(partition).lease)
