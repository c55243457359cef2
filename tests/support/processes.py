"""A process of ours, started from a few lines of Python, and what it says."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Running:
    """A child process; `said` are the lines that it has logged so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.said: list[str] = []
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            self.said.append(line.decode().rstrip())

    def has_said(self, words: str) -> bool:
        return any(words in line for line in self.said)

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def ended(self, within_s: float = 60) -> int:
        """Return the exit status once all that was logged has been read."""
        async with asyncio.timeout(within_s):
            await self._reading
            return await self._process.wait()

    async def kill(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        await self._reading


@asynccontextmanager
async def python(code: str, **environ: str) -> AsyncIterator[Running]:
    """Run `code` in a new Python where every warning is an error; it is killed at the end of the block."""
    variables = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-W",
        "error",
        "-c",
        code,
        cwd=ROOT,
        env={**variables, "PYTHONPATH": str(ROOT), **environ},
        stderr=asyncio.subprocess.PIPE,
    )
    running = Running(process)
    try:
        yield running
    finally:
        await running.kill()
