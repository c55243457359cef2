"""Health: alive at once, ready when the services are."""

import pytest

from gateway.app import Readiness
from gateway.main import NotReadyError, check
from gateway.server import HttpServer, PortTakenError
from tests.support.door import Door, door_open


async def told(door: Door, path: str) -> tuple[int, dict[str, str]]:
    response = await door.http.get(path)
    return response.status_code, response.json()


async def test_readiness_follows_the_process() -> None:
    async with door_open() as door:
        assert await told(door, "/health/live") == (200, {"status": "live"})
        assert await told(door, "/health/ready") == (200, {"status": "ready"})
        door.server.set_ready(False)
        assert await told(door, "/health/live") == (200, {"status": "live"})
        assert await told(door, "/health/ready") == (503, {"status": "not ready"})


async def test_a_door_that_listens_is_not_ready_before_it_is_started() -> None:
    readiness = Readiness()
    async with door_open() as door:
        server = HttpServer(door.server.app, readiness, address="127.0.0.1:0")
        await server.listen()
        response = await door.http.get(f"http://{server.address}/health/live")
        assert (response.status_code, readiness.ready) == (200, False)
        await server.stop()


async def test_a_taken_port_is_named() -> None:
    async with door_open() as door:
        other = HttpServer(door.server.app, Readiness(), address=door.server.address)
        with pytest.raises(
            PortTakenError, match=f"{door.server.address} cannot be listened on: Address already in use"
        ):
            await other.listen()


async def test_the_gateway_looks_at_the_health_of_the_services() -> None:
    async with door_open() as door:
        await check(door.channels, "members")
        door.members.set_ready(False)
        with pytest.raises(NotReadyError, match="members does not serve: NOT_SERVING"):
            await check(door.channels, "members")
        await door.members.stop(0)
        with pytest.raises(NotReadyError, match="members does not serve: UNAVAILABLE"):
            await check(door.channels, "members")
