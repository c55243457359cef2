"""`huitou sandbox move`: lets time pass in a sandbox, over the operators' gRPC."""

import argparse
import asyncio
import re
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from google.protobuf.message import Message

from infra.cli.operators import ANSWER_WITHIN_S, SERVICES, Line, connected
from infra.cli.sandbox.moving import Counts, Sandbox, Standing
from infra.cli.sandbox.telling import Days
from protos.common.v1 import chain_clock_pb2 as pb
from protos.common.v1.chain_clock_pb2_grpc import ChainClockStub
from protos.members.v1 import chains_pb2
from protos.members.v1.chains_pb2_grpc import ChainsStub
from services.kit.chain_clocks import is_sandbox
from services.kit.errors import Kind, Problem
from services.kit.rpc.client import RemoteProblem
from services.kit.timestamps import from_timestamp, to_timestamp

RUN_WITHIN_S = 60.0
"""As long as the platform lets one call last; what takes longer takes several."""

MOST_YEARS = 20
"""Beyond it somebody has mistyped a date: a year takes a call for each of its days at least."""

UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_LENGTH = re.compile(r"([0-9]{1,5})([mhdw])")


class NoSandboxError(Problem):
    """{chain} is not a sandbox: only the clock of a chain that was opened as one (sbx_…) can be moved."""

    kind = Kind.REFUSED
    code = "NOT_A_SANDBOX"


class TooFarError(Problem):
    """{target} is more than {years} years away; go there in several steps if that is what is meant."""

    kind = Kind.INVALID
    code = "TOO_FAR"


def add_to(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]  # argparse gives it no public name
    """Add the command to argparse's subparsers."""
    parser: argparse.ArgumentParser = commands.add_parser("sandbox", help="let time pass in a sandbox")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    moving = actions.add_parser(
        "move",
        help="move its clock on, from one thing that is due to the next",
        description="Where to ask comes from the environment, as for dead-letters. It can be stopped at any time, and "
        "goes on with --to and the moment that it named. Send nothing for the chain meanwhile: its time is moving.",
    )
    moving.add_argument("chain", metavar="CHAIN", help="which one (sbx_…)")
    where = moving.add_mutually_exclusive_group(required=True)
    where.add_argument("--to", type=_moment, metavar="TIME", help="until then, like 2027-01-01T00:00:00+08:00")
    where.add_argument("--by", type=_length, metavar="LENGTH", help="for so long: 90m, 12h, 30d, 4w")
    moving.add_argument(
        "--give-up", type=_seconds, default=120.0, metavar="S", help="when nothing arrives for so long; %(default)g s"
    )
    moving.set_defaults(run=lambda given: asyncio.run(move(given)))


async def move(given: argparse.Namespace) -> int:
    """Move the chain's clock, say how far it is, and return the exit code."""
    if not is_sandbox(given.chain):
        raise NoSandboxError(chain=given.chain)
    async with AsyncExitStack() as stack:
        lines = {name: await stack.enter_async_context(connected(name, chain=given.chain)) for name in SERVICES}
        # Members knows which chains there are: a clock of one that never was would be moved otherwise.
        stub = lines["members"].channel.stub(ChainsStub)
        chain = (await lines["members"].ask(stub.GetChain, chains_pb2.GetChainRequest())).chain
        services = [Remote(name, line, line.channel.stub(ChainClockStub)) for name, line in lines.items()]
        await _move(Sandbox(given.chain, services, given.give_up), given, ZoneInfo(chain.time_zone))
    return 0


async def _move(sandbox: Sandbox, given: argparse.Namespace, zone: ZoneInfo) -> None:
    start = await sandbox.begin()
    target: datetime = start + given.by if given.to is None else given.to
    if target - start > MOST_YEARS * timedelta(days=366):
        raise TooFarError(target=target.isoformat(), years=MOST_YEARS)
    way = f"from {start.astimezone(zone).isoformat()} to {target.astimezone(zone).isoformat()}"
    sys.stderr.write(f"{sandbox.chain} goes {way}\n")
    days = Days(sys.stderr, zone=zone, start=start, target=target)
    steps, at = 0, start
    async for at in sandbox.move(start, target):
        steps += 1
        days.tell(at)
    days.end()
    sys.stdout.write(f"{sandbox.chain} is at {at.astimezone(zone).isoformat()} after {steps:,} steps\n")


@dataclass(frozen=True, slots=True)
class Remote:
    """A running service's part. What fails says which service it was."""

    name: str
    line: Line
    stub: ChainClockStub

    async def standing(self) -> Standing:
        """Return what time it is, and what is due."""
        answer: pb.GetNextDueResponse = await self._ask(self.stub.GetNextDue, pb.GetNextDueRequest())
        due_at = from_timestamp(answer.due_at) if answer.HasField("due_at") else None
        return Standing(from_timestamp(answer.now), answer.stands, due_at)

    async def move(self, to: datetime) -> None:
        """Set the clock."""
        await self._ask(self.stub.MoveTo, pb.MoveToRequest(moment=to_timestamp(to)))

    async def run_due(self) -> bool:
        """Do what is due; False when the time of one call was not enough for all of it."""
        try:
            await self._ask(self.stub.RunDue, pb.RunDueRequest(), within_s=RUN_WITHIN_S)
        except Problem as problem:
            if problem.kind is Kind.TIMED_OUT:
                return False
            raise
        return True

    async def counts(self) -> Counts:
        """Return what was told and heard so far."""
        answer: pb.CountEventsResponse = await self._ask(self.stub.CountEvents, pb.CountEventsRequest())
        return Counts(dict(answer.told), dict(answer.heard))

    async def _ask(self, method: Any, request: Message, *, within_s: float = ANSWER_WITHIN_S) -> Any:
        try:
            return await self.line.ask(method, request, within_s=within_s)
        except Problem as problem:
            raise RemoteProblem(f"{self.name}: {problem.message}", kind=problem.kind, code=problem.code) from problem


def _moment(typed: str) -> datetime:
    try:
        moment = datetime.fromisoformat(typed)
    except ValueError:
        moment = datetime.min  # noqa: DTZ901 - as naive as what is refused below
    if moment.tzinfo is None:
        message = f"{typed!r} is no moment with its offset, like 2027-01-01T00:00:00+08:00"
        raise argparse.ArgumentTypeError(message)
    return moment


def _length(typed: str) -> timedelta:
    if (found := _LENGTH.fullmatch(typed)) is None:
        message = f"{typed!r} is no length of time, like 90m, 12h, 30d or 4w"
        raise argparse.ArgumentTypeError(message)
    return int(found[1]) * UNITS[found[2]]


def _seconds(typed: str) -> float:
    seconds = float(typed)
    if not 0 < seconds < float("inf"):
        raise ValueError(typed)
    return seconds
