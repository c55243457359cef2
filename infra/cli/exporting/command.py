"""`huitou export` writes a list to a file, `huitou export-member` everything about one member."""

import argparse
import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from infra.cli.asking import note, told, verb
from infra.cli.exporting.fetching import beside, fetch
from infra.cli.importing.command import KEY
from infra.cli.importing.platform import Platform, connect
from services.kit.errors import Kind, Problem

LISTS = ("members", "consents", "households", "staff_credits", "looks")
FORMATS = ("csv", "xlsx")
LOOK_EVERY_S = 1.0
TELL_EVERY_BYTES = 20_000_000

FIELDS = "id state rowsDone rowsEstimated bytes failure fileName path"
START = (
    f"mutation ($input: StartExportInput!) {{ startExport(input: $input)"
    f" {{ userErrors {{ field message }} export {{ {FIELDS} }} }} }}"
)
LOOK = f"query ($id: ID!) {{ export(id: $id) {{ {FIELDS} }} }}"

Sleep = Callable[[float], Awaitable[None]]


class NoFileError(Problem):
    """The export is {state}{why}: there is no file."""

    kind = Kind.REFUSED
    code = "NO_FILE"


class ExportGoneError(Problem):
    """The export is gone: ten later ones took its place."""

    kind = Kind.REFUSED
    code = "EXPORT_GONE"


def add_to(commands: Any) -> None:
    """Add the commands to argparse's subparsers."""
    scopes = "the scopes members:export and what reads the list"
    lists = verb(commands, "export", export, "write a list to a file, with progress", scopes=scopes)
    add = lists.add_argument
    add("list", choices=LISTS, help="what to write")
    add("--format", choices=FORMATS, default="csv", help="%(default)s")
    add("--out", type=Path, metavar="FILE", help="where to; its own name when left out")
    add("--columns", default="", metavar="A,B,…", help="which columns, in this order; all that the key's role sees")
    add("--since", metavar="TIME", help="only from then on (ISO 8601 with its zone)")
    add("--until", metavar="TIME", help="only before then")
    add("--store", metavar="ID", help="only what belongs to the store")
    add("--tag", help="only members who have it")
    add("--month", metavar="YYYY-MM", help="only credits of it")
    add("--resume", metavar="ID", help="fetch an export that was started before (exp_…)")
    about = "write everything about one member to a JSON file"
    one = verb(commands, "export-member", export_member, about, scopes="the role admin and the scope members:disclose")
    one.add_argument("member", metavar="ID", help="the member (mem_…)")
    one.add_argument("--out", type=Path, metavar="FILE", help="where to; ID.json when left out")


async def export(platform: Platform, given: argparse.Namespace) -> str:
    """Have the list written, watch it, and fetch the file."""
    started = await _looked_at(platform, given.resume) if given.resume else await _started(platform, given)
    note(f"{started['id']}: asked for; if this is stopped, go on with --resume {started['id']}")
    done = await watched(platform, started, sleep=asyncio.sleep)
    out = given.out or Path(done["fileName"])

    def whole(partial: Path) -> bool:
        return partial.stat().st_size == int(done["bytes"])

    size = await _fetched(given, done["path"], out, whole=whole)
    return f"{done['rowsDone']:,} rows, {size:,} bytes are in {out}\n"


async def export_member(_platform: Platform, given: argparse.Namespace) -> str:
    """Fetch everything about a member."""
    out = given.out or Path(f"{given.member}.json")
    size = await _fetched(given, f"/members/{quote(given.member, safe='')}/export", out, whole=_ends)
    return f"{size:,} bytes are in {out}\n"


async def watched(platform: Platform, started: dict[str, Any], *, sleep: Sleep) -> dict[str, Any]:
    """Return the export once its file is there, saying how far it is whenever that has changed."""
    looked, said = started, ""
    while looked["state"] in {"QUEUED", "RUNNING"}:
        if (now := _progress(looked)) != said:
            note(said := now)
        await sleep(LOOK_EVERY_S)
        looked = await _looked_at(platform, started["id"])
    if looked["state"] != "DONE":
        raise NoFileError(state=looked["state"].lower(), why=f" ({looked['failure']})" if looked["failure"] else "")
    return looked


async def _started(platform: Platform, given: argparse.Namespace) -> dict[str, Any]:
    asked = {
        "since": given.since,
        "until": given.until,
        "storeId": given.store,
        "tag": given.tag,
        "month": given.month,
    }
    wish: dict[str, Any] = {
        "key": uuid4().hex,  # what was exported once may have changed since
        "list": given.list.upper(),
        "format": given.format.upper(),
        "filter": {name: value for name, value in asked.items() if value},
    }
    if given.columns:
        wish["columns"] = [name.strip() for name in given.columns.split(",")]
    found: dict[str, Any] = (await told(platform, START, "startExport", wish))["export"]
    return found


async def _looked_at(platform: Platform, export_id: str) -> dict[str, Any]:
    found: dict[str, Any] | None = (await platform.ask(LOOK, {"id": export_id}))["export"]
    if found is None:
        raise ExportGoneError
    return found


def _progress(looked: dict[str, Any]) -> str:
    of = f" of about {looked['rowsEstimated']:,}" if looked["rowsEstimated"] is not None else ""
    return f"{looked['state'].lower()}: {looked['rowsDone']:,}{of} rows, {looked['bytes']:,} bytes"


async def _fetched(given: argparse.Namespace, path: str, out: Path, *, whole: Callable[[Path], bool]) -> int:
    told_at = 0

    def tell(size: int) -> None:
        nonlocal told_at
        if size - told_at >= TELL_EVERY_BYTES:
            told_at = size
            note(f"{size:,} bytes fetched")

    key = (given.key or os.environ.get(KEY, "")).strip()
    async with connect(url=given.url, key=key, connections=1) as client:
        return await fetch(client, beside(given.url, path), out, whole=whole, note=tell)


def _ends(partial: Path) -> bool:
    """Tell whether a member's document is closed: it is sent without its length, which nobody knows before."""
    with partial.open("rb") as written:
        written.seek(max(0, partial.stat().st_size - 4))
        return written.read().rstrip().endswith(b"}}")
