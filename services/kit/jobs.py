"""Scheduled work: each job runs in one process at a time, whichever of the replicas holds its lease."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from pymongo.errors import PyMongoError

from services.kit.background import background
from services.kit.cancellation import check_cancelled
from services.kit.mongo.leases import Lease, Leases
from services.kit.telemetry import span

LOOK_EVERY_S = 5.0
"""How often a replica that does not hold a job's lease asks for it: a dead one is followed up within ttl + this."""

SHORTEST_WAIT_S = 0.05
"""Between two tries to renew a lease while the database is away."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Work that is due every `every_s`. `run` must bear to be cut short at any await and done again."""

    name: str
    every_s: float
    run: Callable[[], Awaitable[object]]
    within_s: float = 600.0  # a run that takes longer is cut short: it would keep the lease from others for ever


class Jobs:
    """A part of the process: runs those of `jobs` whose lease it gets. A failed one is tried when it is next due."""

    def __init__(self, jobs: Sequence[Job], leases: Leases) -> None:
        self._jobs, self._leases = jobs, leases
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to ask for leases."""
        self._tasks = [background(self._attend(job), name=f"job {job.name}") for job in self._jobs]

    async def stop(self) -> None:
        """Cut short what runs, and give the leases back."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def _attend(self, job: Job) -> None:
        while True:
            check_cancelled()
            try:
                if lease := await self._leases.acquire(f"job/{job.name}"):
                    await self._lead(job, lease)
            except PyMongoError as error:
                _log.warning("job %s: its lease cannot be asked for: %s", job.name, type(error).__name__)
            await asyncio.sleep(min(job.every_s, LOOK_EVERY_S))

    async def _lead(self, job: Job, lease: Lease) -> None:
        """Run the job whenever it is due, for as long as the lease can be renewed."""
        working = asyncio.create_task(_repeat(job))
        held: Lease | None = lease
        try:
            while held:
                lease = held
                held = await self._renewed(lease)
            _log.warning("job %s: its lease was lost", job.name)
        finally:
            working.cancel()
            await asyncio.wait({working})
            with suppress(PyMongoError):  # it runs out by itself
                await self._leases.release(lease)

    async def _renewed(self, lease: Lease) -> Lease | None:
        """Return the lease, renewed after a third of its life; None when it is lost."""
        loop = asyncio.get_running_loop()
        while (left_s := lease.good_until - loop.time()) > 0:
            check_cancelled()
            await asyncio.sleep(max(SHORTEST_WAIT_S, left_s / 3))
            with suppress(PyMongoError):  # away for a moment: there is time to try again
                return await self._leases.renew(lease)
        return None


async def _repeat(job: Job) -> None:
    loop = asyncio.get_running_loop()
    while True:
        check_cancelled()
        began = loop.time()
        try:
            with span(f"job {job.name}", parent_traceparent=""):
                async with asyncio.timeout(job.within_s):
                    await job.run()
        except Exception:  # noqa: BLE001 - one failed run must not end the job for good
            _log.exception("job %s failed; it is due again in %.0f s", job.name, job.every_s)
        await asyncio.sleep(max(0.0, job.every_s - (loop.time() - began)))
