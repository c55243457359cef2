"""What a purchase costs as a chain grows."""

from tests.bench.figures import Figure, in_turn, middle, spread
from tests.bench.stands import Slice, Stand
from tests.bench.throughput import SAME, stream, told

SMALL = 10_000


def large(scale: int) -> int:
    """Return how many accounts the larger chain has: a million from SCALE=100 on, 100,000 by default."""
    return min(1_000_000, max(100_000, SMALL * scale))


def growth(big: Stand, small: Stand, *, seconds: float) -> Figure:
    """CPU of service and database for each purchase, many a message: little of it is gRPC's, which cannot grow."""
    order = stream(seconds)
    for stand in (big, small):
        stand.load(order)  # warm
    rounds = in_turn(lambda: big.load(order), lambda: small.load(order))
    for stand in (big, small):
        stand.check()
    ratios = [_cost(of_big) / _cost(of_small) for of_big, of_small in rounds]
    return Figure(
        figure="points.growth_1m_vs_10k",
        value=middle(ratios),
        unit="ratio",
        spread=spread(ratios),
        detail={
            "target": "<= 1.2",
            "accounts": [big.accounts, small.accounts],
            "receipts_per_call": order.per_call,
            "callers": order.callers,
            f"accounts_{big.accounts}": told([of_big for of_big, _ in rounds]),
            f"accounts_{small.accounts}": told([of_small for _, of_small in rounds]),
            "peak_mb": {str(stand.accounts): stand.peaks_mb() for stand in (big, small)},
            "how": f"CPU seconds of service and mongod for each purchase with {big.accounts:,} accounts against "
            f"{small.accounts:,} (SCALE=100 takes 1,000,000); a mongod for each side; {SAME}",
        },
    )


def _cost(one: Slice) -> float:
    return (one.service_s + one.mongod_s) / one.tally.acknowledged
