"""The command line `huitou`."""

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from infra.cli import dead_letters, rebuild_sales
from infra.cli.config import command as config
from infra.cli.exporting import command as exporting
from infra.cli.importing import command as importing
from infra.cli.ledger import seals, verify, waiting
from infra.cli.program import command as program
from infra.cli.sandbox import command as sandbox
from services.kit.errors import Problem

FAILED = 1
INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """End with 1: argparse's own 2 is what an import says when rows were rejected. Or with the command's own."""
        self.print_usage(sys.stderr)
        self.exit(self.get_default("wrong_usage") or FAILED, f"{self.prog}: {message}\n")


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return what was typed; its `run` is what to do. Ends the process when it makes no sense."""
    parser = _Parser(prog="huitou", description="What people who run Huitou type.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in (
        importing,
        exporting,
        dead_letters,
        verify,
        seals,
        waiting,
        program,
        config,
        sandbox,
        rebuild_sales,
    ):
        command.add_to(commands)
    options, unknown = parser.parse_known_args(argv)
    if unknown:
        parser.set_defaults(wrong_usage=getattr(options, "wrong_usage", FAILED))
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = parsed(argv)
    try:
        code: int = options.run(options)
    except Problem as problem:
        sys.stderr.write(f"huitou: {problem.message}\n")
        return FAILED
    except KeyboardInterrupt:
        sys.stderr.write("huitou: interrupted\n")
        return INTERRUPTED
    return code
