"""Beside the highest rate: latencies at half of it, and what is left of it when three times as much is offered."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tests.bench.figures import Figure, in_turn, middle, rounded, spread
from tests.bench.orders import Order
from tests.bench.stands import Slice, Stand
from tests.bench.throughput import SAME, unary

TIMES = 3
OPEN_CALLERS = 1_000
"""So many calls can wait for their answers before the load falls behind its own rate."""

BEST_CALLERS, OVERLOAD_CALLERS = 16, 200
PER_CALL = 100
"""Receipts: what a till has to tell after an hour without a line. One a call would measure gRPC's own intake, which
takes more CPU for a call than the ledger does, and the load would need as much again."""

MOST_WAITING = 5_000
"""Purchases that wait in a group commit before it refuses more."""


def latencies(stand: Stand, *, seconds: float) -> list[Figure]:
    """Return p50, p99 and max of single purchases at half of the highest rate that 64 callers reach."""
    highest = stand.load(unary(seconds)).per_s
    half = replace(unary(2 * seconds), callers=OPEN_CALLERS, calls_per_s=highest / 2)
    stand.load(replace(half, seconds=seconds))  # warm
    tally = stand.load(half).tally
    stand.check()
    detail = {
        "highest_per_s": rounded(highest),
        "offered_per_s": rounded(tally.offered / half.seconds),
        "acknowledged": tally.acknowledged,
        "refused": tally.refused,
        "failed": tally.failed,
        "accounts": stand.accounts,
        "how": f"open loop: from when a call was due, at half of the highest rate; {SAME}",
    }
    measured = {"p50": tally.p50_ms, "p99": tally.p99_ms, "max": tally.max_ms}
    return [
        Figure(figure=f"points.half_rate_{name}", value=value, unit="ms", spread=(value, value), detail=detail)
        for name, value in measured.items()
    ]


class Overload:
    """A stand that is loaded with its best and with three times that, in turn."""

    def __init__(self, stand: Stand, *, seconds: float) -> None:
        self._stand, self._seconds = stand, seconds
        self._closed = Order(run="", accounts=0, callers=BEST_CALLERS, seconds=seconds, shape="bulk", per_call=PER_CALL)
        self.memory_mb: list[float] = []
        self._offering_s: list[float] = []
        self._highest = 0.0

    def at_its_best(self) -> Slice:
        """Load it as much as it takes."""
        loaded = self._stand.load(self._closed)
        self._highest = loaded.per_s
        self.memory_mb.append(self._stand.memory_mb())
        return loaded

    def overloaded(self) -> Slice:
        """Offer three times what it took the last time; what counts begins when its queue is full."""
        fills_s = MOST_WAITING / ((TIMES - 1) * self._highest)
        skip_s = max(self._seconds, 1.5 * fills_s)
        offered = replace(
            self._closed,
            callers=OVERLOAD_CALLERS,
            calls_per_s=TIMES * self._highest / PER_CALL,
            seconds=skip_s + 2 * self._seconds,
            skip_s=skip_s,
        )
        self._offering_s.append(offered.seconds)
        loaded = self._stand.load(offered)
        self.memory_mb.append(self._stand.memory_mb())
        return loaded

    def goodput(self, over: Slice) -> float:
        """Return purchases acknowledged per second while overloaded."""
        return over.tally.in_time / (2 * self._seconds)

    def told(self, rounds: Sequence[tuple[Slice, Slice]]) -> dict[str, Any]:
        """Return what stands behind the ratio."""
        over = [slice_.tally for slice_, _ in rounds]
        lasting = list(zip(over, self._offering_s, strict=True))
        return {
            "highest_per_s": [round(best.per_s) for _, best in rounds],
            "acknowledged_per_s": [round(self.goodput(slice_)) for slice_, _ in rounds],
            "offered_per_s": [round(tally.offered / offering_s) for tally, offering_s in lasting],
            "refused_per_s": [round(tally.refused / offering_s) for tally, offering_s in lasting],
            "failed": [tally.failed for tally in over],
            "p99_ms": [tally.p99_ms for tally in over],
            "service_mb": self.memory_mb,
        }


def goodput(stand: Stand, *, seconds: float) -> Figure:
    """Return what is acknowledged while three times the highest rate is offered, against the highest rate."""
    overload = Overload(stand, seconds=seconds)
    overload.at_its_best()  # warm, and the first rate to be tripled
    rounds = in_turn(overload.overloaded, overload.at_its_best)
    stand.check()
    ratios = [overload.goodput(over) / best.per_s for over, best in rounds]
    return Figure(
        figure="points.overload_goodput",
        value=middle(ratios),
        unit="ratio",
        spread=spread(ratios),
        detail={
            "target": ">= 0.9",
            "receipts_per_call": PER_CALL,
            "callers": {"highest": BEST_CALLERS, "overload": OVERLOAD_CALLERS},
            **overload.told(rounds),
            "how": f"open loop at {TIMES} times the highest rate, counted once its queue is full; refused: "
            f"RESOURCE_EXHAUSTED, not sent again; {SAME}",
        },
    )
