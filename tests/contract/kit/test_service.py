"""The life of a process, in processes of their own: starting, waiting, stopping, crashing."""

import re
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]  # the library has no types

from infra.local.ports import free_port
from tests.support.eventually import eventually as soon
from tests.support.processes import python

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING

eventually = partial(soon, within_s=30)
"""A new Python takes seconds to import gRPC while other tests have the cores."""

PROGRAM = """
import asyncio, logging, os
from pathlib import Path
from services.kit import needs, service
from services.kit.clock import system_clock
from services.kit.principal import Verifier
from services.kit.rpc import RpcServer
from services.kit.service import Need, Service, Step, background, main

needs.CHECK_EVERY_S, needs.CHECK_S, service.STOP_S = 0.2, 0.5, 1.0
log = logging.getLogger("toy")

class Named:
    def __init__(self, name):
        self.name = name
    async def start(self):
        log.info("%s starts", self.name)
    async def stop(self):
        log.info("%s stops", self.name)

def server(config):
    return RpcServer(address=config.address, verifier=Verifier({}, clock=system_clock), servicers=[])

async def there(path):
    Path(path).read_bytes()
"""


@pytest.fixture
def address() -> Iterator[str]:
    with free_port() as port:
        yield f"127.0.0.1:{port}"


async def health(address: str, service: str = "") -> int | None:
    """Return the state that a probe sees; None when nobody answers."""
    async with grpc.aio.insecure_channel(address) as channel:
        try:
            stub = health_pb2_grpc.HealthStub(channel)
            answer = await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=2)
        except grpc.aio.AioRpcError:
            return None
        return int(answer.status)


def messages(lines: list[str]) -> list[str]:
    """Return what was said, without time, level and service."""
    return [re.sub(r"^\S+ +\w+ +points +", "", line) for line in lines]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_parts_start_in_order_and_stop_in_reverse(address: str, number: signal.Signals) -> None:
    code = PROGRAM + (
        "main('points', lambda config: Service("
        "parts=[Step('migrations', Named('migrations').start), Named('a'), Named('b'), server(config)]))"
    )
    async with python(code, POINTS_ADDRESS=address) as process:
        await eventually(lambda: process.has_said("ready"))
        assert await health(address) == SERVING
        process.send(number)
        assert await process.ended() == 0
    assert messages(process.said) == [
        "migrations starts",
        "a starts",
        "b starts",
        f"ready: points on {address}",
        f"{number.name}: stopping; once more ends at once",
        "b stops",
        "a stops",
        "stopped",
    ]


