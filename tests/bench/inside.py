"""The ledger without gRPC: callers and group commit in one process, as medici runs beside it.

Reads orders from standard input and answers each with a tally: `python -m tests.bench.inside MONGO_URL`.
"""

import asyncio
import sys
import time
from collections.abc import Iterator

import orjson
import uvloop

from services.kit.mongo.database import Database
from services.kit.principal import Caller, Principal
from services.points.usecases.record_purchases import Recorder
from tests.bench.books import DATABASE
from tests.bench.composed import book, ledger_on, recorder_on, set_up
from tests.bench.orders import Order, Tally
from tests.bench.receipts import CHAIN, Bill, bills

TILL = Principal(chain=CHAIN, kind=Caller.TILL, id="key_bench", scopes=frozenset({"purchases:write"}))


async def carried_out(order: Order, recorder: Recorder) -> Tally:
    """Let every caller book one receipt after the other until the time is over."""
    tally, latencies_ms = Tally(), list[float]()
    source = bills(run=order.run, accounts=order.accounts)
    cpu_s, began = time.process_time(), time.monotonic()
    ends = began + order.seconds
    async with asyncio.TaskGroup() as callers:
        for _ in range(order.callers):
            callers.create_task(_call(source, recorder, ends, tally, latencies_ms))
    tally.took_s, tally.cpu_s = time.monotonic() - began, time.process_time() - cpu_s
    tally.note(latencies_ms)
    return tally


async def _call(
    source: Iterator[Bill], recorder: Recorder, ends: float, tally: Tally, latencies_ms: list[float]
) -> None:
    while (due := time.monotonic()) < ends:
        tally.offered += 1
        await book(next(source), caller=TILL, recorder=recorder)
        answered = time.monotonic()
        tally.acknowledged += 1
        tally.in_time += 1 if answered <= ends else 0
        latencies_ms.append((answered - due) * 1_000)


async def main(mongo_url: str) -> None:
    """Answer orders until there are no more."""
    database = Database.connect(mongo_url, name=DATABASE)
    await set_up(database)
    ledger = ledger_on(database, "group")
    await ledger.start()
    loop = asyncio.get_running_loop()
    # A thread reads, so that the ledger's own tasks live on between two orders.
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        tally = await carried_out(Order(**orjson.loads(line)), recorder_on(ledger))
        sys.stdout.write(orjson.dumps(tally).decode() + "\n")
        sys.stdout.flush()
    await ledger.stop()
    await database.close()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
