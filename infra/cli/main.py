"""The command line `huitou`."""

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from infra.cli import dead_letters
from infra.cli.importing import command as importing
from services.kit.errors import Problem

FAILED = 1
INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """End with 1: argparse's own 2 is what an import says when rows were rejected."""
        self.print_usage(sys.stderr)
        self.exit(FAILED, f"{self.prog}: {message}\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = _Parser(prog="huitou", description="What people who run Huitou type.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    importing.add_to(commands)
    dead_letters.add_to(commands)
    options = parser.parse_args(argv)
    try:
        code: int = options.run(options)
    except Problem as problem:
        sys.stderr.write(f"huitou: {problem.message}\n")
        return FAILED
    except KeyboardInterrupt:
        sys.stderr.write("huitou: interrupted\n")
        return INTERRUPTED
    return code
