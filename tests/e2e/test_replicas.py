"""Two replicas of points on the same ten accounts, one of them killed again and again under 64 clients."""

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from infra.local.child import Child
from infra.local.ports import LOOPBACK, free_port
from infra.local.settings import command
from protos.points.v1 import holds_pb2, ledger_pb2, points_pb2
from protos.points.v1.holds_pb2_grpc import HoldsStub
from protos.points.v1.ledger_pb2_grpc import LedgerStub
from protos.points.v1.points_pb2_grpc import PointsStub
from services.kit.clock import system_clock
from services.kit.errors import Kind, Problem
from services.kit.keys import load_signer
from services.kit.principal import Caller, Principal
from services.kit.rpc import RpcChannel
from tests.e2e.guests import enroll
from tests.support.eventually import eventually
from tests.support.platform import OpenedChain, Platform

CLIENTS, ACCOUNTS, ROUNDS = 64, 10, 12
KILLS = 3
TRY_AGAIN = frozenset({Kind.UNAVAILABLE, Kind.OVERLOADED, Kind.TIMED_OUT, Kind.FAULT})
LONGEST_S = 100.0


@dataclass
class Acknowledged:
    """What the clients were told, by member."""

    points: Counter[str] = field(default_factory=Counter)
    receipts: dict[str, str] = field(default_factory=dict)  # number to purchase id
    commands: int = 0


@pytest.fixture
def second(platform: Platform) -> Iterator[str]:
    """Yield where a second replica of points listens."""
    child = Child("points-2", folder=platform.folder, stop_within_s=40)
    with free_port() as port:
        platform.ports["points-2"] = port
        environ = {**platform._environ, "POINTS_ADDRESS": f"{LOOPBACK}:{port}"}
        platform._children["points-2"] = child
        child.start(command("points"), environ=environ, orphaned=signal.SIGKILL)
        platform.wait_until_ready("points-2")
        try:
            yield f"{LOOPBACK}:{port}"
        finally:
            child.stop()
            del platform._children["points-2"], platform.ports["points-2"]


class Client:
    """A till that sends until it is answered, to whichever replica answers."""

    def __init__(self, number: int, desk: "Desk") -> None:
        self._number, self._desk = number, desk
        self._random = random.Random(number)  # noqa: S311 - spreads load, guards nothing

    async def run(self) -> None:
        for round_ in range(ROUNDS):
            member = self._random.choice(self._desk.members)
            number = f"{self._number}-{round_}"
            await self._buy(member, number)
            match self._random.randrange(4):
                case 0:
                    await self._refund(member, number)
                case 1:
                    await self._spend(member, number)
                case 2:
                    await self._buy(member, number, again=True)

    async def _buy(self, member: str, number: str, *, again: bool = False) -> None:
        answer = await self._desk.until_answered(
            lambda stubs: stubs.call(stubs.points.RecordPurchase, self._desk.receipt(member, number))
        )
        first = self._desk.seen.receipts.setdefault(number, answer.booked.id)
        assert first == answer.booked.id
        if not again:
            self._desk.seen.points[member] += answer.booked.points
            self._desk.seen.commands += 1

    async def _refund(self, member: str, number: str) -> None:
        refund = points_pb2.Refund(
            store_id=self._desk.store,
            refund_number=f"C{number}",
            receipt_number=number,
            occurred_at=_now(),
        )
        request = points_pb2.RecordRefundsRequest(refunds=[refund])
        answer = await self._desk.until_answered(lambda stubs: stubs.call(stubs.points.RecordRefunds, request))
        [result] = answer.results
        assert not result.HasField("problem"), result.problem
        self._desk.seen.points[member] -= sum(one.taken + one.debt for one in result.recorded.booked.taken)
        self._desk.seen.commands += 1

    async def _spend(self, member: str, number: str) -> None:
        authorise = holds_pb2.AuthoriseHoldRequest(key=f"a-{number}", member_id=member, currency="points", amount=5)
        try:
            held = await self._desk.until_answered(lambda stubs: stubs.call(stubs.holds.AuthoriseHold, authorise))
        except Problem as problem:
            if problem.code == "INSUFFICIENT_POINTS":
                return
            raise
        capture = holds_pb2.CaptureHoldRequest(key=f"c-{number}", hold_id=held.hold.id)
        captured = await self._desk.until_answered(lambda stubs: stubs.call(stubs.holds.CaptureHold, capture))
        assert captured.hold.captured == 5
        self._desk.seen.points[member] -= 5
        self._desk.seen.commands += 2


