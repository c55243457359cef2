import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from infra.local.child import Identity
from infra.local.supervised import Supervised
from tests.support.eventually import eventually


@dataclass
class Seen:
    shown: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


def supervised(seen: Seen, command: Sequence[str], pid_file: Path) -> Supervised:
    return Supervised(
        "points", command, environ=os.environ, pid_file=pid_file, show=seen.shown.append, say=seen.said.append
    )


async def test_lines_are_shown_and_a_stop_ends_it(tmp_path: Path) -> None:
    seen = Seen()
    process = supervised(seen, ["sh", "-c", "echo one; echo two >&2; exec sleep 1000"], tmp_path / "points.pid")
    life = asyncio.create_task(process.run())
    await eventually(lambda: seen.shown == ["one", "two"])
    identity = Identity.read(tmp_path / "points.pid")
    assert identity is not None
    assert identity.alive()
    await process.stop()
    await life
    assert not identity.alive()
    assert seen.said == []
    assert not (tmp_path / "points.pid").exists()


async def test_what_dies_is_started_again_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.local.supervised.FIRST_WAIT_S", 0.01)
    seen = Seen()
    process = supervised(seen, ["sh", "-c", "echo up; exit 7"], tmp_path / "points.pid")
    life = asyncio.create_task(process.run())
    await eventually(lambda: len(seen.shown) == 3)
    await process.stop()
    await life
    assert seen.said[0] == "points ended with status 7; it is started again in 0 s"


async def test_a_signal_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.local.supervised.FIRST_WAIT_S", 100)
    seen = Seen()
    process = supervised(seen, ["sh", "-c", "kill -9 $$"], tmp_path / "points.pid")
    life = asyncio.create_task(process.run())
    await eventually(lambda: seen.said == ["points was ended by SIGKILL; it is started again in 100 s"])
    await process.stop()  # does not wait for the 100 s
    await life


async def test_what_does_not_stop_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.local.supervised.STOP_WITHIN_S", 0.1)
    seen = Seen()
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(99)"
    )
    process = supervised(seen, [sys.executable, "-c", deaf], tmp_path / "points.pid")
    life = asyncio.create_task(process.run())
    await eventually(lambda: seen.shown == ["deaf"])
    await process.stop()
    await life
    assert seen.said == ["points did not stop within 0 s and is killed"]


async def test_a_line_without_end_does_not_stop_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.local.supervised.LONGEST_LINE", 1000)
    seen = Seen()
    talk = "print('x' * 5000); print('short', flush=True); import time; time.sleep(99)"
    process = supervised(seen, [sys.executable, "-c", talk], tmp_path / "points.pid")
    life = asyncio.create_task(process.run())
    await eventually(lambda: seen.shown[-1:] == ["short"])
    await process.stop()
    await life
