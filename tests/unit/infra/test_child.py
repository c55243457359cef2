import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local.child import Child, ChildFailedError, Identity, stop_leftover
from infra.local.claim import AlreadyRunningError, claimed, clear, stop_leftovers
from tests.support.eventually import eventually

SLEEP = ["sleep", "1000"]
DEAF = ["sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 0.05; done"]

PARENT = """
import signal, sys
from pathlib import Path
from infra.local.child import Child
child = Child("sleeper", folder=Path(sys.argv[1]), stop_within_s=5)
child.start(["sleep", "1000"], environ={"PATH": "/usr/bin:/bin"}, orphaned=signal.SIGKILL)
print(child.pid, flush=True)
signal.pause()
"""


@pytest.fixture
def child(tmp_path: Path) -> Child:
    return Child("sleeper", folder=tmp_path, stop_within_s=5)


def start(child: Child, command: list[str]) -> Identity:
    child.start(command, environ=os.environ, orphaned=signal.SIGKILL)
    identity = Identity.of(child.pid)
    assert identity is not None
    return identity


def test_stop_ends_it_and_removes_the_pid_file(child: Child) -> None:
    identity = start(child, SLEEP)
    assert Identity.read(child.pid_file) == identity
    assert child.stop() == -signal.SIGTERM
    assert not identity.alive()
    assert not child.pid_file.exists()
    assert child.stop() == 0


async def test_what_does_not_listen_is_killed(tmp_path: Path) -> None:
    child = Child("deaf", folder=tmp_path, stop_within_s=0.2)
    identity = start(child, DEAF)
    await eventually(lambda: child.log.read_text() == "deaf\n")
    assert child.stop() == -signal.SIGKILL
    assert not identity.alive()


async def test_one_that_ended_is_reported_with_the_end_of_its_log(child: Child) -> None:
    child.start(["sh", "-c", "echo out of paper; exit 3"], environ=os.environ, orphaned=signal.SIGKILL)
    await eventually(lambda: child.pid == 0)
    with pytest.raises(ChildFailedError) as raised:
        child.check()
    assert str(raised.value) == f"sleeper ended with status 3. The end of {child.log}:\n    out of paper"


def child_of_a_killed_parent(folder: Path) -> Identity:
    with subprocess.Popen([sys.executable, "-c", PARENT, str(folder)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        identity = Identity.of(int(parent.stdout.readline()))
        assert identity is not None
        parent.kill()
        return identity


async def test_it_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    identity = child_of_a_killed_parent(tmp_path)
    await eventually(lambda: not identity.alive())


def test_a_leftover_is_stopped(child: Child) -> None:
    identity = start(child, SLEEP)
    assert stop_leftover(child.pid_file, within_s=5)
    assert not identity.alive()
    assert not child.pid_file.exists()
    child.stop()


def test_starting_stops_what_was_left_before(tmp_path: Path) -> None:
    lost, found = (Child("sleeper", folder=tmp_path, stop_within_s=5) for _ in range(2))
    left = start(lost, SLEEP)
    start(found, SLEEP)
    assert not left.alive()
    found.stop()
    lost.stop()


def test_a_stale_pid_that_another_has_now_is_left_alone(tmp_path: Path) -> None:
    pid_file = tmp_path / "mongod.pid"
    ourselves = Identity.of(os.getpid())
    assert ourselves is not None
    Identity(ourselves.pid, ourselves.started - 1).write(pid_file)
    assert not stop_leftover(pid_file, within_s=5)
    assert ourselves.alive()
    assert not pid_file.exists()


@pytest.mark.parametrize("content", ["", "12", "a b", "1 2 3"])
def test_a_pid_file_cut_short_is_no_process(tmp_path: Path, content: str) -> None:
    pid_file = tmp_path / "mongod.pid"
    pid_file.write_text(content)
    assert Identity.read(pid_file) is None
    assert not stop_leftover(pid_file, within_s=5)
    assert not pid_file.exists()


def test_leftovers_in_a_folder_are_found(tmp_path: Path) -> None:
    child = Child("sleeper", folder=tmp_path / "deep", stop_within_s=5)
    identity = start(child, SLEEP)
    said: list[str] = []
    stop_leftovers(tmp_path, said.append)
    assert said == ["stopped sleeper, which an earlier run left behind"]
    assert not identity.alive()
    child.stop()


def test_a_folder_belongs_to_one_supervisor(tmp_path: Path) -> None:
    with claimed(tmp_path), pytest.raises(AlreadyRunningError) as raised, claimed(tmp_path):
        pass
    assert str(raised.value) == (f"The platform runs here already (process {os.getpid()}): stop that one first.")
    with claimed(tmp_path):
        pass


def test_clearing_keeps_only_the_claim(tmp_path: Path) -> None:
    with claimed(tmp_path):
        (tmp_path / "mongod").mkdir()
        (tmp_path / "mongod" / "data").write_text("data")
        (tmp_path / "demo.json").write_text("{}")
        clear(tmp_path)
        assert [entry.name for entry in tmp_path.iterdir()] == ["lock"]
