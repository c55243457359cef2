"""Where a run took place: machine, versions, date, commit."""

import os
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from infra.local.mongod import mongod_binary

ROOT = Path(__file__).parents[2]
PACKAGES = ("grpcio", "protobuf", "motor", "pymongo", "uvloop")


def about() -> dict[str, Any]:
    """Return what a figure depends on besides the code; empty where a tool is missing."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _said("git", "-C", str(ROOT), "describe", "--always", "--dirty"),
        "machine": {
            "processor": _field(Path("/proc/cpuinfo"), "model name"),
            "cores": len(os.sched_getaffinity(0)),
            "memory": _field(Path("/proc/meminfo"), "MemTotal"),
            "system": platform.platform(),
        },
        "versions": {
            "python": platform.python_version(),
            **{package: version(package) for package in PACKAGES},
            "mongod": _said(str(mongod_binary()), "--version").removeprefix("db version v"),
            "node": _said("node", "--version").removeprefix("v"),
        },
    }


def _said(program: str, *arguments: str) -> str:
    """Return the first line that the program says."""
    if not (found := shutil.which(program)):
        return ""
    run = subprocess.run([found, *arguments], check=False, capture_output=True, text=True)
    return run.stdout.partition("\n")[0].strip()


def _field(table: Path, name: str) -> str:
    lines = table.read_text().splitlines() if table.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
