"""The load on a points service: a process of its own that reads orders from standard input, a line each, and answers
each with a tally: `python -m tests.bench.load KEYS_DIR`.
"""

import asyncio
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import grpc
import orjson
import uvloop

from services.kit.clock import system_clock
from services.kit.keys import load_signer
from services.kit.principal import Caller, Principal, Signer
from tests.bench.calls import OPEN, Metadata, Send
from tests.bench.orders import Order, Tally
from tests.bench.receipts import CHAIN, Bill, bills

TILL = Principal(chain=CHAIN, kind=Caller.TILL, id="key_bench", scopes=frozenset({"purchases:write"}))

PAUSE_S = 0.05
"""Before a failed call is made again."""

SETTLE_S = 30.0
"""What failed is sent again until so long after the end; if it is not acknowledged by then, the run does not count."""


class Load:
    """One order carried out."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._bills = bills(run=order.run, accounts=order.accounts)
        self._tally = Tally()
        self._latencies_ms: list[float] = []
        self._dues = self._due_times()
        self._began = self._ends = 0.0

    async def run(self, channel: grpc.aio.Channel, metadata: Metadata) -> Tally:
        """Return what came of it, once every call is answered."""
        cpu_s = time.process_time()
        self._began = time.monotonic()
        self._ends = self._began + self._order.seconds
        async with asyncio.TaskGroup() as callers:
            for _ in range(self._order.callers):
                callers.create_task(self._call(channel, metadata))
        self._tally.took_s = time.monotonic() - self._began
        self._tally.cpu_s = time.process_time() - cpu_s
        self._tally.note(self._latencies_ms)
        return self._tally

    def _due_times(self) -> Iterator[float]:
        """Give the next call's time to whichever caller is free; it lies in the past when all were busy then."""
        call = 0
        while time.monotonic() < self._ends:
            due = self._began + call / self._order.calls_per_s if self._order.calls_per_s else time.monotonic()
            if due >= self._ends:
                return
            yield due
            call += 1

    async def _call(self, channel: grpc.aio.Channel, metadata: Metadata) -> None:
        lost: list[list[Bill]] = []
        async with OPEN[self._order.shape](channel, metadata) as send:
            for due in self._dues:
                if (early_s := due - time.monotonic()) > 0:
                    await asyncio.sleep(early_s)
                receipts = list(islice(self._bills, self._order.per_call))
                self._tally.offered += len(receipts)
                if not await self._tried(send, receipts, lost):
                    continue
                answered = time.monotonic()
                self._tally.acknowledged += len(receipts)
                counts = self._began + self._order.skip_s <= answered <= self._ends
                self._tally.in_time += len(receipts) if counts else 0
                self._latencies_ms.append((answered - due) * 1_000)
            for receipts in lost:
                await self._insist(send, receipts)
                self._tally.acknowledged += len(receipts)

    async def _tried(self, send: Send, receipts: list[Bill], lost: list[list[Bill]]) -> bool:
        """Send once in an open loop, until it is acknowledged in a closed one; tell whether it is."""
        try:
            await send(receipts)
        except grpc.aio.AioRpcError as error:
            if self._order.calls_per_s and error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
                self._tally.refused += len(receipts)
                return False
            self._note_failed(error, receipts)
            if self._order.calls_per_s:
                lost.append(receipts)
                return False
            await self._insist(send, receipts)
        return True

    async def _insist(self, send: Send, receipts: list[Bill]) -> None:
        """Send again until it is acknowledged; what failed may have booked some, and no receipt books twice."""
        while True:
            await asyncio.sleep(PAUSE_S)
            try:
                return await send(receipts)
            except grpc.aio.AioRpcError as error:
                if time.monotonic() > self._ends + SETTLE_S:
                    raise
                self._note_failed(error, receipts)

    def _note_failed(self, error: grpc.aio.AioRpcError, receipts: list[Bill]) -> None:
        status = error.code().name
        self._tally.failed[status] = self._tally.failed.get(status, 0) + len(receipts)


async def carried_out(order: Order, signer: Signer) -> Tally:
    """Carry out an order over a connection of its own."""
    metadata = (("authorization", f"Bearer {signer.token(TILL)}"),)
    options = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0))
    async with grpc.aio.insecure_channel(order.address, options=options) as channel:
        await channel.channel_ready()
        return await Load(order).run(channel, metadata)


def main(keys: Path) -> None:
    """Answer orders until there are no more."""
    signer = load_signer(keys, "gateway", clock=system_clock)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for line in sys.stdin:
            tally = runner.run(carried_out(Order(**orjson.loads(line)), signer))
            sys.stdout.write(orjson.dumps(tally).decode() + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
