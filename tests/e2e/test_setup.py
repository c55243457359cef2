"""Set-up's own decisions, with servers that are given and a uv that only makes the folder: what takes minutes with
real packages is seen on a fresh machine."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = Path(sys.base_prefix) / "bin" / "python3.11"

MAKING, INSTALLING = "Making .venv", "Installing the Python packages of infra/locks/run.txt"


UV = """#!/bin/sh
case "$*" in
    venv*) exec "$4" -m venv --without-pip "$5" ;;
    "pip install"*) sleep 0.2; grep -v '^#' "$8" && exit 1; exit 0 ;;
esac
exit 9
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "infra" / "local").mkdir(parents=True)
    (tmp_path / "infra" / "locks").mkdir()
    shutil.copy(ROOT / "infra" / "local" / "setup.sh", tmp_path / "infra" / "local")
    for lock in ("run", "dev"):
        (tmp_path / "infra" / "locks" / f"{lock}.txt").write_text(f"# nothing for {lock}\n")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "uv").write_text(UV)
    (tmp_path / "bin" / "uv").chmod(0o755)
    return tmp_path


def environment(checkout: Path) -> dict[str, str]:
    return {
        "PATH": f"{checkout / 'bin'}:{os.environ['PATH']}",
        "HUITOU_PYTHON": str(PYTHON),
        "MONGO_URL": "given",
        "AMQP_URL": "given",
    }


def run_set_up(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(checkout / "infra" / "local" / "setup.sh"), *arguments]
    return subprocess.run(command, env=environment(checkout), capture_output=True, text=True, check=False)


def set_up(checkout: Path, *, what: str = "run") -> list[str]:
    """Run set-up; return what it did, in its own words, without seconds."""
    run = run_set_up(checkout, what)
    assert run.returncode == 0, run.stderr
    assert not (checkout / ".venv" / "huitou-installing").exists()
    lines = [line.removeprefix("setup: ") for line in run.stdout.splitlines()]
    return [line.removesuffix(" …") for line in lines if line.endswith(" …")]


def test_each_state_of_venv_ends_the_same_way(checkout: Path) -> None:
    venv = checkout / ".venv"
    assert set_up(checkout) == [MAKING, INSTALLING]
    assert set_up(checkout) == []

    (venv / "bin" / "python").unlink()  # half made
    assert set_up(checkout) == [MAKING, INSTALLING]

    (venv / "huitou-installing").touch()  # stopped while packages were being installed
    assert set_up(checkout) == [MAKING, INSTALLING]

    (checkout / "infra" / "locks" / "run.txt").write_text("# a new lock\n")
    assert set_up(checkout) == [INSTALLING]

    assert set_up(checkout, what="dev") == ["Installing the Python packages of infra/locks/dev.txt"]
    assert set_up(checkout) == []  # dev holds all of run

    moved = checkout.rename(checkout.with_name("moved"))
    assert set_up(moved) == [MAKING, INSTALLING]


def test_two_at_once(checkout: Path) -> None:
    command = [str(checkout / "infra" / "local" / "setup.sh"), "run"]
    both = [subprocess.Popen(command, env=environment(checkout), stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = "".join(each.communicate()[0] for each in both)
    assert [each.returncode for each in both] == [0, 0]
    assert said.count(f"{MAKING} …") == 1
    assert said.count("Another set-up is under way here; waiting for it.") == 1


def test_what_it_cannot_do_is_said(checkout: Path) -> None:
    def error(*arguments: str) -> str:
        run = run_set_up(checkout, *arguments)
        assert run.returncode == 1
        return run.stderr

    lock = checkout / "infra" / "locks" / "run.txt"
    assert error() == "setup: usage: infra/local/setup.sh run|dev\n"
    lock.write_text("huitou-no-such-package==1.0\n")
    assert error("run") == (
        "huitou-no-such-package==1.0\n"
        f"setup: {INSTALLING} failed; the whole story is in .state/setup.log. Mend it and run this again.\n"
    )
    lock.unlink()
    assert error("run") == "setup: infra/locks/run.txt is missing: is this a whole checkout?\n"
