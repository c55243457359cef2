"""`make check`: every check of the house, each with what mends it; all run, also after one failed."""

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Check:
    """A command that must end with 0."""

    name: str
    command: tuple[str, ...]
    mend: str


CHECKS = (
    Check("style", ("ruff", "check", "."), "make format mends some; the rest by hand"),
    Check("format", ("ruff", "format", "--check", "."), "make format"),
    Check("types", ("mypy", "services", "gateway", "infra", "tests"), "by hand"),
    Check("rooms", ("lint-imports",), "docs/architecture.md says which room may import which"),
    Check("proto style", ("buf", "lint"), "by hand"),
    Check(
        "proto compatibility",
        ("buf", "breaking", "--against", "protos/published.binpb"),
        "keep old fields; when a contract is published anew: make protos-publish",
    ),
    Check("proto code", ("python", "-m", "infra.checks.protos", "check"), "make protos"),
    Check("graph schemas", ("python", "-m", "gateway.schema", "check"), "make schema"),
)


def passes(check: Check) -> bool:
    """Run one check and print how it went."""
    began = time.monotonic()
    program, *arguments = check.command
    # The tools of this very environment, whether or not it is activated.
    beside = Path(sys.executable).with_name(program)
    run = subprocess.run(
        [str(beside), *arguments], cwd=ROOT, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    seconds = time.monotonic() - began
    ok = run.returncode == 0
    sys.stdout.write(f"{'ok  ' if ok else 'FAIL'}  {check.name:<20} {seconds:5.1f} s\n")
    if not ok:
        sys.stdout.write(f"{run.stdout}\nto mend: {check.mend}\n\n")
    sys.stdout.flush()
    return ok


if __name__ == "__main__":
    failed = [check for check in CHECKS if not passes(check)]
    sys.exit(1 if failed else 0)
