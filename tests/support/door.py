"""The gateway's door over the toy graph: a real web server in front of real gRPC servers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any

import httpx
from starlette.types import ASGIApp

from gateway.api_keys import ApiKeys
from gateway.app import Readiness, app
from gateway.main import authenticate
from gateway.server import HttpServer
from protos.common.v1 import access_pb2
from protos.members.v1 import chains_pb2, chains_pb2_grpc, members_pb2, members_pb2_grpc
from protos.points.v1 import points_pb2, points_pb2_grpc
from services.kit.errors import Kind, Problem
from services.kit.graph import Channels, MergedSchema
from services.kit.rpc import RpcChannel, RpcServer, caller
from tests.support.toy_graph import MEMBERS, POINTS, Memory
from tests.support.toy_server import Keys

SECRET = "htk_staff"
SCHEMAS = {"/graphql": MergedSchema([MEMBERS, POINTS]), "/subgraphs/points": POINTS.schema()}


class NoApiKeyError(Problem):
    """There is no such API key."""

    kind = Kind.NOT_FOUND
    code = "API_KEY_NOT_FOUND"


class Face:
    """All methods of the services' faces; those that the toy graph does not use are missing."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.authenticated = 0
        self.keys = {
            sha256(SECRET.encode()).digest(): chains_pb2.AuthenticateResponse(
                chain_id="chn_1",
                kind=access_pb2.CALLER_KIND_STAFF,
                id="key_1",
                scopes=["members:read", "members:write", "points:read"],
            )
        }

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name.islower():
            raise AttributeError(name)

        async def answer(request: Any, _context: object) -> Any:
            return await self.memory.call(None, request, principal=caller())

        return answer

    async def Authenticate(self, request: chains_pb2.AuthenticateRequest, _context: object) -> Any:  # noqa: N802 - rpc
        self.authenticated += 1
        if (found := self.keys.get(request.secret_sha256)) is None:
            raise NoApiKeyError
        return found


@dataclass(slots=True, kw_only=True)
class Door:
    """What a test gets."""

    http: httpx.AsyncClient  # with the staff's key
    face: Face
    members: RpcServer
    channels: Channels
    server: HttpServer
    readiness: Readiness

    @property
    def memory(self) -> Memory:
        return self.face.memory


@asynccontextmanager
async def door_open(*, timeout_s: float = 30.0) -> AsyncIterator[Door]:
    """Serve the toy graph until the block ends."""
    keys, face = Keys(), Face(Memory())
    members = RpcServer(
        address="127.0.0.1:0",
        verifier=keys.verifier,
        servicers=[
            (chains_pb2_grpc.add_ChainsServicer_to_server, face, chains_pb2.DESCRIPTOR.services_by_name["Chains"]),
            (members_pb2_grpc.add_MembersServicer_to_server, face, members_pb2.DESCRIPTOR.services_by_name["Members"]),
        ],
    )
    points = RpcServer(
        address="127.0.0.1:0",
        verifier=keys.verifier,
        servicers=[
            (points_pb2_grpc.add_PointsServicer_to_server, face, points_pb2.DESCRIPTOR.services_by_name["Points"])
        ],
    )
    for rpc in (members, points):
        await rpc.start()
    rpcs = {
        name: RpcChannel(f"127.0.0.1:{rpc.port}", tokens=keys.signer.token)
        for name, rpc in (("members", members), ("points", points))
    }
    channels, readiness = Channels(rpcs), Readiness()
    api_keys = ApiKeys(partial(authenticate, channels), now=lambda: 0.0)
    made = app(SCHEMAS, api_keys=api_keys, channels=channels, readiness=readiness, timeout_s=timeout_s)
    async with serving(made, readiness) as server:
        headers = {"authorization": f"Bearer {SECRET}"}
        try:
            async with httpx.AsyncClient(base_url=f"http://{server.address}", headers=headers) as http:
                yield Door(http=http, face=face, members=members, channels=channels, server=server, readiness=readiness)
        finally:
            for channel in rpcs.values():
                await channel.close()
            for rpc in (members, points):
                await rpc.stop(0)


@asynccontextmanager
async def serving(made: ASGIApp, readiness: Readiness) -> AsyncIterator[HttpServer]:
    """Serve an application on a free port until the block ends."""
    server = HttpServer(made, readiness, address="127.0.0.1:0")
    await server.listen()
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
