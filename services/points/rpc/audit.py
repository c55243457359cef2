"""Verifying and sealing, as calls: what the Ledger servicer answers with."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import date

from protos.points.v1 import ledger_pb2 as pb
from services.kit.errors import Kind, Problem
from services.kit.principal import Caller
from services.kit.rpc.server import caller, time_left_s
from services.kit.timestamps import to_timestamp
from services.points.domain.findings import Finding
from services.points.domain.seal_checks import SealKeys
from services.points.domain.seals import Seal
from services.points.rpc.words import CursorError
from services.points.usecases.programs import ProgramSource
from services.points.usecases.seal_ledger import Seals, list_seals
from services.points.usecases.verify_ledger import LedgerReader, Progress, verify_ledger

TELL_EVERY_S = 1.0
"""A cursor may have 100 kB."""

LEAVE_S = 3.0
"""A call that ends this much before its deadline ends well: its caller goes on with the last cursor."""


class NoChainError(Problem):
    """Name the chain: an operator's token has none."""

    kind = Kind.INVALID
    code = "NO_CHAIN"


@dataclass(frozen=True, slots=True)
class AuditReports:
    """The calls that look the ledger through."""

    reader: LedgerReader
    seals: Seals
    programs: ProgramSource
    keys: SealKeys

    async def VerifyLedger(self, request: pb.VerifyLedgerRequest) -> AsyncGenerator[pb.VerifyLedgerProgress, None]:  # noqa: N802 - gRPC's name
        """Verify from the request's cursor on. A stream that ends without `done` ran out of time: call again with its
        last cursor."""
        loop = asyncio.get_running_loop()
        told_at, waiting = loop.time() - TELL_EVERY_S, list[Finding]()
        steps = verify_ledger(
            chain_named(request.chain_id),
            cursor=request.cursor,
            reader=self.reader,
            programs=self.programs,
            keys=self.keys,
        )
        async with aclosing(steps):
            async for progress in steps:
                waiting += progress.findings
                left_s = time_left_s()
                is_late = left_s is not None and left_s < LEAVE_S
                if progress.done or is_late or loop.time() - told_at >= TELL_EVERY_S:
                    yield _progress(progress, waiting)
                    told_at, waiting = loop.time(), []
                if is_late:
                    return

    async def ListSeals(self, request: pb.ListSealsRequest) -> pb.ListSealsResponse:  # noqa: N802 - gRPC's name
        """Read a page of seals, the newest first."""
        after = _day(request.page.after) if request.page.after else None
        found, last = await list_seals(caller().chain, after=after, first=request.page.first, seals=self.seals)
        return pb.ListSealsResponse(
            seals=[_seal(seal) for seal in found], end_cursor="" if last is None else last.isoformat()
        )


def chain_named(named: str) -> str:
    """Return whose ledger: the token's chain; an operator's has none, and the request names it."""
    if caller().kind is not Caller.OPERATOR:
        return caller().chain
    chain = named or caller().chain
    if not chain:
        raise NoChainError(field="chainId")
    return chain


def _progress(progress: Progress, findings: list[Finding]) -> pb.VerifyLedgerProgress:
    position = progress.position
    return pb.VerifyLedgerProgress(
        cursor=position.cursor(),
        accounts=position.accounts,
        postings=position.postings,
        findings=[
            pb.Finding(
                invariant=one.invariant.value,
                account=one.account,
                # Stored ones may be anything.
                version=min(max(one.version, -(2**63)), 2**63 - 1),
                message=one.message,
            )
            for one in findings
        ],
        accounts_in_all=progress.accounts_in_all,
        done=progress.done,
    )


def _seal(seal: Seal) -> pb.Seal:
    return pb.Seal(
        day=seal.day.isoformat(),
        root=seal.root,
        accounts=seal.accounts,
        postings=seal.postings,
        sealed_at=to_timestamp(seal.sealed_at),
        signature=seal.signature,
        key_id=seal.key_id,
    )


def _day(cursor: str) -> date:
    try:
        return date.fromisoformat(cursor)
    except ValueError:
        raise CursorError(field="after") from None
