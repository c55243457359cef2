"""Purchases per second behind gRPC: group commit against a transaction for each purchase."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from tests.bench.figures import Figure, in_turn, middle, spread
from tests.bench.orders import MOST_PER_CALL, Order
from tests.bench.stands import Slice, Stand

CALLERS = 64
STREAMS = 4
"""One batch is committed while the next ones arrive: more streams would only wait."""

SAME = (
    "a real service process behind gRPC; where there are two they write the same documents with the same durability; "
    "members and stores are played in the process, no broker and no relay (outbox rows are written and stay)"
)


@dataclass(frozen=True, slots=True)
class Pair:
    """The two stands of a ratio."""

    group: Stand
    txn: Stand


def unary_vs_txn(pair: Pair, *, seconds: float) -> Figure:
    """64 callers, one RecordPurchase each at a time."""
    return _against_txn("points.unary_vs_txn", pair, unary(seconds), target=">= 4")


def stream_vs_txn(pair: Pair, *, seconds: float) -> Figure:
    """Many receipts a message, over a stream."""
    return _against_txn("points.stream_vs_txn", pair, stream(seconds), target=">= 8")


def unary(seconds: float) -> Order:
    """Return the load of 64 tills."""
    return Order(run="", accounts=0, callers=CALLERS, seconds=seconds)


def stream(seconds: float) -> Order:
    """Return the load of a few streams with as much in a message as it takes."""
    return Order(run="", accounts=0, callers=STREAMS, seconds=seconds, shape="stream", per_call=MOST_PER_CALL)


def _against_txn(name: str, pair: Pair, order: Order, *, target: str) -> Figure:
    for stand in (pair.group, pair.txn):
        stand.load(order)  # warm
    rounds = in_turn(lambda: pair.group.load(order), lambda: pair.txn.load(order))
    ratios = [group.per_s / txn.per_s for group, txn in rounds]
    for stand in (pair.group, pair.txn):
        stand.check()
    return Figure(
        figure=name,
        value=middle(ratios),
        unit="ratio",
        spread=spread(ratios),
        detail={
            "target": target,
            "callers": order.callers,
            "receipts_per_call": order.per_call,
            "accounts": pair.group.accounts,
            "group": told([group for group, _ in rounds]),
            "txn": told([txn for _, txn in rounds]),
            "peak_mb": {"group": pair.group.peaks_mb(), "txn": pair.txn.peaks_mb()},
            "how": SAME,
        },
    )


def told(slices: Sequence[Slice]) -> dict[str, Any]:
    """Return what stands behind a ratio: raw rates, latencies, what failed, and the cost by process."""
    failed: dict[str, int] = {}
    for each in slices:
        for status, count in each.tally.failed.items():
            failed[status] = failed.get(status, 0) + count
    return {
        "purchases_per_s": middle([each.per_s for each in slices]),
        "rounds_per_s": [round(each.per_s) for each in slices],
        "p50_ms": middle([each.tally.p50_ms for each in slices]),
        "p99_ms": middle([each.tally.p99_ms for each in slices]),
        "failed": failed,
        "cpu_s_per_1000": {
            "service": median(each.per_1000(each.service_s) for each in slices),
            "mongod": median(each.per_1000(each.mongod_s) for each in slices),
            "load": median(each.per_1000(each.tally.cpu_s) for each in slices),
        },
    }
