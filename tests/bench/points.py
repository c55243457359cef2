"""`make bench-points`: how fast points is, against what, at what cost."""

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType, MappingProxyType

from tests.bench.composed import STAYS
from tests.bench.expiring import expire_vs_txn
from tests.bench.figures import FOLDER, Figure, Sheet, tell
from tests.bench.growth import SMALL, growth, large
from tests.bench.overload import goodput, latencies
from tests.bench.peer import ledger_vs_medici
from tests.bench.stands import Stand, stand
from tests.bench.throughput import Pair, stream_vs_txn, unary_vs_txn
from tests.bench.verifying import verified_per_s

EXPIRING_PART = 4
"""Of the accounts a quarter is due in each round."""


def main(*, scale: int, seconds: float, only: str) -> None:
    """Measure the parts named in `only` (all when it is empty), each side for `seconds` a round."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    name = f"points-{only}" if only else "points"
    sheet = Sheet(name, settings={"scale": scale, "seconds": seconds})
    with tempfile.TemporaryDirectory(dir=FOLDER, prefix="run-", ignore_cleanup_errors=True) as folder:
        for part in [only] if only else PARTS:
            for figure in PARTS[part](Path(folder), SMALL * scale, seconds):
                sheet.add(figure)
    sheet.keep()


def _rates(folder: Path, accounts: int, seconds: float) -> Iterator[Figure]:
    with _pair(folder, accounts) as pair:
        tell("points.unary_vs_txn …")
        yield unary_vs_txn(pair, seconds=seconds)
        tell("points.stream_vs_txn …")
        yield stream_vs_txn(pair, seconds=seconds)
        tell("points.half_rate …")
        yield from latencies(pair.group, seconds=seconds)
        tell("points.overload_goodput …")
        yield goodput(pair.group, seconds=seconds)
        yield bytes_per_purchase(pair.group)
        yield verified_per_s(pair.group)


def _growth(folder: Path, accounts: int, seconds: float) -> Iterator[Figure]:
    tell("points.growth_1m_vs_10k …")
    with (
        stand(folder / "large", mode="group", accounts=large(accounts // SMALL)) as big,
        stand(folder / "small", mode="group", accounts=SMALL) as small,
    ):
        yield growth(big, small, seconds=seconds)


def _peer(folder: Path, accounts: int, seconds: float) -> Iterator[Figure]:
    tell("points.ledger_vs_medici …")
    if figure := ledger_vs_medici(folder / "peer", accounts=accounts, seconds=seconds):
        yield figure


def _expiry(folder: Path, accounts: int, _seconds: float) -> Iterator[Figure]:
    tell("points.expire_vs_txn …")
    yield expire_vs_txn(folder / "expiry", accounts=accounts // EXPIRING_PART)


PARTS: Mapping[str, Callable[[Path, int, float], Iterator[Figure]]] = MappingProxyType(
    {"rates": _rates, "growth": _growth, "peer": _peer, "expiry": _expiry}
)


@contextmanager
def _pair(folder: Path, accounts: int) -> Iterator[Pair]:
    with ExitStack() as stack:
        group = stack.enter_context(stand(folder / "group", mode="group", accounts=accounts))
        txn = stack.enter_context(stand(folder / "txn", mode="txn", accounts=accounts))
        yield Pair(group, txn)


def bytes_per_purchase(on: Stand) -> Figure:
    """Return what a purchase leaves in the database for ever, as it lies on disk with its indexes."""
    by_collection = on.bytes_per_purchase()
    stays = sum(sizes["disk"] + sizes["indexes"] for name, sizes in by_collection.items() if name in STAYS)
    return Figure(
        figure="points.bytes_per_purchase",
        value=round(stays),
        unit="bytes",
        spread=(round(stays), round(stays)),
        detail={
            "counted": list(STAYS),
            "by_collection": by_collection,
            "how": "after a checkpoint, divided by all purchases of the run; disk is compressed, documents are not; "
            "outbox rows go once they are relayed, accounts do not grow with purchases",
        },
    )


def _end(_number: int, _frame: FrameType | None) -> None:
    sys.exit(143)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=int, default=1, help="10,000 accounts each")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each side of each round")
    parser.add_argument(
        "--only", default="", choices=["", *PARTS], help="one part; its figures go to a file of their own"
    )
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, _end)
    try:
        main(scale=given.scale, seconds=given.seconds, only=given.only)
    except KeyboardInterrupt:
        sys.exit(130)
