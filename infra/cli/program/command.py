"""The command `huitou program`: shows, saves, compares, tries and publishes."""

import argparse
import tomllib
from pathlib import Path
from typing import Any

import orjson

from infra.cli.asking import Doing, told, verb
from infra.cli.importing.platform import Platform
from infra.cli.program import documents
from services.kit.errors import Kind, Problem


class NoFileError(Problem):
    """{path} cannot be read as {format}: {why}."""

    kind = Kind.INVALID
    code = "NO_PROGRAM_FILE"


class NoSuchDraftError(Problem):
    """There is no draft {name}: `huitou program save FILE --draft {name}` makes one."""

    kind = Kind.NOT_FOUND
    code = "DRAFT_NOT_FOUND"


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
    for each in (
        save,
        _verb(verbs, "diff", diff_draft, "tell in what a draft differs from what holds now"),
        publish := _verb(verbs, "publish", publish_draft, "make a draft the next version"),
        dry_run := _verb(verbs, "dry-run", try_draft, "tell what a past month's receipts would have earned by a draft"),
    ):
        each.add_argument("--draft", default="next", metavar="NAME", help="which draft; %(default)s")
    publish.add_argument("--at", default="", metavar="MOMENT", help="RFC 3339; without it, as soon as can be")
    dry_run.add_argument("month", metavar="MONTH", help="one that is over, like 2026-03")


def _verb(verbs: Any, name: str, doing: Doing, about: str) -> argparse.ArgumentParser:
    return verb(verbs, name, doing, about, scopes="the scopes program:read and program:write")


async def show_terms(platform: Platform, given: argparse.Namespace) -> str:
    """Return terms as JSON."""
    if given.draft:
        terms = (await platform.ask(documents.DRAFT, {"name": given.draft}))["programDraft"]["terms"]
    elif given.version is not None:
        terms = (await platform.ask(documents.VERSION, {"version": given.version}))["programVersion"]["terms"]
    else:
        terms = (await platform.ask(documents.LIVE))["program"]["live"]["terms"]
    return orjson.dumps(given_terms(terms), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def given_terms(value: Any) -> Any:
    """Return terms as `save` takes them: leave out what is null, which is as good as not there."""
    if isinstance(value, dict):
        return {name: given_terms(part) for name, part in value.items() if part is not None}
    return [given_terms(part) for part in value] if isinstance(value, list) else value


async def save_draft(platform: Platform, given: argparse.Namespace) -> str:
    """Keep a file as the draft's next revision."""
    terms = read(given.file)
    wish = {"name": given.draft, "program": terms, "expectedRevision": await revision_of(platform, given.draft)}
    draft = (await told(platform, documents.SAVE, "saveProgramDraft", wish))["draft"]
    return f"draft {draft['name']}, revision {draft['revision']}\n"


async def diff_draft(platform: Platform, given: argparse.Namespace) -> str:
    """Tell what differs, a line for each."""
    found = (await platform.ask(documents.DIFF, {"name": given.draft}))["programDiff"]
    head = f"draft {given.draft}, revision {found['revision']}, and version {found['liveVersion']}:"
    lines = [f"{one['path']}: {one['before'] or '–'} → {one['after'] or '–'}" for one in found["changes"]]
    return "\n".join([head, *(lines or ["they are the same"])]) + "\n"


async def publish_draft(platform: Platform, given: argparse.Namespace) -> str:
    """Make the draft the next version."""
    revision = await revision_of(platform, given.draft)
    if not revision:
        raise NoSuchDraftError(name=given.draft)
    wish: dict[str, Any] = {"name": given.draft, "expectedRevision": revision}
    if given.at:
        wish["effectiveFrom"] = given.at
    version = (await told(platform, documents.PUBLISH, "publishProgramDraft", wish))["version"]
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


async def revision_of(platform: Platform, name: str) -> int:
    """Return the draft's revision, 0 when there is none."""
    drafts = (await platform.ask(documents.DRAFTS))["program"]["drafts"]
    return next((int(one["revision"]) for one in drafts if one["name"] == name), 0)