@dataclass
class Stubs:
    """One replica as a caller has it."""

    channel: RpcChannel
    principal: Principal

    def __post_init__(self) -> None:
        self.points = self.channel.stub(PointsStub)
        self.holds = self.channel.stub(HoldsStub)
        self.ledger = self.channel.stub(LedgerStub)

    async def call(self, method: Any, request: Any) -> Any:
        return await self.channel.call(method, request, principal=self.principal, timeout_s=10)


@dataclass
class Desk:
    """What the clients share."""

    store: str
    members: list[str]
    replicas: list[Stubs]
    seen: Acknowledged = field(default_factory=Acknowledged)

    def receipt(self, member: str, number: str) -> points_pb2.RecordPurchaseRequest:
        when = Timestamp()
        when.FromJsonString("2026-03-01T04:00:00Z")
        line = points_pb2.Line(item_code="tea", quantity=1, gross_minor=1_000)
        purchase = points_pb2.Purchase(
            store_id=self.store,
            receipt_number=number,
            member_id=member,
            occurred_at=when,
            currency="CNY",
            lines=[line],
        )
        return points_pb2.RecordPurchaseRequest(purchase=purchase)

    def has_seen(self, commands: int) -> bool:
        return self.seen.commands >= commands

    async def until_answered(self, ask: Callable[[Stubs], Awaitable[Any]]) -> Any:
        deadline = asyncio.get_running_loop().time() + LONGEST_S
        tries = 0
        while True:
            tries += 1
            try:
                return await ask(self.replicas[(tries + id(ask)) % 2])
            except Problem as problem:
                if problem.kind not in TRY_AGAIN or asyncio.get_running_loop().time() > deadline:
                    raise
            await asyncio.sleep(0.05)


def _now() -> Timestamp:
    now = Timestamp()
    now.FromDatetime(system_clock())
    return now


async def _kill_and_restart(platform: Platform, desk: Desk) -> None:
    for kill in range(1, KILLS + 1):
        await eventually(partial(desk.has_seen, kill * CLIENTS * ROUNDS // (KILLS + 2)), within_s=LONGEST_S)
        name = "points-2" if kill % 2 else "points"
        child = platform._children[name]
        child.kill()
        environ = {**platform._environ, "POINTS_ADDRESS": platform.address(name)}
        child.stop()
        child.start(command("points"), environ=environ, orphaned=signal.SIGKILL)


async def test_every_acknowledged_command_once(platform: Platform, second: str) -> None:
    chain: OpenedChain = await platform.open_chain("replicas", stores={"A": "Bund"})
    members = [await enroll(platform, chain, f"guest {number}") for number in range(ACCOUNTS)]
    signer = load_signer(platform.keys_dir, "gateway", clock=system_clock)
    scopes = frozenset({"purchases:write", "points:read", "points:spend", "ledger:read"})
    principal = Principal(chain=chain.id, kind=Caller.STAFF, id="key_test", scopes=scopes)
    channels = [RpcChannel(address, tokens=signer.token) for address in (platform.address("points"), second)]
    desk = Desk(chain.stores["A"], members, [Stubs(channel, principal) for channel in channels])
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_kill_and_restart(platform, desk))
            for number in range(CLIENTS):
                group.create_task(Client(number, desk).run())
        for name in ("points", "points-2"):
            platform.wait_until_ready(name)
        await _check(desk)
    finally:
        for channel in channels:
            await channel.close()


async def _check(desk: Desk) -> None:
    assert len(desk.seen.receipts) == CLIENTS * ROUNDS
    request = points_pb2.GetAccountsRequest(member_ids=desk.members)
    answer = await desk.until_answered(lambda stubs: stubs.call(stubs.points.GetAccounts, request))
    held = {
        one.member_id: balance.available + balance.held - balance.debt
        for one in answer.accounts
        for balance in one.balances
        if balance.currency == "points"
    }
    assert held == {member: desk.seen.points[member] for member in desk.members}
    stubs = desk.replicas[0]
    verify = ledger_pb2.VerifyLedgerRequest()
    async with stubs.channel.stream(
        stubs.ledger.VerifyLedger, verify, principal=stubs.principal, timeout_s=60
    ) as answers:
        progress = [one async for one in answers]
    assert [finding for one in progress for finding in one.findings] == []
    assert (progress[-1].done, progress[-1].accounts) == (True, ACCOUNTS)
