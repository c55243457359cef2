"""`huitou dead-letters`: what the services could not work off, shown and put back, over the operators' gRPC."""

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from infra.cli.operators import SERVICES, Answer, ask
from protos.common.v1 import dead_letters_pb2 as pb
from services.kit.errors import Kind, Problem

ALL_WELL, FAILED = 0, 1
WIDTH_IN_A_PIPE = 200


class NotThereError(Problem):
    """No service has a dead letter {id}. `huitou dead-letters list` shows those that there are."""

    kind = Kind.NOT_FOUND
    code = "NOT_THERE"


class NothingNamedError(Problem):
    """Say which dead letters to put back: their ids, or --all."""

    kind = Kind.INVALID
    code = "NOTHING_NAMED"


def add_to(commands: Any) -> None:
    """Add the command to argparse's subparsers."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "dead-letters",
        help="show what services could not work off, and put it back",
        description="The services' addresses and the operator's key come from the environment, as the services' own "
        "settings do: POINTS_ADDRESS and so on, and HUITOU_KEYS_DIR; without it, the keys of `make run`.",
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    listing = _action(actions, "list", "the oldest first", _list)
    listing.add_argument(
        "--first", type=int, default=100, metavar="N", help="at most so many of each service, up to 1,000; 100"
    )
    showing = _action(actions, "show", "one, with its body", _show)
    showing.add_argument("id", metavar="ID")
    replaying = _action(actions, "replay", "put back into the queues that they came from", _replay)
    replaying.add_argument("ids", metavar="ID", nargs="*")
    replaying.add_argument("--all", action="store_true", help="all that are there now")


def _action(
    actions: Any, name: str, words: str, work: Callable[[argparse.Namespace], Awaitable[int]]
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=words)
    parser.add_argument("--service", choices=SERVICES, help="of this service only")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=lambda given: asyncio.run(work(given)))  # type: ignore[arg-type]  # all are coroutines
    return parser


async def _list(given: argparse.Namespace) -> int:
    request = pb.ListDeadLettersRequest(first=given.first)
    answers = await ask("ListDeadLetters", request, services=_services(given))
    if given.json:
        _print_json([{"service": answer.service, **letter} for answer in answers for letter in _letters(answer)])
    else:
        _print_table(answers)
    return _told(answers)


async def _show(given: argparse.Namespace) -> int:
    answers = await ask("GetDeadLetter", pb.GetDeadLetterRequest(id=given.id), services=_services(given))
    for answer in answers:
        if answer.problem is None:
            letter = {"service": answer.service, **answer.said["dead_letter"]}
            body = json.loads(answer.said["body_json"])
            if given.json:
                _print_json(letter | {"body": body})
            else:
                _print_letter(letter, body)
            return ALL_WELL
    if unsure := [answer for answer in answers if answer.problem and answer.problem.kind is not Kind.NOT_FOUND]:
        return _told(unsure)
    raise NotThereError(id=given.id)


async def _replay(given: argparse.Namespace) -> int:
    if bool(given.ids) == given.all:
        raise NothingNamedError
    answers = await ask("ReplayDeadLetters", pb.ReplayDeadLettersRequest(ids=given.ids), services=_services(given))
    counts = {answer.service: int(answer.said["replayed"]) for answer in answers if answer.problem is None}
    if given.json:
        _print_json([{"service": service, "replayed": count} for service, count in counts.items()])
    else:
        for service, count in counts.items():
            if count:
                sys.stdout.write(f"{service}: {count:,} put back\n")
        if not any(counts.values()):
            sys.stdout.write("nothing was put back\n")
    code = _told(answers)
    if given.ids and (missing := len(set(given.ids)) - sum(counts.values())) > 0:
        sys.stderr.write(f"huitou: {missing} of the ids are there no longer, or never were\n")
        return FAILED
    return code


def _services(given: argparse.Namespace) -> Sequence[str]:
    return [given.service] if given.service else SERVICES


def _letters(answer: Answer) -> list[dict[str, Any]]:
    letters: list[dict[str, Any]] = answer.said.get("dead_letters", [])
    return letters


def _told(answers: Sequence[Answer]) -> int:
    """Say which services did not answer, and return the exit code."""
    failed = [answer for answer in answers if answer.problem]
    for answer in failed:
        assert answer.problem is not None  # noqa: S101 - that is what they were chosen by
        sys.stderr.write(f"huitou: {answer.service} did not answer: {answer.problem.message}\n")
    return FAILED if failed else ALL_WELL


def _print_json(content: object) -> None:
    sys.stdout.write(json.dumps(content, ensure_ascii=False, indent=2) + "\n")


def _print_table(answers: Sequence[Answer]) -> None:
    table = Table("service", "id", "event", "aggregate", "no.", "waiting", "died", "reason", "error")
    for answer in answers:
        for letter in _letters(answer):
            kind = letter["type"].rpartition(".")[2]
            table.add_row(
                answer.service, letter["id"], kind, letter["aggregate"], letter["sequence"], letter["waiting"],
                letter.get("died_at", ""), letter["reason"], letter["error"],
            )  # fmt: skip
    if table.row_count == 0:
        sys.stdout.write("no dead letters\n" if all(answer.problem is None for answer in answers) else "")
        return
    _console().print(table, markup=False)
    for answer in answers:
        if (left := int(answer.said.get("total", 0)) - len(_letters(answer))) > 0:
            sys.stdout.write(f"{answer.service} has {left:,} more\n")


def _print_letter(letter: dict[str, Any], body: object) -> None:
    for name, value in letter.items():
        sys.stdout.write(f"{name:<12} {value}\n")
    sys.stdout.write(json.dumps(body, ensure_ascii=False, indent=2) + "\n")


def _console() -> Console:
    return Console() if sys.stdout.isatty() else Console(width=WIDTH_IN_A_PIPE)