async def test_what_is_needed_is_waited_for_and_watched(address: str, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    code = PROGRAM + (
        f"main('points', lambda config: Service(parts=[Named('a'), server(config)], needs=["
        f"Need('MongoDB', lambda: there({str(one)!r})),"
        f"Need('RabbitMQ', lambda: there({str(two)!r}), essential=False)]))"
    )
    async with python(code, POINTS_ADDRESS=address) as process:
        await eventually(lambda: process.has_said("waiting for MongoDB (0 s): FileNotFoundError"))
        await eventually(lambda: process.has_said("waiting for RabbitMQ (0 s): FileNotFoundError"))
        assert [await health(address), await health(address, "live")] == [NOT_SERVING, SERVING]
        two.touch()
        assert not process.has_said("a starts")
        one.touch()
        await eventually(lambda: process.has_said("ready"))
        assert await health(address) == SERVING

        one.unlink()
        await eventually(lambda: process.has_said("lost MongoDB: FileNotFoundError"))

        async def is_now(state: int) -> bool:
            return await health(address) == state

        await eventually(lambda: is_now(NOT_SERVING))
        assert await health(address, "live") == SERVING
        one.touch()
        await eventually(lambda: process.has_said("MongoDB is back"))
        await eventually(lambda: is_now(SERVING))

        two.unlink()
        await eventually(lambda: process.has_said("lost RabbitMQ"))
        assert await health(address) == SERVING
        two.touch()
        await eventually(lambda: process.has_said("RabbitMQ is back"))
        assert await health(address) == SERVING
        process.send(signal.SIGTERM)
        assert await process.ended() == 0


async def test_a_signal_ends_the_waiting_too(address: str) -> None:
    code = PROGRAM + (
        "main('points', lambda config: Service("
        "parts=[Named('a'), server(config)], needs=[Need('MongoDB', lambda: there('/nowhere'))]))"
    )
    async with python(code, POINTS_ADDRESS=address) as process:
        await eventually(lambda: process.has_said("waiting for MongoDB"))
        process.send(signal.SIGTERM)
        assert await process.ended() == 0
    assert messages(process.said)[-2:] == ["SIGTERM: stopping; once more ends at once", "stopped"]
    assert not process.has_said("a stops")


async def test_what_is_never_there_ends_the_process_with_its_name(address: str) -> None:
    code = PROGRAM + (
        "needs.WAIT_S = 0.3\n"
        "main('points', lambda config: Service("
        "parts=[server(config)], needs=[Need('MongoDB', lambda: there('/nowhere'))]))"
    )
    async with python(code, POINTS_ADDRESS=address) as process:
        assert await process.ended() == 1
    assert process.has_said("ending: MongoDB could not be reached within")


async def test_a_background_task_that_crashes_ends_the_process(address: str) -> None:
    code = PROGRAM + (
        "class Fragile(Named):\n"
        "    async def start(self):\n"
        "        self.task = background(self.live(), name='relay')\n"
        "    async def live(self):\n"
        "        await asyncio.sleep(0.2)\n"
        "        raise RuntimeError('boom')\n"
        "main('points', lambda config: Service(parts=[Named('a'), Fragile('b'), server(config)]))"
    )
    async with python(code, POINTS_ADDRESS=address) as process:
        assert await process.ended() == 1
    assert process.has_said("ERROR   points    relay crashed")
    assert process.has_said("RuntimeError: boom")
    assert messages(process.said)[-3:] == ["b stops", "a stops", "stopped"]


async def test_a_part_that_cannot_start_ends_the_process_and_what_had_started_stops(address: str) -> None:
    code = PROGRAM + (
        "class Broken(Named):\n"
        "    async def start(self):\n"
        "        raise RuntimeError('boom')\n"
        "main('points', lambda config: Service(parts=[Named('a'), Broken('b'), Named('c'), server(config)]))"
    )
    async with python(code, POINTS_ADDRESS=address) as process:
        assert await process.ended() == 1
    said = messages(process.said)
    assert said[0] == "a starts"
    assert said[-2:] == ["a stops", "stopped"]
    assert not process.has_said("ready")


async def test_a_part_that_does_not_stop_is_left_behind(address: str) -> None:
    code = PROGRAM + (
        "class Stuck(Named):\n"
        "    async def stop(self):\n"
        "        await asyncio.Event().wait()\n"
        "main('points', lambda config: Service(parts=[Named('a'), Stuck('b'), server(config)]))"
    )
    async with python(code, POINTS_ADDRESS=address) as process:
        await eventually(lambda: process.has_said("ready"))
        process.send(signal.SIGTERM)
        assert await process.ended() == 1
    assert messages(process.said)[-3:] == ["Stuck did not stop within 1 s", "a stops", "stopped"]


async def test_a_second_signal_ends_it_at_once(address: str) -> None:
    code = PROGRAM + (
        "class Stuck(Named):\n"
        "    async def stop(self):\n"
        "        log.info('stopping for long')\n"
        "        await asyncio.Event().wait()\n"
        "service.STOP_S = 60\n"
        "main('points', lambda config: Service(parts=[Stuck('b'), server(config)]))"
    )
    async with python(code, POINTS_ADDRESS=address) as process:
        await eventually(lambda: process.has_said("ready"))
        process.send(signal.SIGINT)
        await eventually(lambda: process.has_said("stopping for long"))
        process.send(signal.SIGINT)
        assert await process.ended(within_s=5) == 128 + signal.SIGINT
    assert process.has_said("SIGINT again: ending at once")


async def test_a_wrong_setting_is_one_line(address: str) -> None:
    code = PROGRAM + "main('points', lambda config: Service(parts=[server(config)]))"
    async with python(code, POINTS_ADDRESS=address, HUITOU_DRIVER="odbc") as process:
        assert await process.ended() == 1
    assert process.said == ["HUITOU_DRIVER is 'odbc'; allowed: motor or pymongo."]


async def test_a_taken_port_is_one_line(address: str) -> None:
    code = PROGRAM + "main('points', lambda config: Service(parts=[server(config)]))"
    async with python(code, POINTS_ADDRESS=address) as first:
        await eventually(lambda: first.has_said("ready"))
        async with python(code, POINTS_ADDRESS=address) as second:
            assert await second.ended() == 1
    assert messages(second.said)[0].startswith(f"ending: {address} cannot be listened on: Address already in use")


async def test_a_wrong_sampler_is_one_line_too(address: str) -> None:
    code = PROGRAM + "main('points', lambda config: Service(parts=[server(config)]))"
    environ = {"OTEL_TRACES_SAMPLER": "jaeger", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
    async with python(code, POINTS_ADDRESS=address, **environ) as process:
        assert await process.ended() == 1
    assert process.has_said("ending: OTEL_TRACES_SAMPLER is 'jaeger'; allowed: always_on")
    assert not process.has_said("Traceback")
