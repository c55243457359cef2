"""Each of the four services as its own `build` makes it: the database and the calls, without the broker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from infra.local.given import forget_mongodb
from infra.local.settings import SERVICES
from protos.common.v1.chain_clock_pb2_grpc import ChainClockStub
from services.kit.clock import system_clock
from services.kit.config import ADDRESSES, ServiceConfig
from services.kit.keys import ensure_keys, load_signer
from services.kit.mongo.database import Database
from services.kit.principal import Principal
from services.kit.rpc import RpcChannel, RpcServer
from services.kit.service import Step
from tests.conftest import TOPOLOGY_FILE

if TYPE_CHECKING:
    from protos.common.v1.chain_clock_pb2_grpc import ChainClockAsyncStub


@dataclass
class Replica:
    """One process's calls."""

    channel: RpcChannel
    stub: "ChainClockAsyncStub" = field(init=False)

    def __post_init__(self) -> None:
        self.stub = self.channel.stub(ChainClockStub)

    async def call(self, method: str, request: Any, by: Principal) -> Any:
        return await self.channel.call(getattr(self.stub, method), request, principal=by, timeout_s=30.0)


@dataclass
class Running:
    """Two replicas of one service, and the database behind them."""

    name: str
    database: Database
    first: Replica
    second: Replica


@pytest.fixture(params=SERVICES)
async def service(
    request: pytest.FixtureRequest, tmp_path: Path, mongo_url: str, amqp_url: str, namespace: str
) -> AsyncIterator[Running]:
    name = str(request.param)
    ensure_keys(tmp_path)
    config = ServiceConfig(
        name=name,
        mongo_url=mongo_url,
        amqp_url=amqp_url,
        namespace=namespace,
        driver="motor",
        keys_dir=tmp_path,
        addresses=MappingProxyType({**ADDRESSES, name: "127.0.0.1:0"}),
        topology=TOPOLOGY_FILE,
        log="text",
    )
    database = Database.connect(mongo_url, name=config.database_name)
    try:
        async with AsyncExitStack() as stack:
            replicas = [await _replica(config, stack) for _ in range(2)]
            yield Running(name, database, *replicas)
    finally:
        await database.close()
        await asyncio.to_thread(forget_mongodb, mongo_url, [config.database_name])


async def _replica(config: ServiceConfig, stack: AsyncExitStack) -> Replica:
    parts = {
        part.name if isinstance(part, Step) else type(part).__name__: part
        for part in import_module(f"services.{config.name}.main").build(config).parts
    }
    stack.push_async_callback(parts["connections"].stop)
    await parts["migrations"].start()
    server = parts["RpcServer"]
    assert isinstance(server, RpcServer)
    await server.start()
    stack.push_async_callback(server.stop, 0)

    def token(principal: Principal) -> str:
        vouching = (
            "operator" if principal.kind == "operator" else "points" if principal.kind == "service" else "gateway"
        )
        return load_signer(config.keys_dir, vouching, clock=system_clock).token(principal)

    channel = RpcChannel(f"127.0.0.1:{server.port}", tokens=token)
    stack.push_async_callback(channel.close)
    return Replica(channel)
