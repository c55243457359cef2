"""The command `huitou config`: exports a chain's configuration, compares it with another chain, applies it there."""

import argparse
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson

from infra.cli.asking import Doing, note, told, verb
from infra.cli.config import documents, program
from infra.cli.importing.platform import Platform
from infra.cli.program.command import read
from services.kit.errors import Kind, Problem

PARTS = ("brands", "regions", "partners", "stores", "menu")
"""In the order in which they name each other."""

NAMED = ("format", "currency", "brands", "regions")
"""What goes along with every part, for what it names. The rest is sent part by part: a request is 8 MB at most."""

PROGRAM = "program"
SCOPES = "the scopes chain:write, program:read and program:write"

SIGNS = {"ADDED": "+", "CHANGED": "~", "ONLY_IN_CHAIN": "="}


class NotConfirmedError(Problem):
    """Nothing was done. Look at the differences above, then say --yes."""

    kind = Kind.REFUSED
    code = "NOT_CONFIRMED"


def add_to(commands: Any) -> None:
    """Add the command to argparse's subparsers."""
    parser: argparse.ArgumentParser = commands.add_parser("config", help="keep what a chain is like as a file")
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="VERB")
    _verb(verbs, "export", export, "write brands, regions, partners, stores, menu and the program as JSON")
    compare = _verb(verbs, "diff", diff, "tell in what a file differs from the chain; changes nothing")
    apply_ = _verb(verbs, "apply", apply, "make the chain as a file says, and keep its program as a draft")
    for each in (compare, apply_):
        each.add_argument("file", type=Path, metavar="FILE", help="as `export` writes it")
    apply_.add_argument("--yes", action="store_true", help="do it; without this, only the differences are shown")
    apply_.add_argument("--dry-run", action="store_true", help="let the platform check everything, and change nothing")
    apply_.add_argument("--draft", default="config", metavar="NAME", help="the draft for the program; %(default)s")


def _verb(verbs: Any, name: str, doing: Doing, about: str) -> argparse.ArgumentParser:
    return verb(verbs, name, doing, about, scopes=SCOPES)


async def export(platform: Platform, _given: argparse.Namespace) -> str:
    """Return the configuration, with the program that holds now."""
    document = orjson.loads((await platform.ask(documents.EXPORT))["chainConfiguration"]["document"])
    return _json({**document, PROGRAM: await program.live_terms(platform)}, orjson.OPT_INDENT_2)


async def diff(platform: Platform, given: argparse.Namespace) -> str:
    """Tell what differs, a line for each."""
    lines: list[str] = []
    configuration = read(given.file)
    for part in _parts_of(configuration):
        asked = {"document": _document(configuration, part), "parts": [part.upper()]}
        lines += _told_of((await platform.ask(documents.COMPARE, asked))["chainConfigurationDiff"])
    if PROGRAM in configuration:
        places = await program.changed_places(platform, configuration[PROGRAM])
        lines.append(f"program: {'differs in ' + ', '.join(places) if places else 'as it should be'}")
    return "\n".join(lines) + "\n"


async def apply(platform: Platform, given: argparse.Namespace) -> str:
    """Show what differs, then make the chain so, part by part."""
    note((await diff(platform, given)).rstrip())
    if not given.yes and not given.dry_run:
        raise NotConfirmedError
    configuration = read(given.file)
    parts = _parts_of(configuration)
    lines: list[str] = []
    for number, part in enumerate(parts, start=1):
        wish = {
            # A key of its own each time: what was applied once may have been changed since.
            "key": uuid4().hex,
            "document": _document(configuration, part),
            "parts": [part.upper()],
            "dryRun": given.dry_run,
        }
        done = (await told(platform, documents.APPLY, "applyChainConfiguration", wish))["diff"]
        # Null where an answer was lost and asked for again: it is done, and what it changed was shown before.
        said = _counted(done["counts"][0]) if done else f"{part}: done"
        note(f"{number} of {len(parts)}, {said}")
        lines.append(said)
    if PROGRAM in configuration and not given.dry_run:
        lines.append(await program.save_as_draft(platform, configuration[PROGRAM], name=given.draft))
    return "\n".join([*lines, "nothing was changed: a dry run"] if given.dry_run else lines) + "\n"


def _parts_of(configuration: dict[str, Any]) -> list[str]:
    """Return the parts that the file has. What it has besides goes along with the first: the platform refuses it."""
    return [part for part in PARTS if configuration.get(part) is not None]


def _document(configuration: dict[str, Any], part: str) -> str:
    others = set(PARTS) - set(NAMED) - {part}
    sent = {name: value for name, value in configuration.items() if name not in others and name != PROGRAM}
    return _json(sent, 0)


def _told_of(found: dict[str, Any]) -> list[str]:
    lines = [_counted(count) for count in found["counts"]]
    for line in found["lines"]:
        head = f"  {SIGNS[line['difference']]} {line['code']}"
        if line["difference"] == "CHANGED":
            head += f" {line['field']}: {line['before'] or '–'} → {line['after'] or '–'}"
        lines.append(head)
    told_ = len({(line["part"], line["code"]) for line in found["lines"]})
    differing = sum(count["added"] + count["changed"] + count["onlyInChain"] for count in found["counts"])
    return [*lines, f"  … and {differing - told_:,} more"] if differing > told_ else lines


def _counted(count: dict[str, Any]) -> str:
    return (
        f"{count['part'].lower()}: {count['added']:,} added, {count['changed']:,} changed, "
        f"{count['unchanged']:,} as they should be, {count['onlyInChain']:,} only in the chain (they stay)"
    )


def _json(value: dict[str, Any], option: int) -> str:
    return orjson.dumps(value, option=option | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE).decode()
