"""A Ledger that says what a test tells it to, behind a real gRPC server with the platform's own keys."""

import asyncio
from argparse import Namespace
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from infra.cli.main import parsed
from protos.points.v1 import ledger_pb2 as pb
from protos.points.v1.ledger_pb2_grpc import LedgerServicer, add_LedgerServicer_to_server
from services.kit.clock import system_clock
from services.kit.errors import Problem
from services.kit.keys import ensure_keys, load_verifier
from services.kit.principal import Principal
from services.kit.rpc import RemoteProblem, RpcServer
from services.kit.rpc.calls import caller

Part = pb.VerifyLedgerProgress | Problem | asyncio.Event
"""What a stream does next: say something, fail, or wait."""

SERVICE = pb.DESCRIPTOR.services_by_name["Ledger"]


@dataclass
class PaperLedger(LedgerServicer):
    """Answers each call with the next of `streams`; beyond the last one with an empty stream."""

    streams: list[list[Part]] = field(default_factory=list)
    seals: list[pb.Seal] = field(default_factory=list)
    asked: list[pb.VerifyLedgerRequest] = field(default_factory=list)
    callers: list[Principal] = field(default_factory=list)
    page: int = 2
    break_at: str = "never"  # the cursor whose page cannot be given

    async def VerifyLedger(  # noqa: N802 - as the proto has it
        self, request: pb.VerifyLedgerRequest, _context: object
    ) -> AsyncIterator[pb.VerifyLedgerProgress]:
        self.asked.append(request)
        self.callers.append(caller())
        for part in self.streams.pop(0) if self.streams else []:
            if isinstance(part, Problem):
                raise part
            if isinstance(part, asyncio.Event):
                await part.wait()
            else:
                yield part

    async def ListSeals(self, request: pb.ListSealsRequest, _context: object) -> pb.ListSealsResponse:  # noqa: N802 - as above
        self.callers.append(caller())
        if request.page.after == self.break_at:
            raise RemoteProblem("It broke.")
        start = int(request.page.after or 0)
        end = start + min(self.page, request.page.first)
        more = end < len(self.seals)
        return pb.ListSealsResponse(seals=self.seals[start:end], end_cursor=str(end) if more else "")


@dataclass(frozen=True)
class Office:
    """Where `huitou` is typed; `ledger` answers."""

    ledger: PaperLedger
    folder: Path
    environ: dict[str, str]

    async def huitou(self, work: Callable[[Namespace], Awaitable[int]], *words: str) -> int:
        """Do the command's work in this event loop: two of them in one process are not what gRPC is made for."""
        return await work(parsed(words))


def progress(
    cursor: str,
    accounts: int,
    postings: int,
    *findings: tuple[str, str, int, str],
    in_all: int = 10,
    done: bool = False,
) -> pb.VerifyLedgerProgress:
    told = [
        pb.Finding(invariant=invariant, account=account, version=version, message=message)
        for invariant, account, version, message in findings
    ]
    return pb.VerifyLedgerProgress(
        cursor=cursor, accounts=accounts, postings=postings, findings=told, accounts_in_all=in_all, done=done
    )


@asynccontextmanager
async def office(
    folder: Path, set_environ: Callable[[str, str], None], streams: Sequence[list[Part]] = ()
) -> AsyncIterator[Office]:
    """Serve a ledger, and let `set_environ` say where."""
    keys = folder / "keys"
    ensure_keys(keys)
    ledger = PaperLedger(list(streams))  # type: ignore[abstract]  # the other methods are nobody's here
    server = RpcServer(
        address="127.0.0.1:0",
        verifier=load_verifier(keys, clock=system_clock),
        servicers=[(add_LedgerServicer_to_server, ledger, SERVICE)],
    )
    await server.start()
    environ = {"POINTS_ADDRESS": f"127.0.0.1:{server.port}", "HUITOU_KEYS_DIR": str(keys)}
    for name, value in environ.items():
        set_environ(name, value)
    try:
        yield Office(ledger, folder, environ)
    finally:
        await server.stop(0)
