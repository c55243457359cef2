"""The command `huitou program`: shows, saves, compares, tries and publishes."""

import argparse
import asyncio
import os
import sys
import time
import tomllib
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from infra.cli.importing.command import KEY, URL, USUAL_URL, NoKeyError
from infra.cli.importing.platform import Patience, Platform, connect, real_sleep
from infra.cli.program import documents
from services.kit.errors import Kind, Problem

GIVE_UP_S = 20.0

Doing = Callable[[Platform, argparse.Namespace], Awaitable[str]]


class NoFileError(Problem):
    """{path} cannot be read as {format}: {why}."""

    kind = Kind.INVALID
    code = "NO_PROGRAM_FILE"


class NoSuchDraftError(Problem):
    """There is no draft {name}: `huitou program save FILE --draft {name}` makes one."""

    kind = Kind.NOT_FOUND
    code = "DRAFT_NOT_FOUND"


class NotDoneError(Problem):
    """{said}"""  # noqa: D415 - the platform's own sentence, with its full stop

    kind = Kind.REFUSED
    code = "NOT_DONE"


def add_to(commands: Any) -> None:
    """Add the command to argparse's subparsers."""
    parser: argparse.ArgumentParser = commands.add_parser("program", help="keep the chain's program as a file")
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="VERB")
    show = _verb(verbs, "show", show_terms, "write what holds now, a version or a draft as JSON, as `save` takes it")
    which = show.add_mutually_exclusive_group()
    which.add_argument("--version", type=int, metavar="NUMBER", help="that version")
    which.add_argument("--draft", default="", metavar="NAME", help="that draft")
    save = _verb(verbs, "save", save_draft, "keep a file as a draft; it is checked, and nothing is booked by it")
    save.add_argument("file", type=Path, metavar="FILE", help="JSON or TOML")
    for verb in (
        save,
        _verb(verbs, "diff", diff_draft, "tell in what a draft differs from what holds now"),
        publish := _verb(verbs, "publish", publish_draft, "make a draft the next version"),
        dry_run := _verb(verbs, "dry-run", try_draft, "tell what a past month's receipts would have earned by a draft"),
    ):
        verb.add_argument("--draft", default="next", metavar="NAME", help="which draft; %(default)s")
    publish.add_argument("--at", default="", metavar="MOMENT", help="RFC 3339; without it, as soon as can be")
    dry_run.add_argument("month", metavar="MONTH", help="one that is over, like 2026-03")


def _verb(verbs: Any, name: str, doing: Doing, about: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=about, description=about)
    add = parser.add_argument
    add("--url", default=os.environ.get(URL, USUAL_URL), help="the GraphQL API; %(default)s")
    add("--key", default="", help=f"a staff API key with the scopes program:read and program:write; better in {KEY}")
    parser.set_defaults(run=lambda given: _run(doing, given))
    return parser


def _run(doing: Doing, given: argparse.Namespace) -> int:
    key = (given.key or os.environ.get(KEY, "")).strip()
    if not key:
        raise NoKeyError
    sys.stdout.write(asyncio.run(_connected(doing, given, key)))
    return 0


async def _connected(doing: Doing, given: argparse.Namespace, key: str) -> str:
    patience = Patience(give_up_s=GIVE_UP_S, now=time.monotonic, sleep=real_sleep, note=_note)
    async with connect(url=given.url, key=key, connections=1) as client:
        return await doing(Platform(given.url, client=client, patience=patience), given)


def _note(text: str) -> None:
    sys.stderr.write(f"{text}\n")


