"""`make bench-members`: how fast members is, against what."""

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType, MappingProxyType

from tests.bench.figures import FOLDER, Figure, Sheet, tell
from tests.bench.hearing import events_vs_txn
from tests.bench.importing import import_growth
from tests.bench.resolving import resolve_batch_vs_single

SMALL = 10_000
"""Members, for each unit of scale."""

HEARING_PART = 5
"""Of the members a part buys in each round."""


def main(*, scale: int, seconds: float, only: str) -> None:
    """Measure the parts named in `only` (all when it is empty), each side for `seconds` a round where that applies."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    name = f"members-{only}" if only else "members"
    sheet = Sheet(name, settings={"scale": scale, "seconds": seconds})
    with tempfile.TemporaryDirectory(dir=FOLDER, prefix="run-", ignore_cleanup_errors=True) as folder:
        for part in [only] if only else PARTS:
            (Path(folder) / part).mkdir()
            for figure in PARTS[part](Path(folder) / part, SMALL * scale, seconds):
                sheet.add(figure)
    sheet.keep()


def _events(folder: Path, members: int, _seconds: float) -> Iterator[Figure]:
    tell("members.events_vs_txn …")
    yield events_vs_txn(folder, members=members // HEARING_PART)


def _resolve(folder: Path, members: int, seconds: float) -> Iterator[Figure]:
    tell("members.resolve_batch_vs_single …")
    yield resolve_batch_vs_single(folder, members=members, seconds=seconds)


def _import(folder: Path, members: int, _seconds: float) -> Iterator[Figure]:
    tell("members.import_growth …")
    yield import_growth(folder, members=members)


PARTS: Mapping[str, Callable[[Path, int, float], Iterator[Figure]]] = MappingProxyType(
    {"events": _events, "resolve": _resolve, "import": _import}
)


def _end(_number: int, _frame: FrameType | None) -> None:
    sys.exit(143)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=int, default=1, help="10,000 members each")
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
