"""Identities resolved, 64 in a call against one in a call, by the CPU that they cost the service and its database."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from infra.local.child import PAUSE_S, Child, ChildFailedError
from infra.local.mongod import Mongod
from infra.local.ports import LOOPBACK, free_port
from protos.members.v1 import chains_pb2, members_pb2
from protos.members.v1.chains_pb2_grpc import ChainsStub
from protos.members.v1.members_pb2_grpc import MembersStub
from services.kit.clock import system_clock
from services.kit.keys import ensure_keys, load_signer
from services.kit.principal import Caller, Principal, Signer
from services.kit.rpc import RpcChannel
from tests.bench import usage
from tests.bench.figures import ROUNDS, Figure, middle, spread

IN_CALL = 64
CALLS_AT_ONCE = 16
READY_WITHIN_S = 60.0
STOP_WITHIN_S = 20.0
OPERATOR = Principal(chain="", kind=Caller.OPERATOR, id="bench")


@dataclass(frozen=True, slots=True)
class Resolved:
    """One side's round."""

    identities: int
    took_s: float
    service_s: float
    mongod_s: float

    @property
    def per_cpu_s(self) -> float:
        """Identities for each CPU second of the service and its database."""
        return self.identities / max(0.01, self.service_s + self.mongod_s)


@dataclass(frozen=True, slots=True)
class Served:
    """A members service in a process of its own."""

    address: str
    operator: Signer
    gateway: Signer
    service_pid: int
    mongod_pid: int


def resolve_batch_vs_single(folder: Path, *, members: int, seconds: float) -> Figure:
    """Return identities per CPU second, 64 in a call against one."""
    with served(folder) as service:
        rounds = asyncio.run(_measured(service, members, seconds))
    ratios = [batch.per_cpu_s / single.per_cpu_s for batch, single in rounds]
    return Figure(
        figure="members.resolve_batch_vs_single",
        value=middle(ratios),
        unit="ratio",
        spread=spread(ratios),
        detail={
            "target": ">= 10",
            "members": members,
            "batch": _told([batch for batch, _ in rounds]),
            "single": _told([single for _, single in rounds]),
            "how": f"ResolveIdentities over gRPC on loopback, {IN_CALL} phones in a call against one, "
            f"{CALLS_AT_ONCE} calls at once, each phone somebody's; CPU of the members process and of mongod",
        },
    )


async def _measured(served: Served, members: int, seconds: float) -> list[tuple[Resolved, Resolved]]:
    async with channel_to(served.address, served.operator) as operators:
        opened = await operators.call(
            operators.stub(ChainsStub).OpenChain,
            chains_pb2.OpenChainRequest(key="open-bench", name="Bench", currency="CNY", time_zone="Asia/Shanghai"),
            principal=OPERATOR,
            timeout_s=30.0,
        )
    staff = Principal(
        chain=opened.chain.id, kind=Caller.STAFF, id="key_bench", scopes=frozenset({"members:read", "members:write"})
    )
    async with channel_to(served.address, served.gateway) as channel:
        await _enroll(channel, staff, members)
        rounds = []
        for number in range(ROUNDS + 1):
            batch = await _resolve(served, channel, staff, members, in_call=IN_CALL, seconds=seconds, seed=number)
            single = await _resolve(served, channel, staff, members, in_call=1, seconds=seconds, seed=number)
            rounds.append((batch, single))
    return rounds[1:]  # the first one was to warm up


@asynccontextmanager
async def channel_to(address: str, signer: Signer) -> AsyncIterator[RpcChannel]:
    """Yield a channel whose calls are signed by `signer`."""
    channel = RpcChannel(address, tokens=signer.token)
    try:
        yield channel
    finally:
        await channel.close()