async def show_terms(platform: Platform, given: argparse.Namespace) -> str:
    """Return terms as JSON."""
    if given.draft:
        terms = (await platform.ask(documents.DRAFT, {"name": given.draft}))["programDraft"]["terms"]
    elif given.version is not None:
        terms = (await platform.ask(documents.VERSION, {"version": given.version}))["programVersion"]["terms"]
    else:
        terms = (await platform.ask(documents.LIVE))["program"]["live"]["terms"]
    return orjson.dumps(_given(terms), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def _given(value: Any) -> Any:
    """Leave out what is null, which is as good as not there."""
    if isinstance(value, dict):
        return {name: _given(part) for name, part in value.items() if part is not None}
    return [_given(part) for part in value] if isinstance(value, list) else value


async def save_draft(platform: Platform, given: argparse.Namespace) -> str:
    """Keep a file as the draft's next revision."""
    terms = read(given.file)
    wish = {"name": given.draft, "program": terms, "expectedRevision": await _revision(platform, given.draft)}
    draft = (await _told(platform, documents.SAVE, "saveProgramDraft", wish))["draft"]
    return f"draft {draft['name']}, revision {draft['revision']}\n"


async def diff_draft(platform: Platform, given: argparse.Namespace) -> str:
    """Tell what differs, a line for each."""
    found = (await platform.ask(documents.DIFF, {"name": given.draft}))["programDiff"]
    head = f"draft {given.draft}, revision {found['revision']}, and version {found['liveVersion']}:"
    lines = [f"{one['path']}: {one['before'] or '–'} → {one['after'] or '–'}" for one in found["changes"]]
    return "\n".join([head, *(lines or ["they are the same"])]) + "\n"


async def publish_draft(platform: Platform, given: argparse.Namespace) -> str:
    """Make the draft the next version."""
    revision = await _revision(platform, given.draft)
    if not revision:
        raise NoSuchDraftError(name=given.draft)
    wish: dict[str, Any] = {"name": given.draft, "expectedRevision": revision}
    if given.at:
        wish["effectiveFrom"] = given.at
    version = (await _told(platform, documents.PUBLISH, "publishProgramDraft", wish))["version"]
    return f"version {version['version']} takes effect at {version['effectiveFrom']}\n"


async def try_draft(platform: Platform, given: argparse.Namespace) -> str:
    """Tell what the month would have earned."""
    asked = {"name": given.draft, "month": given.month}
    found = (await platform.ask(documents.DRY_RUN, asked))["programDryRun"]
    rows = [("", "booked", "by the draft"), ("points", found["pointsBooked"], found["pointsByDraft"])]
    if found["bookedPer100"] is not None:
        rows.append(("per 100 of spend", f"{found['bookedPer100']:.2f}", f"{found['byDraftPer100']:.2f}"))
    rows += [(f"{one['rule']} ({one['currency'].lower()})", one["booked"], one["byDraft"]) for one in found["rules"]]
    lines = [f"{found['month']}: {found['receipts']:,} receipts, {found['spendMinor']:,} paid, in minor units"]
    lines += [f"{name:<28} {_figure(booked):>14} {_figure(draft):>14}" for name, booked, draft in rows]
    if found["receiptsWithoutFacts"]:
        lines.append(f"for {found['receiptsWithoutFacts']:,} receipts a condition saw a new member: no more was kept")
    return "\n".join(lines) + "\n"


def _figure(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def read(path: Path) -> dict[str, Any]:
    """Return a file's terms."""
    is_toml = path.suffix == ".toml"
    try:
        content = path.read_bytes()
        terms = tomllib.loads(content.decode()) if is_toml else orjson.loads(content)
    except (OSError, ValueError) as error:
        raise NoFileError(path=path, format="TOML" if is_toml else "JSON", why=error) from None
    if not isinstance(terms, dict):
        raise NoFileError(path=path, format="a program", why="it is no object")
    return terms


async def _revision(platform: Platform, name: str) -> int:
    drafts = (await platform.ask(documents.DRAFTS))["program"]["drafts"]
    return next((int(one["revision"]) for one in drafts if one["name"] == name), 0)


async def _told(platform: Platform, document: str, field: str, wish: dict[str, Any]) -> dict[str, Any]:
    """Carry out a mutation. Its key follows from what is wished, so that a second try is the same command."""
    key = sha256(orjson.dumps([field, wish], option=orjson.OPT_SORT_KEYS)).hexdigest()
    payload: dict[str, Any] = (await platform.ask(document, {"input": {"key": key, **wish}}))[field]
    if errors := payload["userErrors"]:
        raise NotDoneError(said="\n".join(f"{one['field'] or field}: {one['message']}" for one in errors))
    return payload
