from collections.abc import AsyncIterator

import pytest

from services.kit.mongo.database import Database
from services.kit.rabbit.publisher import RabbitPublisher
from services.kit.rabbit.topology import Topology
from tests.support.cable import cable_to
from tests.support.events import Effects
from tests.support.stage import Stage


@pytest.fixture
async def stage(amqp_url: str, topology: Topology, database: Database) -> AsyncIterator[Stage]:
    """Yield what is needed to send events and to see their effects; consumers are stopped at the end."""
    async with cable_to(amqp_url) as cable:
        publisher = RabbitPublisher(amqp_url, topology)
        stage = Stage(amqp_url, topology, database, publisher, cable, Effects(database))
        await stage.set_up()
        yield stage
        await stage.stop()