async def _enroll(channel: RpcChannel, staff: Principal, members: int) -> None:
    enroll = channel.stub(MembersStub).EnrollMembers
    for start in range(0, members, 1_000):
        wishes = [
            members_pb2.EnrollMemberRequest(
                key=f"enroll-{number:08}",
                member=members_pb2.NewMember(
                    profile=members_pb2.Profile(name="Bench", identities=[_phone(number)]),
                    channel=members_pb2.CHANNEL_IMPORT,
                ),
            )
            for number in range(start, min(start + 1_000, members))
        ]
        request = members_pb2.EnrollMembersRequest(enrollments=wishes)
        await channel.call(enroll, request, principal=staff, timeout_s=60.0)


async def _resolve(
    served: Served, channel: RpcChannel, staff: Principal, members: int, *, in_call: int, seconds: float, seed: int
) -> Resolved:
    resolve = channel.stub(MembersStub).ResolveIdentities
    asked = _asked(members, seed)
    service_s, mongod_s = usage.cpu_s(served.service_pid), usage.cpu_s(served.mongod_pid)
    began = time.monotonic()
    done = 0

    async def caller() -> None:
        nonlocal done
        while time.monotonic() - began < seconds:
            request = members_pb2.ResolveIdentitiesRequest(identities=islice(asked, in_call))
            answer = await channel.call(resolve, request, principal=staff, timeout_s=10.0)
            if not all(answer.member_ids):
                message = "a phone that somebody has was not found"
                raise RuntimeError(message)
            done += len(answer.member_ids)

    await asyncio.gather(*(caller() for _ in range(CALLS_AT_ONCE)))
    return Resolved(
        done,
        time.monotonic() - began,
        usage.cpu_s(served.service_pid) - service_s,
        usage.cpu_s(served.mongod_pid) - mongod_s,
    )


def _asked(members: int, seed: int) -> Iterator[members_pb2.Identity]:
    """Yield phones that somebody has, at random, the same ones for the same seed."""
    random = Random(seed)  # noqa: S311 - nothing is kept secret by it
    while True:
        yield _phone(random.randrange(members))


def _phone(number: int) -> members_pb2.Identity:
    return members_pb2.Identity(kind=members_pb2.IDENTITY_KIND_PHONE, value=f"+86138{number:08}")


@contextmanager
def served(folder: Path) -> Iterator[Served]:
    """Yield a members service with a database of its own, both with their files in `folder`."""
    with ExitStack() as stack:
        mongod = stack.enter_context(Mongod(folder / "mongod", port=stack.enter_context(free_port())))
        address = f"{LOOPBACK}:{stack.enter_context(free_port())}"
        keys = folder / "keys"
        ensure_keys(keys)
        service = Child("members", folder=folder, stop_within_s=STOP_WITHIN_S)
        environ = {
            **os.environ,
            "MONGO_URL": mongod.url,
            "MEMBERS_ADDRESS": address,
            "HUITOU_KEYS_DIR": str(keys),
            "HUITOU_NAMESPACE": "",
        }
        stack.callback(service.stop)
        service.start([sys.executable, "-m", "tests.bench.served_members"], environ=environ, orphaned=signal.SIGKILL)
        _wait_until_ready(service)
        operator, gateway = [load_signer(keys, name, clock=system_clock) for name in ("operator", "gateway")]
        yield Served(address, operator, gateway, service.pid, mongod.pid)


def _wait_until_ready(service: Child) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while "ready: members" not in service.log.read_text(errors="replace"):
        service.check()
        if time.monotonic() > deadline:
            raise ChildFailedError(service.name, service.log, why=f"was not ready after {READY_WITHIN_S:.0f} s")
        time.sleep(PAUSE_S)  # a process does not tell when it is ready: its log can only be looked at


def _told(rounds: Sequence[Resolved]) -> dict[str, Any]:
    return {
        "identities_per_cpu_s": middle([one.per_cpu_s for one in rounds]),
        "identities_per_s": middle([one.identities / one.took_s for one in rounds]),
        "cpu_us_per_identity": middle([1e6 * (one.service_s + one.mongod_s) / one.identities for one in rounds]),
    }
