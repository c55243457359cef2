"""`huitou verify-ledger`: recomputes a ledger from its journal, over the operators' gRPC, and says what is wrong."""

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.cli.ledger.state import Place
from infra.cli.ledger.telling import Telling
from infra.cli.operators import connected
from protos.points.v1 import ledger_pb2 as pb
from protos.points.v1.ledger_pb2_grpc import LedgerStub
from services.kit.errors import Kind, Problem

CLEAN, FOUND, UNFINISHED = 0, 1, 2

ONE_CALL_S = 60.0
"""As long as the platform lets one call last; a longer verification takes several, each from the last cursor."""

SAVE_EVERY_S = 1.0
FIRST_WAIT_S, MOST_WAIT_S = 0.2, 5.0
PASSING = frozenset({Kind.UNAVAILABLE, Kind.TIMED_OUT, Kind.OVERLOADED})

EPILOG = """\
exit code: 0 nothing is wrong, 1 something is (also when an earlier part of a resumed run found it), 2 it could not
finish, 130 it was interrupted. After 2 and 130, and after a kill, --resume goes on where it was.
"""


class StillAwayError(Problem):
    """points has not answered for {seconds} s ({why}). The same command with --resume goes on where it was."""

    kind = Kind.UNAVAILABLE
    code = "STILL_AWAY"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for an answer."""

    give_up_s: float
    now: Callable[[], float] = time.monotonic


def add_to(commands: Any) -> None:
    """Add the command to argparse's subparsers."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "verify-ledger",
        help="recompute a chain's ledger from its journal, and say what is wrong and where",
        description="The address and the operator's key come from the environment: POINTS_ADDRESS and HUITOU_KEYS_DIR; "
        "without it, the keys of `make run`.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--chain", default="", metavar="ID", help="whose ledger (chn_…)")
    add("--resume", action="store_true", help="go on where the last run was stopped")
    add("--state", type=Path, default=Path(".state/verify-ledger"), metavar="DIR", help="where it keeps how far it is")
    add("--give-up", type=float, default=60.0, metavar="S", help="when points stays away so long; %(default)s s")
    parser.set_defaults(run=lambda given: asyncio.run(verify(given)), wrong_usage=UNFINISHED)


async def verify(given: argparse.Namespace) -> int:
    """Verify, print what is found, and return the exit code."""
    place = Place(given.state, chain=given.chain)
    try:
        with place.locked():
            if given.resume:
                place.resume()
                if place.findings:
                    sys.stderr.write(f"{place.findings:,} findings of the earlier part are in {place.findings_path}\n")
            else:
                place.begin()
            code = await _verify(given.chain, place, Patience(given.give_up))
            sys.stdout.write(_summary(place))
            return code
    except Problem as problem:
        sys.stderr.write(f"huitou: {problem.message}\n")
        return UNFINISHED


async def _verify(chain: str, place: Place, patience: Patience) -> int:
    telling = Telling(sys.stderr, now=patience.now, accounts=place.accounts, postings=place.postings)
    async with connected("points") as line:
        method = line.channel.stub(LedgerStub).VerifyLedger

        def ask() -> AsyncGenerator[pb.VerifyLedgerProgress, None]:
            request = pb.VerifyLedgerRequest(cursor=place.cursor, chain_id=chain)
            return line.stream(method, request, within_s=ONE_CALL_S)

        try:
            await _follow(ask, place, telling, patience)
        except BaseException:  # Ctrl-C included
            place.save()
            raise
    place.finish()
    return FOUND if place.findings else CLEAN


async def _follow(
    ask: Callable[[], AsyncGenerator[pb.VerifyLedgerProgress, None]], place: Place, telling: Telling, patience: Patience
) -> None:
    """Ask again from the last cursor, as long as there is something new now and then, until it is done."""
    heard, saved, attempt = patience.now(), float("-inf"), 0
    while True:
        why = "it ended before it was done"
        try:
            async with aclosing(ask()) as steps:
                async for progress in steps:
                    now = patience.now()
                    if progress.cursor != place.cursor:  # else it only says that it is there
                        heard, attempt = now, 0
                    _take(progress, place, telling)
                    if progress.done:
                        return
                    if now - saved >= SAVE_EVERY_S:
                        place.save()
                        saved = now
        except Problem as problem:
            if problem.kind not in PASSING:
                raise
            why = problem.message
        wait_s = min(FIRST_WAIT_S * 2**attempt, MOST_WAIT_S) if attempt else 0.0
        silent_s = patience.now() - heard
        if silent_s + wait_s > patience.give_up_s:
            raise StillAwayError(seconds=round(silent_s), why=why)
        if attempt == 1:
            telling.note(f"{why}: trying again for {patience.give_up_s:g} s at most")
        await asyncio.sleep(wait_s)
        attempt += 1


def _take(progress: pb.VerifyLedgerProgress, place: Place, telling: Telling) -> None:
    """Note and show what one message says."""
    findings = [
        {"invariant": one.invariant, "account": one.account, "version": one.version, "message": one.message}
        for one in progress.findings
    ]
    place.note(findings)
    place.cursor, place.accounts, place.postings = progress.cursor, progress.accounts, progress.postings
    if findings:
        telling.clear()
    for one in progress.findings:
        where = f"{one.account} version {one.version}" if one.version else one.account or "the ledger"
        sys.stdout.write(f"{one.invariant:<9} {where}: {one.message}\n")
    sys.stdout.flush()
    telling.tell(
        accounts=progress.accounts, postings=progress.postings, in_all=progress.accounts_in_all, last=progress.done
    )


def _summary(place: Place) -> str:
    seen = f"{place.accounts:,} accounts and {place.postings:,} postings were verified"
    if not place.findings:
        return f"{seen}: nothing is wrong\n"
    return f"{seen}: {place.findings:,} findings, all of them in {place.findings_path}\n"
