from collections.abc import AsyncIterator

import pytest

from services.kit.mongo.database import Database, Driver
from tests.support.clock import FixedClock
from tests.support.members_service import MembersService, members_running, migrate_members
from tests.support.recycled import Recycled


@pytest.fixture
async def database(recycled: Recycled, driver: Driver) -> AsyncIterator[Database]:
    """Yield an empty database of members."""
    async with recycled.database(migrate_members, driver) as database:
        yield database


@pytest.fixture
async def service(database: Database, mongo_url: str, clock: FixedClock) -> AsyncIterator[MembersService]:
    async with members_running(database, mongo_url, clock) as service:
        yield service


@pytest.fixture
async def other_replica(service: MembersService, clock: FixedClock) -> AsyncIterator[MembersService]:
    """Return another server on the database of `service`."""
    async with members_running(service.database, service.mongo_url, clock) as replica:
        yield replica


@pytest.fixture
async def chain(service: MembersService) -> str:
    return await service.open_chain()


@pytest.fixture
async def other_chain(service: MembersService) -> str:
    return await service.open_chain("Dumplings")
