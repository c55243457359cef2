"""Servicers behind a real gRPC server on a free port, called over a real channel."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from services.kit.rpc import RpcChannel, RpcServer
from services.kit.rpc.server import Servicer
from tests.support.toy_server import Keys


@asynccontextmanager
async def served(servicers: Sequence[Servicer]) -> AsyncIterator[RpcChannel]:
    """Serve until the block ends; the channel's key may vouch for every kind of caller."""
    keys = Keys()
    server = RpcServer(address="127.0.0.1:0", verifier=keys.verifier, servicers=servicers)
    await server.start()
    channel = RpcChannel(f"127.0.0.1:{server.port}", tokens=keys.signer.token)
    try:
        yield channel
    finally:
        await channel.close()
        await server.stop(0)
