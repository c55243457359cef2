"""One of the platform's processes under `make run`: its lines are shown, and it is started again when it dies."""

import asyncio
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from infra.local.child import Identity, tied_to_parent

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 30.0
"""Before a process that died is started again: doubled each time, so that one that cannot start does not fill the
screen; from the beginning once it has lived for a minute."""
LIVED_S = 60.0

STOP_WITHIN_S = 40.0
"""A process gives each of its parts 15 s; what takes longer hangs."""

LONGEST_LINE = 1 << 20


class Supervised:
    """Runs `command` until told to stop. `show` gets every line; `say` what the supervisor itself has to tell."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environ: Mapping[str, str],
        pid_file: Path,
        show: Callable[[str], None],
        say: Callable[[str], None],
    ) -> None:
        self.name = name
        self._command, self._environ, self._pid_file = command, environ, pid_file
        self._show, self._say = show, say
        self._running: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Start it, and again whenever it dies; return when it was stopped."""
        wait_s = FIRST_WAIT_S
        while not self._stopping.is_set():
            began = time.monotonic()
            status = await self._live()
            if self._stopping.is_set():
                break
            if time.monotonic() - began > LIVED_S:
                wait_s = FIRST_WAIT_S
            self._say(f"{self.name} {_ended(status)}; it is started again in {wait_s:.0f} s")
            await self._pause(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    async def stop(self) -> None:
        """End it politely, by force after STOP_WITHIN_S; `run` returns then."""
        self._stopping.set()
        if (running := self._running) is None:
            return
        running.terminate()
        try:
            async with asyncio.timeout(STOP_WITHIN_S):
                await running.wait()
        except TimeoutError:
            self._say(f"{self.name} did not stop within {STOP_WITHIN_S:.0f} s and is killed")
            self.kill()

    def kill(self) -> None:
        """End it at once; `run` returns then."""
        self._stopping.set()
        if self._running is not None:
            self._running.kill()

    async def _live(self) -> int:
        running = await asyncio.create_subprocess_exec(
            *tied_to_parent(self._command, by=signal.SIGKILL),
            env=dict(self._environ),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches only the supervisor, which stops all in order
            limit=LONGEST_LINE,
        )
        self._running = running
        if identity := Identity.of(running.pid):
            identity.write(self._pid_file)
        if self._stopping.is_set():  # told so while it was being started
            running.terminate()
        try:
            await self._pump(running)
            return await running.wait()
        finally:
            self._running = None
            self._pid_file.unlink(missing_ok=True)

    async def _pump(self, running: asyncio.subprocess.Process) -> None:
        lines = running.stdout
        if lines is None:
            return
        while True:
            try:
                line = await lines.readline()
            except ValueError:  # longer than LONGEST_LINE: what was read of it is gone
                continue
            if not line:
                return
            self._show(line.decode(errors="replace").rstrip("\n"))

    async def _pause(self, wait_s: float) -> None:
        try:
            async with asyncio.timeout(wait_s):
                await self._stopping.wait()
        except TimeoutError:
            return


def _ended(status: int) -> str:
    return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
