"""Commands that ask the public graph with a staff key: where, as whom, and what it refused."""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any

import orjson

from infra.cli.importing.command import KEY, URL, USUAL_URL, NoKeyError
from infra.cli.importing.platform import Patience, Platform, connect, real_sleep
from services.kit.errors import Kind, Problem

GIVE_UP_S = 20.0

Doing = Callable[[Platform, argparse.Namespace], Awaitable[str]]
"""Does what was typed and returns what to say."""


class NotDoneError(Problem):
    """{said}"""  # noqa: D415 - the platform's own sentence, with its full stop

    kind = Kind.REFUSED
    code = "NOT_DONE"


def verb(verbs: Any, name: str, doing: Doing, about: str, *, scopes: str) -> argparse.ArgumentParser:
    """Add a verb that does `doing` with a connected platform; `scopes` is what the key must have."""
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=about, description=about)
    add = parser.add_argument
    add("--url", default=os.environ.get(URL, USUAL_URL), help="the GraphQL API; %(default)s")
    add("--key", default="", help=f"a staff API key with {scopes}; better in {KEY}")
    parser.set_defaults(run=lambda given: _run(doing, given))
    return parser


def _run(doing: Doing, given: argparse.Namespace) -> int:
    key = (given.key or os.environ.get(KEY, "")).strip()
    if not key:
        raise NoKeyError
    sys.stdout.write(asyncio.run(_connected(doing, given, key)))
    return 0


async def _connected(doing: Doing, given: argparse.Namespace, key: str) -> str:
    patience = Patience(give_up_s=GIVE_UP_S, now=time.monotonic, sleep=real_sleep, note=note)
    async with connect(url=given.url, key=key, connections=1) as client:
        return await doing(Platform(given.url, client=client, patience=patience), given)


def note(text: str) -> None:
    """Say how it goes, beside what is asked for."""
    sys.stderr.write(f"{text}\n")


async def told(platform: Platform, document: str, field: str, wish: dict[str, Any]) -> dict[str, Any]:
    """Carry out a mutation. Raises `NotDoneError` with what was refused.

    Where the wish has no key, one follows from what is wished, so that a second try is the same command.
    """
    key = sha256(orjson.dumps([field, wish], option=orjson.OPT_SORT_KEYS)).hexdigest()
    payload: dict[str, Any] = (await platform.ask(document, {"input": {"key": key, **wish}}))[field]
    if errors := payload["userErrors"]:
        raise NotDoneError(said="\n".join(f"{one['field'] or field}: {one['message']}" for one in errors))
    return payload
