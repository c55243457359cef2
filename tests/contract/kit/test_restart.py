"""The database goes away and comes back while events are written and relayed."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest

from infra.local.mongod import Mongod
from infra.local.ports import free_port
from services.kit.mongo.database import ContendedError, Database, DatabaseDownError, Driver
from services.kit.mongo.transactions import OutcomeUnknownError
from services.kit.outbox.outbox import Outbox
from services.kit.outbox.relay import Relay
from tests.support.clock import FixedClock
from tests.support.eventually import eventually
from tests.support.outbox import AGGREGATES, Received, Writer, left


@pytest.fixture(scope="module")
def mongod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mongod]:
    """Yield a server of this test's own, because it is killed."""
    with free_port() as port, Mongod(tmp_path_factory.mktemp("killed"), port=port) as mongod:
        yield mongod


@pytest.fixture
async def database(mongod: Mongod, driver: Driver) -> AsyncIterator[Database]:
    database = Database.connect(mongod.url, name=f"test_{uuid4().hex}", driver=driver)
    yield database
    await database.drop()
    await database.close()


async def test_nothing_is_lost_or_overtaken_when_mongod_is_killed(
    database: Database, mongod: Mongod, clock: FixedClock
) -> None:
    outbox, received = Outbox(database), Received()
    writer = Writer(database, outbox, clock)
    await writer.set_up()
    relay = Relay(outbox, database, received, owner="relay", ttl_ms=2_000, sweep_s=600)
    await relay.start()
    aggregates = [f"a{number}" for number in range(6)]
    acknowledged, enough = 0, asyncio.Event()

    async def write() -> None:
        nonlocal acknowledged
        while not enough.is_set():
            try:
                await writer.happen(*aggregates)
            except (ContendedError, DatabaseDownError, OutcomeUnknownError):
                continue
            acknowledged += 1

    async def empty() -> bool:
        return await left(database) == 0

    writing = asyncio.create_task(write())
    await eventually(lambda: len(received) >= 30, within_s=30)
    mongod._child.kill()
    mongod.start()  # not on another thread: the kernel ends a child with the thread that started it
    before = acknowledged
    await eventually(lambda: acknowledged >= before + 5, within_s=30)
    enough.set()
    await writing
    await eventually(empty, within_s=30)
    counts = received.counts()
    rows = await database.collection(AGGREGATES).find({"chain": "c"}).to_list(10)
    assert counts == {("c", row["aggregate"]): row["events"]["sequence"] for row in rows}
    assert min(counts.values()) >= acknowledged
    await relay.stop()
