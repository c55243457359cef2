"""Against npm's medici on the same MongoDB, both in process without gRPC."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from infra.local.mongod import Mongod
from infra.local.ports import free_port
from tests.bench import books
from tests.bench.figures import Figure, in_turn, middle, spread, tell
from tests.bench.orders import Order, Tally
from tests.bench.throughput import CALLERS
from tests.bench.workers import Worker, worker

MEDICI = Path(__file__).parent / "medici"


def installed() -> bool:
    """Install medici when it is missing; false without node."""
    if not (shutil.which("node") and shutil.which("npm")):
        return False
    if not (MEDICI / "node_modules" / "medici").exists():
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=MEDICI, check=True, stdout=sys.stderr)
    return True


class Ledger:
    """One of the two, and how much it has acknowledged."""

    def __init__(self, works: Worker, order: Order, *, prefix: str = "run") -> None:
        self.works, self._order, self._prefix = works, order, prefix
        self._runs = self.acknowledged = 0

    def book(self, seconds: float) -> Tally:
        """Let all callers book for `seconds`."""
        self._runs += 1
        tally = self.works.carry_out(replace(self._order, run=f"{self._prefix}{self._runs}", seconds=seconds))
        self.acknowledged += tally.acknowledged
        return tally


def ledger_vs_medici(folder: Path, *, accounts: int, seconds: float) -> Figure | None:
    """Return purchases per second of the group commit against those of medici; None without node."""
    if not installed():
        tell("points.ledger_vs_medici is left out: it needs node and npm on the PATH")
        return None
    with ExitStack() as stack:
        mongod = stack.enter_context(Mongod(folder / "mongod", port=stack.enter_context(free_port())))
        medici_url = mongod.url.replace("/?", f"/{books.MEDICI}?") + "&w=majority&journal=true"
        order = Order(run="", accounts=accounts, callers=CALLERS, seconds=seconds)
        ours = Ledger(stack.enter_context(worker([sys.executable, "-m", "tests.bench.inside", mongod.url])), order)
        theirs = Ledger(stack.enter_context(worker(["node", str(MEDICI / "ledger.mjs"), medici_url])), order)
        ours.book(0.0)  # makes the collections
        with books.opened(mongod.url) as database:
            books.lay_in_accounts(database, accounts)
        alone = Ledger(theirs.works, replace(order, alone=True), prefix="alone")
        for ledger in (ours, theirs, alone):
            ledger.book(seconds)  # warm
        rounds = in_turn(lambda: ours.book(seconds), lambda: theirs.book(seconds))
        with books.opened(mongod.url) as database:
            books.check(database, acknowledged=ours.acknowledged)
        by_itself = [alone.book(seconds) for _ in range(2)]
        with books.opened(mongod.url, books.MEDICI) as database:
            books.check_medici(database, acknowledged=theirs.acknowledged + alone.acknowledged)
    return _figure(rounds, by_itself, accounts)


def _figure(rounds: Sequence[tuple[Tally, Tally]], by_itself: Sequence[Tally], accounts: int) -> Figure:
    ratios = [_per_s(ours) / _per_s(theirs) for ours, theirs in rounds]
    return Figure(
        figure="points.ledger_vs_medici",
        value=middle(ratios),
        unit="ratio",
        spread=spread(ratios),
        detail={
            "target": ">= 8",
            "callers": CALLERS,
            "accounts": accounts,
            "medici": _version(),
            "points": _told([ours for ours, _ in rounds]),
            "peer": _told([theirs for _, theirs in rounds]),
            "peer_alone": _told(by_itself),
            "how": "each in one process with its callers, on one mongod, w:majority, j:true; for each purchase medici "
            "writes a journal and two transactions and, in the same transaction, a receipt, an account and an event, "
            "as points does; `peer_alone`: the journal only, without receipt, account and event",
        },
    )


def _per_s(tally: Tally) -> float:
    return tally.acknowledged / tally.took_s


def _told(tallies: Sequence[Tally]) -> dict[str, Any]:
    return {
        "purchases_per_s": middle([_per_s(tally) for tally in tallies]),
        "rounds_per_s": [round(_per_s(tally)) for tally in tallies],
        "p50_ms": middle([tally.p50_ms for tally in tallies]),
        "p99_ms": middle([tally.p99_ms for tally in tallies]),
        "failed": [tally.failed for tally in tallies],
        "cpu_s_per_1000": middle([1_000 * tally.cpu_s / tally.acknowledged for tally in tallies]),
    }


def _version() -> str:
    return str(orjson.loads((MEDICI / "package.json").read_bytes())["dependencies"]["medici"])
