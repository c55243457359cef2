"""A process that carries out orders: what makes load, or a ledger that makes its own."""

import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import orjson

from infra.local.child import tied_to_parent
from tests.bench.orders import Order, Tally

ROOT = Path(__file__).parents[2]
STOP_S = 10.0


class WorkerEndedError(Exception):
    """A worker ended in the middle of an order; what it said stands above, on standard error."""


class Worker:
    """Takes one order at a time."""

    def __init__(self, running: "subprocess.Popen[bytes]") -> None:
        self._running = running
        self.pid = running.pid

    def carry_out(self, order: Order) -> Tally:
        """Return what came of the order."""
        assert self._running.stdin is not None
        assert self._running.stdout is not None
        self._running.stdin.write(orjson.dumps(order) + b"\n")
        self._running.stdin.flush()
        if not (line := self._running.stdout.readline()):
            raise WorkerEndedError
        return Tally(**orjson.loads(line))


@contextmanager
def worker(command: Sequence[str]) -> Iterator[Worker]:
    """Run `command` until the block ends; it is not reached by Ctrl-C, and ends when its input does."""
    running = subprocess.Popen(
        tied_to_parent(command, by=signal.SIGKILL),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield Worker(running)
        running.communicate(timeout=STOP_S)
    finally:
        running.kill()
        running.wait()
        for pipe in (running.stdin, running.stdout):
            if pipe:
                pipe.close()
