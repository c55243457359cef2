"""The gateway's process: `python -m gateway.main`."""

import asyncio
from collections.abc import Mapping
from functools import partial

from grpc.aio import AioRpcError
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]  # the library has no types

from gateway.api_keys import ApiKeys
from gateway.app import Readiness, app
from gateway.graph import SUBGRAPHS, schemas
from gateway.ourselves import OURSELVES
from gateway.server import HttpServer
from protos.members.v1 import chains_pb2
from protos.members.v1.chains_pb2_grpc import ChainsStub
from services.kit.clock import system_clock
from services.kit.config import ServiceConfig
from services.kit.errors import Kind, Problem
from services.kit.graph import Channels
from services.kit.keys import load_signer
from services.kit.rpc import RpcChannel
from services.kit.service import Need, Service, Step, main

HEALTH_S = 2.0
"""What a service may take to tell its health."""


class NotReadyError(Problem):
    """{service} does not serve: {why}."""

    kind = Kind.UNAVAILABLE
    code = "NOT_READY"


def build(config: ServiceConfig) -> Service:
    """Make the gateway's parts."""
    signer = load_signer(config.keys_dir, config.name, clock=system_clock)
    rpc = {subgraph.name: RpcChannel(config.addresses[subgraph.name], tokens=signer.token) for subgraph in SUBGRAPHS}
    channels = Channels(rpc)
    api_keys = ApiKeys(partial(authenticate, channels), now=asyncio.get_running_loop().time)
    readiness = Readiness()
    door = app(schemas(), api_keys=api_keys, channels=channels, readiness=readiness)
    return Service(
        parts=[Step("connections", on_stop=partial(_close, rpc)), HttpServer(door, readiness, address=config.address)],
        # All are waited for at the start. Later only members is: without it nobody can be told apart, while without
        # another one its own fields answer UNAVAILABLE and the rest goes on.
        needs=[Need(name, partial(check, channels, name), essential=name == "members") for name in rpc],
    )


async def authenticate(channels: Channels, secret_sha256: bytes) -> chains_pb2.AuthenticateResponse:
    """Ask members whose secret has this SHA-256, in our own name."""
    return await channels.to("members").call(
        channels.stub("members", ChainsStub).Authenticate,
        chains_pb2.AuthenticateRequest(secret_sha256=secret_sha256),
        principal=OURSELVES,
        timeout_s=2.0,
        idempotent=True,
    )


async def check(channels: Channels, name: str) -> None:
    """Return when the service serves; raise when it does not."""
    health = channels.stub(name, health_pb2_grpc.HealthStub)
    try:
        answer = await health.Check(health_pb2.HealthCheckRequest(), timeout=HEALTH_S)
    except AioRpcError as error:
        raise NotReadyError(service=name, why=error.code().name) from error
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        raise NotReadyError(service=name, why="NOT_SERVING")


async def _close(rpc: Mapping[str, RpcChannel]) -> None:
    for channel in rpc.values():
        await channel.close()


if __name__ == "__main__":
    main("gateway", build)
