"""A program started in the background: it dies with its parent, and what an earlier crash left behind is found again.

A pid file holds the process's id and its start time, because the id alone may belong to somebody else by now.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PAUSE_S = 0.02
LOG_TAIL_LINES = 20
KILL_WAIT_S = 5
"""The kernel ends a killed process in milliseconds, unless its disk hangs."""


class ChildFailedError(Exception):
    """A program ended, or did not come up."""

    def __init__(self, name: str, log: Path, *, why: str) -> None:
        lines = log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:] if log.exists() else []
        super().__init__("\n".join([f"{name} {why}. The end of {log}:", *(f"    {line}" for line in lines)]))


@dataclass(frozen=True, slots=True)
class Identity:
    """Which process: its id, and when it started in clock ticks since the machine did."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> "Identity | None":
        """Return who has `pid` now; None when nobody, or a dead process that its parent has not collected."""
        try:
            # proc(5): the name, field 2, is in parentheses and may hold anything; field 3 is the state, 22 the start.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if fields[0] in "ZX" else cls(pid, int(fields[19]))

    @classmethod
    def read(cls, pid_file: Path) -> "Identity | None":
        """Return who wrote `pid_file`; None when there is none or it was cut short."""
        try:
            pid, started = pid_file.read_text().split()
            return cls(int(pid), int(started))
        except (FileNotFoundError, ValueError):
            return None

    def write(self, pid_file: Path) -> None:
        """Leave word for the next run, should this one crash."""
        pid_file.write_text(f"{self.pid} {self.started}\n")

    def alive(self) -> bool:
        """Tell whether this very process still runs."""
        return Identity.of(self.pid) == self

    def stop(self, *, within_s: float) -> bool:
        """End the process: politely, and by force after `within_s`. Tell whether it went politely."""
        self.send(signal.SIGTERM)
        if self._gone(within_s):
            return True
        self.send(signal.SIGKILL)
        self._gone(KILL_WAIT_S)
        return False

    def send(self, what: signal.Signals) -> None:
        """Send a signal, unless the process has gone."""
        if self.alive():
            os.kill(self.pid, what)

    def _gone(self, within_s: float) -> bool:
        deadline = time.monotonic() + within_s
        while self.alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(PAUSE_S)  # it need not be our child, so the kernel tells nobody here of its end
        return True


def stop_leftover(pid_file: Path, *, within_s: float) -> bool:
    """Stop what an earlier run started and lost. Tell whether there was such a process."""
    identity = Identity.read(pid_file)
    found = identity is not None and identity.alive()
    if identity is not None and found:
        identity.stop(within_s=within_s)
    pid_file.unlink(missing_ok=True)
    return found


UNLESS_ORPHANED = '[ "$PPID" = "$0" ] && exec "$@"'
"""A parent that died before the kernel knew of the tie sends nothing: so the child looks for it once, after that."""


def tied_to_parent(command: Sequence[str], *, by: signal.Signals) -> list[str]:
    """Return `command` so that the kernel sends it `by` when the parent dies, even by kill -9 (Linux only).

    util-linux's setpriv does it between fork and exec, where Python code is not safe beside threads.
    """
    if (setpriv := shutil.which("setpriv")) is None:
        return list(command)
    tie = [setpriv, "--pdeathsig", by.name.removeprefix("SIG"), "--"]
    return [*tie, "sh", "-c", UNLESS_ORPHANED, str(os.getpid()), *command]


class Child:
    """One background program with a log and a pid file, `NAME.log` and `NAME.pid` in `folder`."""

    def __init__(self, name: str, *, folder: Path, stop_within_s: float) -> None:
        self.name, self.log, self.pid_file = name, folder / f"{name}.log", folder / f"{name}.pid"
        self._stop_within_s = stop_within_s
        self._running: subprocess.Popen[bytes] | None = None
        self._told = False

    def start(self, command: Sequence[str], *, environ: Mapping[str, str], orphaned: signal.Signals) -> None:
        """Start it in a session of its own, so that Ctrl-C reaches only the parent; `orphaned`: see tied_to_parent."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        stop_leftover(self.pid_file, within_s=self._stop_within_s)
        self._told = False
        with self.log.open("ab") as log:
            self._running = subprocess.Popen(
                tied_to_parent(command, by=orphaned),
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if identity := Identity.of(self._running.pid):
            identity.write(self.pid_file)

    @property
    def pid(self) -> int:
        """The id of the running process; 0 when it does not run."""
        return self._running.pid if self._running and self._running.poll() is None else 0

    def check(self) -> None:
        """Raise `ChildFailedError` unless the program runs."""
        if self._running is None:
            raise ChildFailedError(self.name, self.log, why="was stopped")
        if (status := self._running.poll()) is not None:
            raise ChildFailedError(self.name, self.log, why=f"ended with status {status}")

    def tell_to_stop(self) -> None:
        """Ask it to end, once: a second SIGTERM would end our services at once."""
        if self._running and not self._told:
            self._told = True
            self._running.terminate()

    def stop(self) -> int:
        """End it politely, by force after its time; return its exit status (0 when it did not run, -9 by force)."""
        if self._running is None:
            return 0
        self.tell_to_stop()
        try:
            status = self._running.wait(self._stop_within_s)
        except subprocess.TimeoutExpired:
            self._running.kill()
            status = self._running.wait(KILL_WAIT_S)
        self._running = None
        self.pid_file.unlink(missing_ok=True)
        return status

    def kill(self) -> None:
        """End it at once, as a crash would: the pid file stays."""
        if self._running:
            self._running.kill()
            self._running.wait(KILL_WAIT_S)
            self._running = None
