"""A stand: a points service with a MongoDB of its own, set up with accounts and ready to be loaded."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from infra.local.child import PAUSE_S, Child, ChildFailedError
from infra.local.mongod import Mongod
from infra.local.ports import LOOPBACK, free_port
from services.kit.keys import ensure_keys
from tests.bench import books, usage
from tests.bench.composed import Mode
from tests.bench.orders import Order, Tally
from tests.bench.workers import Worker, worker

READY_WITHIN_S = 60.0
STOP_WITHIN_S = 20.0
READY = "ready: points"


@dataclass(frozen=True, slots=True)
class Slice:
    """One load on a stand, and what it cost in CPU seconds by process."""

    tally: Tally
    service_s: float
    mongod_s: float

    @property
    def per_s(self) -> float:
        """Purchases acknowledged per second, to the last answer."""
        return self.tally.acknowledged / self.tally.took_s

    def per_1000(self, cpu_s: float) -> float:
        """Return CPU seconds for each thousand purchases."""
        return round(1_000 * cpu_s / max(1, self.tally.acknowledged), 4)


class Stand:
    """A service under load. Counts what it acknowledged, so that its books can be checked."""

    def __init__(
        self, *, mode: Mode, accounts: int, address: str, keys: Path, mongod: Mongod, service: Child, load: Worker
    ) -> None:
        self.mode, self.accounts, self.address, self.keys = mode, accounts, address, keys
        self._mongod, self._service, self._load = mongod, service, load
        self._runs = self._acknowledged = 0

    def load(self, order: Order) -> Slice:
        """Carry out an order, with this stand's address, accounts and a new run's name."""
        self._runs += 1
        order = replace(order, run=f"{self.mode}{self._runs}", accounts=self.accounts, address=self.address)
        service_s, mongod_s = usage.cpu_s(self._service.pid), usage.cpu_s(self._mongod.pid)
        tally = self._load.carry_out(order)
        self._acknowledged += tally.acknowledged
        return Slice(
            tally,
            service_s=usage.cpu_s(self._service.pid) - service_s,
            mongod_s=usage.cpu_s(self._mongod.pid) - mongod_s,
        )

    def check(self) -> None:
        """Raise `WrongBooksError` unless the books hold exactly what was acknowledged."""
        with books.opened(self._mongod.url) as database:
            books.check(database, acknowledged=self._acknowledged)

    def memory_mb(self) -> float:
        """Return what the service has resident now."""
        return usage.resident_mb(self._service.pid)

    def peaks_mb(self) -> dict[str, float]:
        """Return the most that the service and mongod had resident."""
        return {"service": usage.peak_mb(self._service.pid), "mongod": usage.peak_mb(self._mongod.pid)}

    def bytes_per_purchase(self) -> dict[str, dict[str, float]]:
        """Return bytes for each purchase so far: of the documents, on disk, and of the indexes, by collection."""
        with books.opened(self._mongod.url) as database:
            return {
                name: {kind: round(size / self._acknowledged, 1) for kind, size in sizes.items()}
                for name, sizes in books.stored(database).items()
            }


@contextmanager
def stand(folder: Path, *, mode: Mode, accounts: int) -> Iterator[Stand]:
    """Start a stand below `folder` on free ports, lay in its accounts, and stop all of it when the block ends."""
    with ExitStack() as stack:
        mongod = stack.enter_context(Mongod(folder / "mongod", port=stack.enter_context(free_port())))
        address = f"{LOOPBACK}:{stack.enter_context(free_port())}"
        keys = folder / "keys"
        ensure_keys(keys)
        service = Child("points", folder=folder, stop_within_s=STOP_WITHIN_S)
        environ = {
            **os.environ,
            "MONGO_URL": mongod.url,
            "POINTS_ADDRESS": address,
            "HUITOU_KEYS_DIR": str(keys),
            "HUITOU_NAMESPACE": "",
        }
        stack.callback(service.stop)
        service.start([sys.executable, "-m", "tests.bench.served", mode], environ=environ, orphaned=signal.SIGKILL)
        _wait_until_ready(service)
        with books.opened(mongod.url) as database:
            books.lay_in_accounts(database, accounts)
        load = stack.enter_context(worker([sys.executable, "-m", "tests.bench.load", str(keys)]))
        yield Stand(mode=mode, accounts=accounts, address=address, keys=keys, mongod=mongod, service=service, load=load)


def _wait_until_ready(service: Child) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while READY not in service.log.read_text(errors="replace"):
        service.check()
        if time.monotonic() > deadline:
            raise ChildFailedError(service.name, service.log, why=f"was not ready after {READY_WITHIN_S:.0f} s")
        time.sleep(PAUSE_S)
