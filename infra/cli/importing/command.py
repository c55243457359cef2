"""`huitou import`: its options, and the way from files to the platform."""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import httpx

from infra.cli.importing import mapping as mappings
from infra.cli.importing.loading import locate, stage
from infra.cli.importing.platform import Patience, Platform, connect, real_sleep
from infra.cli.importing.progress import Progress, progress_on
from infra.cli.importing.report import Run, summary, write_rejects
from infra.cli.importing.run import Import, prepare
from infra.cli.importing.staging import Staging
from infra.cli.importing.states import StateFolder
from services.kit.errors import Kind, Problem

T = TypeVar("T")

URL, KEY = "HUITOU_URL", "HUITOU_KEY"
USUAL_URL = "http://127.0.0.1:8000/graphql"
USUAL_STATE = Path(__file__).parents[3] / ".state" / "import"
ALL_IN, SOME_REJECTED, INTERRUPTED = 0, 2, 130
MOST_BATCH = 500
MOST_LANES = 64

EPILOG = """\
exit code: 0 all went in, 2 some rows were rejected (see the report), 1 it failed, 130 it was interrupted.
An import can be stopped at any time and run again: it goes on where it was, and nothing is booked twice.
"""


class NoKeyError(Problem):
    """This needs an API key: set HUITOU_KEY, or give --key. `make run` prints a staff key of the demo chain."""

    kind = Kind.INVALID
    code = "NO_KEY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was typed."""

    source: Path
    mapping: Path
    url: str
    key: str
    members: int | None
    report: Path | None
    state: Path
    batch: int
    lanes: int
    give_up_s: float
    dry_run: bool


def add_to(commands: Any) -> None:
    """Add the command to argparse's subparsers."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "import",
        help="bring members, balances, purchases and refunds in from CSV, JSON lines or Excel",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("source", type=Path, metavar="SOURCE", help="the folder with the mapping's files, or the one file")
    add("--mapping", type=Path, required=True, metavar="FILE", help="which column is what (TOML)")
    add("--url", default=os.environ.get(URL, USUAL_URL), help="the GraphQL API; %(default)s")
    add("--key", default="", help=f"a staff API key; better in {KEY}, where other users of the machine do not see it")
    add("--members", type=_at_least_one, metavar="N", help="only the first N members of the file, and what is theirs")
    add("--report", type=Path, metavar="FILE", help="where rejected rows go (CSV); beside the state")
    add(
        "--state", type=Path, default=Path(".state/import"), metavar="DIR", help="what is known of imports; %(default)s"
    )
    add("--batch", type=_up_to(MOST_BATCH), default=200, metavar="N", help="rows in one request; %(default)s")
    add("--lanes", type=_up_to(MOST_LANES), default=8, metavar="N", help="requests under way at once; %(default)s")
    add("--give-up", type=float, default=300.0, metavar="S", help="when the platform stays away so long; %(default)s s")
    add("--dry-run", action="store_true", help="read and convert everything, send nothing")
    parser.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> int:
    return run(
        Options(
            source=given.source,
            mapping=given.mapping,
            url=given.url,
            key=(given.key or os.environ.get(KEY, "")).strip(),
            members=given.members,
            report=given.report,
            state=given.state,
            batch=given.batch,
            lanes=given.lanes,
            give_up_s=given.give_up,
            dry_run=given.dry_run,
        ),
        progress=progress_on(sys.stderr, now=time.monotonic),
    )


def run(options: Options, *, progress: Progress, transport: httpx.AsyncBaseTransport | None = None) -> int:
    """Import, print the summary, and return the exit code. `transport` is HTTP unless it is given."""
    if options.dry_run:
        return _rehearse(options, progress)
    if not options.key:
        raise NoKeyError
    try:
        return _import(Session(options, progress, transport))
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped. The same command goes on where it was.\n")
        return INTERRUPTED


def _rehearse(options: Options, progress: Progress) -> int:
    mapping = mappings.load(options.mapping)
    files = locate(options.source, mapping)
    began = time.monotonic()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rehearsal.sqlite"
        stage(path, mapping=mapping, files=files, progress=progress)
        with Staging(path) as staging:
            report = options.report or options.state / "rehearsal-rejected.csv"
            return _tell(staging, mapping, Run(seconds=time.monotonic() - began, sent=0, sending_s=0, dry=True), report)


def _import(session: "Session") -> int:
    options, progress = session.options, session.progress
    mapping = mappings.load(options.mapping)
    files = locate(options.source, mapping)
    began = time.monotonic()
    target = asyncio.run(session.with_platform(lambda platform: prepare(platform, mapping)))
    with StateFolder(options.state).open(mapping, files, chain=target.chain.id) as place:
        if not place.path.exists():
            # Outside of the event loop, where Ctrl-C would have to wait for its end.
            stage(place.path, mapping=mapping, files=files, progress=progress)
        with Staging(place.path) as staging:

            async def send(platform: Platform) -> int:
                work = Import(platform, staging, mapping=mapping, target=target, progress=progress)
                return await work.send(members=options.members, batch=options.batch, lanes=options.lanes)

            read = time.monotonic()
            sent = asyncio.run(session.with_platform(send))
            now = time.monotonic()
            place.report.unlink(missing_ok=True)  # an earlier run's
            done = Run(seconds=now - began, sent=sent, sending_s=now - read, dry=False)
            return _tell(staging, mapping, done, options.report or place.report)


@dataclass(frozen=True, slots=True)
class Session:
    """What all of an import's talks with the platform have in common."""

    options: Options
    progress: Progress
    transport: httpx.AsyncBaseTransport | None

    async def with_platform(self, work: Callable[[Platform], Awaitable[T]]) -> T:
        """Do `work` over connections that are kept until it is done."""
        given = self.options
        patience = Patience(give_up_s=given.give_up_s, now=time.monotonic, sleep=real_sleep, note=self.progress.note)
        async with connect(url=given.url, key=given.key, connections=given.lanes, transport=self.transport) as client:
            return await work(Platform(given.url, client=client, patience=patience))


def _tell(staging: Staging, mapping: mappings.Mapping, done: Run, report: Path) -> int:
    if rejected := staging.reject_count():
        write_rejects(report, staging.rejects(), mapping.labels)
    sys.stdout.write(summary(staging, done, report=report))
    return SOME_REJECTED if rejected else ALL_IN


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 on")
    return int(text)


def _up_to(most: int) -> Any:
    def number(text: str) -> int:
        if (found := _at_least_one(text)) > most:
            raise argparse.ArgumentTypeError(f"{found} is more than {most}")
        return found

    return number
