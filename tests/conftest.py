"""What tests share: the real servers, a database and a namespace of their own, a clock that stands still.

`MONGO_URL` and `AMQP_URL` are used when set; otherwise each server is started once per run, when the first test asks.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4
from zlib import crc32

import pytest

from infra.local.given import forget_mongodb, forget_rabbitmq
from infra.local.mongod import Mongod
from infra.local.ports import free_port
from infra.local.rabbitmq import RabbitMQ
from infra.local.settings import SERVICES, Servers
from services.kit.mongo.database import Database
from services.kit.mongo.drivers import Driver
from services.kit.rabbit.topology import Topology
from tests.support.clock import FixedClock
from tests.support.eventually import eventually
from tests.support.platform import Platform
from tests.support.recycled import Recycled

TOPOLOGY_FILE = Path(__file__).parents[1] / "infra" / "broker" / "topology.toml"


ON_EVERY_DRIVER = Path(__file__).parent / "contract" / "kit"
"""Where the drivers' differences are dealt with: what is tested there is tested on each of them."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say on which MongoDB drivers tests run."""
    parser.addoption(
        "--driver",
        choices=["share", "both", *Driver],
        default="share",
        help="which MongoDB driver: one of them, both, or each test on one of the two, kit's on both (usual)",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the drivers that were not asked for."""
    wanted = config.getoption("--driver")
    left_out = [item for item in items if not _is_wanted(item, wanted)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]


def _is_wanted(item: pytest.Item, wanted: str) -> bool:
    params = dict(item.callspec.params) if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    driver = params.pop("driver", None)
    if driver is None or wanted == "both":
        return True
    if wanted != "share":
        return bool(driver == wanted)
    if item.path.is_relative_to(ON_EVERY_DRIVER):
        return True
    name = item.nodeid.replace(str(driver), "")
    return list(Driver)[crc32(name.encode()) % len(Driver)] == driver


@pytest.fixture(scope="session")
def state_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where this run's servers keep their data, logs and pids."""
    return tmp_path_factory.mktemp("servers")


@pytest.fixture(scope="session")
def mongo_url(state_folder: Path) -> Iterator[str]:
    """Yield the address of a real one-node replica set."""
    if url := os.environ.get("MONGO_URL"):
        yield url
        return

    with free_port() as port, Mongod(state_folder / "mongod", port=port, expiry=False) as mongod:
        yield mongod.url


@pytest.fixture(scope="session")
def amqp_url(state_folder: Path) -> Iterator[str]:
    """Yield the address of a real RabbitMQ with the consistent-hash exchange."""
    if url := os.environ.get("AMQP_URL"):
        yield url
        return

    folder = state_folder / "rabbitmq"
    with (
        free_port() as port,
        free_port() as dist_port,
        free_port() as epmd_port,
        RabbitMQ(folder, port=port, dist_port=dist_port, epmd_port=epmd_port) as rabbit,
    ):
        yield rabbit.url


@pytest.fixture(params=list(Driver), ids=str)
def driver(request: pytest.FixtureRequest) -> Driver:
    """Return each MongoDB driver in turn."""
    return Driver(request.param)


@pytest.fixture
async def database(mongo_url: str, driver: Driver) -> AsyncIterator[Database]:
    """Yield a fresh database; a command that missed its collection's shard key fails the test at the end."""
    database = Database.connect(mongo_url, name=f"test_{uuid4().hex}", driver=driver, check_shard_keys=True)
    try:
        yield database
        assert database.listener is not None
        misses = database.listener.misses
    finally:
        await database.drop()
        await database.close()
    assert misses == [], "commands without their collection's shard key"


@pytest.fixture(scope="session")
def recycled(mongo_url: str) -> Iterator[Recycled]:
    """Yield the databases that are emptied and used again; they are dropped at the end."""
    databases = Recycled(mongo_url)
    yield databases
    databases.drop()


@pytest.fixture
def namespace() -> str:
    """Return a fresh prefix for exchanges and queues."""
    return f"t{uuid4().hex[:12]}_"


@pytest.fixture
async def topology(amqp_url: str, namespace: str) -> AsyncIterator[Topology]:
    """Yield the broker's layout under the test's own namespace; what was declared of it is deleted at the end."""
    topology = Topology.load(TOPOLOGY_FILE, namespace=namespace)
    yield topology
    await forget_rabbitmq(amqp_url, topology)


@pytest.fixture(scope="session")
def platform(state_folder: Path, mongo_url: str, amqp_url: str) -> Iterator[Platform]:
    """Yield the whole platform as five processes on ports and in a namespace of their own; see tests/support."""
    namespace = f"e{uuid4().hex[:12]}_"
    try:
        with Platform(state_folder, servers=Servers(mongo_url, amqp_url), namespace=namespace) as platform:
            yield platform
    finally:  # the servers may be given ones, which others use too
        forget_mongodb(mongo_url, [f"{namespace}huitou_{name}" for name in SERVICES])
        asyncio.run(forget_rabbitmq(amqp_url, Topology.load(TOPOLOGY_FILE, namespace=namespace)))


@pytest.fixture
def clock() -> FixedClock:
    """Return a clock that stands at 2026-03-01T04:00:00Z until it is moved."""
    return FixedClock()


@pytest.fixture(name="eventually")
def eventually_fixture() -> Callable[..., Awaitable[Any]]:
    """Return the function that waits for a condition: `await eventually(lambda: seen == 3)`."""
    return eventually
