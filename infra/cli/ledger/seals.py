"""`huitou seals`: the sealed roots of a ledger as JSON lines, to be kept where the platform cannot reach them."""

import argparse
import asyncio
import base64
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, TextIO

from infra.cli.operators import connected
from protos.common.v1.page_pb2 import Page
from protos.points.v1 import ledger_pb2 as pb
from protos.points.v1.ledger_pb2_grpc import LedgerStub

AT_ONCE = 100
"""The platform's largest page."""


def add_to(commands: Any) -> None:
    """Add the command to argparse's subparsers."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "seals",
        help="list the sealed roots of a chain's ledger, the newest first, as JSON lines",
        description="Where to ask comes from the environment, as for verify-ledger.",
    )
    parser.add_argument("--chain", required=True, metavar="ID", help="whose ledger (chn_…)")
    parser.add_argument(
        "--export", type=Path, metavar="FILE", help="write them there; a file that was there is replaced"
    )
    parser.set_defaults(run=lambda given: asyncio.run(show(given)))


async def show(given: argparse.Namespace) -> int:
    """Print the seals or write them to a file, and return the exit code."""
    if given.export is None:
        await _write(given.chain, sys.stdout)
        return 0
    given.export.parent.mkdir(parents=True, exist_ok=True)
    # Under its name only when it is whole: half a list would look like seals that were taken away.
    partial = given.export.with_name(given.export.name + ".partial")
    with partial.open("w", encoding="utf-8") as out:
        count = await _write(given.chain, out)
    partial.replace(given.export)
    sys.stdout.write(f"{count:,} seals are in {given.export}\n")
    return 0


async def _write(chain: str, out: TextIO) -> int:
    count = 0
    async for seal in _seals(chain):
        out.write(json.dumps(_shown(seal)) + "\n")
        count += 1
    return count


async def _seals(chain: str) -> AsyncIterator[pb.Seal]:
    after = ""
    # The request has no field for the chain: it is taken from who asks.
    async with connected("points", chain=chain) as line:
        method = line.channel.stub(LedgerStub).ListSeals
        while True:
            answer = await line.ask(method, pb.ListSealsRequest(page=Page(first=AT_ONCE, after=after)))
            for seal in answer.seals:
                yield seal
            if not answer.end_cursor:
                return
            after = answer.end_cursor


def _shown(seal: pb.Seal) -> dict[str, Any]:
    return {
        "day": seal.day,
        "root": seal.root.hex(),
        "accounts": seal.accounts,
        "postings": seal.postings,
        "sealed_at": seal.sealed_at.ToJsonString(),
        "key_id": seal.key_id,
        "signature": base64.b64encode(seal.signature).decode(),
    }
