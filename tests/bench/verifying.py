"""How fast the ledger is verified: the whole of a stand's, over gRPC."""

import asyncio
import time
from pathlib import Path

from protos.points.v1 import ledger_pb2 as pb
from protos.points.v1.ledger_pb2_grpc import LedgerStub
from services.kit.clock import system_clock
from services.kit.keys import load_signer
from services.kit.principal import Caller, Principal
from services.kit.rpc import RpcChannel
from tests.bench.figures import Figure, middle, rounded, spread
from tests.bench.receipts import CHAIN
from tests.bench.stands import Stand

ROUNDS = 3
READER = Principal(chain=CHAIN, kind=Caller.STAFF, id="key_bench", scopes=frozenset({"ledger:read"}))


class NotVerifiedError(Exception):
    """Verification has found something: the run does not count."""


def verified_per_s(stand: Stand) -> Figure:
    """Return how many postings a second are read and recomputed; every one of the run must be right."""
    stand.check()
    rounds = [asyncio.run(_verify(stand.address, stand.keys)) for _ in range(ROUNDS)]
    rates = [postings / took_s for postings, took_s in rounds]
    return Figure(
        figure="points.verified_per_s",
        value=rounded(middle(rates)),
        unit="postings/s",
        spread=spread(rates),
        detail={
            "postings": rounds[0][0],
            "accounts": stand.accounts,
            "how": "VerifyLedger over gRPC from the first account to the last, nothing else under way, one process",
        },
    )


async def _verify(address: str, keys: Path) -> tuple[int, float]:
    channel = RpcChannel(address, tokens=load_signer(keys, "gateway", clock=system_clock).token)
    stub = channel.stub(LedgerStub)
    began = time.monotonic()
    progress = pb.VerifyLedgerProgress()
    try:
        while not progress.done:
            request = pb.VerifyLedgerRequest(cursor=progress.cursor)
            async with channel.stream(stub.VerifyLedger, request, principal=READER, timeout_s=60) as steps:
                async for progress in steps:
                    if progress.findings:
                        raise NotVerifiedError(str(progress.findings[0]))
    finally:
        await channel.close()
    return progress.postings, time.monotonic() - began
