"""The state folder of a run belongs to one supervisor at a time, and what a crashed one left there is cleared away."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.local.child import stop_leftover

LOCK = "lock"
LEFTOVER_STOP_S = 20


class AlreadyRunningError(Exception):
    """Another supervisor has the folder."""


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Keep `folder` to ourselves; raise `AlreadyRunningError` when another has it. The kernel frees it at our death."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            message = f"The platform runs here already (process {lock.read().strip()}): stop that one first."
            raise AlreadyRunningError(message) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def stop_leftovers(folder: Path, say: Callable[[str], None]) -> None:
    """Stop what a crashed supervisor left running; a claimed folder only."""
    for pid_file in sorted(folder.rglob("*.pid")):
        if stop_leftover(pid_file, within_s=LEFTOVER_STOP_S):
            say(f"stopped {pid_file.stem}, which an earlier run left behind")


def clear(folder: Path) -> None:
    """Forget everything in a claimed folder, except whose it is."""
    for entry in folder.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        elif entry.name != LOCK:
            entry.unlink()
