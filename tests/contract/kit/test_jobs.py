import asyncio
import logging

import pytest

from services.kit import jobs
from services.kit.jobs import Job, Jobs
from services.kit.mongo.database import Database
from services.kit.mongo.leases import LEASES, Leases
from tests.support.eventually import eventually


def replica(database: Database, owner: str, ran: list[str], *, ttl_ms: int = 10_000) -> Jobs:
    async def run() -> None:
        ran.append(owner)

    return Jobs([Job(name="sweep", every_s=0.02, run=run)], Leases(database, owner=owner, ttl_ms=ttl_ms))


async def test_a_job_runs_again_and_again_in_one_replica_only(database: Database) -> None:
    ran: list[str] = []
    first, second = replica(database, "first", ran), replica(database, "second", ran)
    await first.start()
    await eventually(lambda: len(ran) >= 3)
    await second.start()
    await eventually(lambda: len(ran) >= 10)
    assert set(ran) == {"first"}
    await first.stop()
    del ran[:]
    await eventually(lambda: len(ran) >= 3)
    assert set(ran) == {"second"}
    await second.stop()
    count = len(ran)
    assert await Leases(database, owner="third").acquire("job/sweep") is not None
    assert len(ran) == count


async def test_a_lease_outlasts_its_first_life(database: Database) -> None:
    ran: list[str] = []
    first, second = replica(database, "first", ran, ttl_ms=1_000), replica(database, "second", ran, ttl_ms=1_000)
    await first.start()
    await eventually(lambda: len(ran) >= 1)
    await second.start()
    began = asyncio.get_running_loop().time()
    await eventually(lambda: asyncio.get_running_loop().time() - began > 2.5)
    assert set(ran) == {"first"}
    await first.stop()
    await second.stop()


async def test_a_job_that_fails_is_tried_again(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    tries: list[int] = []

    async def run() -> None:
        tries.append(1)
        message = "not today"
        raise RuntimeError(message)

    part = Jobs([Job(name="sweep", every_s=0.01, run=run)], Leases(database, owner="one"))
    await part.start()
    await eventually(lambda: len(tries) >= 3)
    await part.stop()
    assert "job sweep failed; it is due again in 0 s" in caplog.text


async def test_a_run_that_hangs_is_cut_short(database: Database) -> None:
    tries: list[int] = []

    async def run() -> None:
        tries.append(1)
        await asyncio.Event().wait()

    part = Jobs([Job(name="sweep", every_s=0.01, run=run, within_s=0.05)], Leases(database, owner="one"))
    await part.start()
    await eventually(lambda: len(tries) >= 2)
    await part.stop()


async def test_a_stop_cuts_short_what_runs_and_then_gives_the_lease_back(database: Database) -> None:
    inside, ending, end = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def run() -> None:
        inside.set()
        try:
            await asyncio.Event().wait()
        finally:
            ending.set()
            await end.wait()

    part = Jobs([Job(name="sweep", every_s=60, run=run)], Leases(database, owner="one"))
    other = Leases(database, owner="other")
    await part.start()
    await asyncio.wait_for(inside.wait(), 10)
    stopping = asyncio.create_task(part.stop())
    await asyncio.wait_for(ending.wait(), 10)
    assert await other.acquire("job/sweep") is None
    assert not stopping.done()
    end.set()
    await asyncio.wait_for(stopping, 10)
    assert await other.acquire("job/sweep") is not None


async def test_who_loses_the_lease_stops_working(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    ran: list[str] = []
    part = replica(database, "first", ran, ttl_ms=300)
    await part.start()
    await eventually(lambda: len(ran) >= 1)
    with caplog.at_level(logging.WARNING, jobs.__name__):
        await database.collection(LEASES).update_one({"_id": "job/sweep"}, {"$inc": {"fence": 1}})
        await eventually(lambda: "job sweep: its lease was lost" in caplog.text)
    await part.stop()
