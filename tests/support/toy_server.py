"""A toy service that runs: a real server on a free port, and a channel to it."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.protobuf.descriptor import ServiceDescriptor

from services.kit.clock import Clock, system_clock
from services.kit.principal import Caller, Principal, Signer, Trusted, Verifier
from services.kit.rpc import RpcChannel, RpcServer
from services.kit.rpc.guard import Explain
from tests.support.toys import EVERYBODY, Toy, ToyStub, add_toy, toy_service

ALL_KINDS = frozenset(Caller)


def principal(kind: Caller = Caller.SERVICE, *, scopes: Sequence[str] = (), chain: str = "chn_1") -> Principal:
    return Principal(chain=chain, kind=kind, id="who", scopes=frozenset(scopes))


class Keys:
    """One key for everybody: who may vouch for whom is tested where it matters."""

    def __init__(self, clock: Clock = system_clock, *, kinds: frozenset[Caller] = ALL_KINDS) -> None:
        key = Ed25519PrivateKey.generate()
        self.signer = Signer(key_id="test", key=key, clock=clock)
        self.verifier = Verifier({"test": Trusted(key=key.public_key(), kinds=kinds)}, clock=clock)


@dataclass(slots=True, kw_only=True)
class Running:
    """What a test gets."""

    server: RpcServer
    channel: RpcChannel
    stub: ToyStub
    bare: grpc.aio.Channel  # without token, deadline or anything
    bare_stub: ToyStub
    keys: Keys
    service: ServiceDescriptor

    def metadata(self, caller: Principal) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self.keys.signer.token(caller)}"),)


@asynccontextmanager
async def toy_running(
    say: Callable[[str], Any],
    *,
    kinds: Sequence[int] = EVERYBODY,
    scope: str = "",
    max_under_way: int = 100,
    keys: Keys | None = None,
    explain: Explain = lambda _error: None,
    servicer: Toy | None = None,
) -> AsyncIterator[Running]:
    """Serve a toy that answers with `say`, until the block ends."""
    keys = keys or Keys()
    service = toy_service(kinds, scope)
    server = RpcServer(
        address="127.0.0.1:0",
        verifier=keys.verifier,
        servicers=[(add_toy(service), servicer or Toy(say), service)],
        max_under_way=max_under_way,
        explain=explain,
    )
    await server.start()
    address = f"127.0.0.1:{server.port}"
    channel = RpcChannel(address, tokens=keys.signer.token)
    async with grpc.aio.insecure_channel(address) as bare:
        try:
            yield Running(
                server=server,
                channel=channel,
                stub=channel.stub(ToyStub.of(service)),
                bare=bare,
                bare_stub=ToyStub.of(service)(bare),
                keys=keys,
                service=service,
            )
        finally:
            await channel.close()
            await server.stop(0)
