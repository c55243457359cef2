"""`huitou rebuild-sales`: counts a chain's sales again from its receipts, over the operators' gRPC."""

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from infra.cli.operators import Line, connected
from protos.points.v1 import insight_pb2 as pb
from protos.points.v1.insight_pb2_grpc import InsightStub
from services.kit.clock import Clock, system_clock
from services.kit.errors import Kind, Problem
from services.kit.timestamps import from_timestamp

ONE_CALL_S = 60.0
"""As long as the platform lets one call last; a large chain takes several, each goes on where the last one was."""

WAIT_S = 1.0
"""Between two tries while points is away, and at least until the moment that it names."""

PAUSE_S = 0.1
"""Between two calls that each did something."""

TELL_EVERY_S = 2.0
PASSING = frozenset({Kind.UNAVAILABLE, Kind.TIMED_OUT, Kind.OVERLOADED})


class StillAwayError(Problem):
    """points has not answered for {seconds} s ({why}). The same command goes on where it was."""

    kind = Kind.UNAVAILABLE
    code = "STILL_AWAY"


@dataclass(frozen=True, slots=True)
class Pace:
    """By which clocks to wait."""

    give_up_s: float
    now: Callable[[], float] = time.monotonic
    clock: Clock = system_clock
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


def add_to(commands: Any) -> None:
    """Add the command to argparse's subparsers."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "rebuild-sales",
        help="count a chain's sales again from its receipts, while purchases go on being booked",
        description="Reports show the old sums until the new ones are complete. It can be stopped at any time: the "
        "same command goes on where it was. Where to ask comes from the environment, as for verify-ledger.",
    )
    parser.add_argument("--chain", required=True, metavar="ID", help="whose sales (chn_…)")
    parser.add_argument(
        "--give-up", type=float, default=60.0, metavar="S", help="when points stays away so long; %(default)s s"
    )
    parser.set_defaults(run=lambda given: asyncio.run(rebuild(given.chain, Pace(given.give_up))))


async def rebuild(chain: str, pace: Pace) -> int:
    """Rebuild to the end, saying how far it is on standard error, and return the exit code."""
    heard = pace.now()
    async with connected("points") as line:
        while True:
            try:
                last = await _go_on(chain, line, pace)
            except Problem as problem:
                if problem.kind not in PASSING:
                    raise
                if (silent_s := pace.now() - heard) > pace.give_up_s:
                    raise StillAwayError(seconds=round(silent_s), why=problem.message) from problem
                await pace.sleep(WAIT_S)
                continue
            if last.receipts or last.HasField("begins_at") or last.done:
                heard = pace.now()
            if last.done:
                sys.stdout.write(f"{last.receipts:,} receipts were counted: reports show them now\n")
                return 0
            if last.HasField("begins_at"):
                await _wait(from_timestamp(last.begins_at), pace)
                heard = pace.now()
            else:
                await pace.sleep(PAUSE_S)


async def _go_on(chain: str, line: Line, pace: Pace) -> pb.RebuildSalesProgress:
    """Call once, and return the last that it told."""
    told, last = pace.now(), pb.RebuildSalesProgress()
    request = pb.RebuildSalesRequest(chain_id=chain)
    method = line.channel.stub(InsightStub).RebuildSales
    async with aclosing(line.stream(method, request, within_s=ONE_CALL_S)) as steps:
        async for step in steps:
            last = step
            if pace.now() - told >= TELL_EVERY_S:
                sys.stderr.write(f"{step.receipts:,} receipts\n")
                told = pace.now()
    return last


async def _wait(moment: datetime, pace: Pace) -> None:
    """Wait until what was booked before the cut must be there."""
    left_s = (moment - pace.clock()).total_seconds()
    sys.stderr.write(f"what is being booked now is waited for: {max(left_s, 0):.0f} s\n")
    await pace.sleep(max(left_s, WAIT_S))
