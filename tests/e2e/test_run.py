"""`make run` as a user has it, and the platform that other e2e tests use."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from infra.local.child import Child, Identity
from infra.local.ports import LOOPBACK, free_port
from infra.local.settings import LISTENERS
from tests.support.eventually import eventually
from tests.support.platform import Platform

ROOT = Path(__file__).parents[2]
UP_WITHIN_S = 100
PROCESSES = ["campaigns", "epmd", "feedback", "gateway", "members", "mongod", "points", "rabbitmq"]


async def test_platform_answers(platform: Platform) -> None:
    chain = await platform.open_chain("test-run-1", stores={"A": "Store A"})
    data = await platform.graphql("{ chain { id } stores { id code } }", key=chain.staff_key)
    assert data == {"chain": {"id": chain.id}, "stores": [{"id": chain.stores["A"], "code": "A"}]}


async def test_a_killed_process_comes_back(platform: Platform) -> None:
    chain = await platform.open_chain("test-run-2", stores={"A": "Store A"})
    starts = platform.log("members").count("ready: members")
    platform.kill("members")
    answer = await platform.answer("{ stores { code } }", key=chain.staff_key)
    assert answer["errors"]
    platform.restart("members")

    async def answered() -> bool:
        answer = await platform.answer("{ stores { code } }", key=chain.staff_key)
        return answer.get("data") == {"stores": [{"code": "A"}]}

    await eventually(answered, within_s=30)
    assert platform.log("members").count("ready: members") == starts + 1


@pytest.fixture
def environ() -> Iterator[dict[str, str]]:
    """Yield an environment with free ports, and without servers of anybody's own."""
    with ExitStack() as held:
        ports = {listener.variable: str(held.enter_context(free_port())) for listener in LISTENERS.values()}
        yield {name: value for name, value in os.environ.items() if not name.endswith("_URL")} | ports


def make_run(tmp_path: Path) -> tuple[Child, list[str]]:
    """Return what starts the platform as `make run` does, with its state in the test's folder."""
    command = [sys.executable, "-m", "infra.local.up", "--state", str(tmp_path / "state")]
    return Child("run", folder=tmp_path, stop_within_s=60), command


def running(state: Path) -> list[Identity]:
    """Return the platform's processes, in the order of PROCESSES."""
    files = sorted(state.rglob("*.pid"), key=lambda file: file.stem)
    assert [file.stem for file in files] == PROCESSES
    return [identity for file in files if (identity := Identity.read(file)) and identity.alive()]


def paste(log: str) -> dict[str, Any]:
    """Run the command that was printed and return the member that it shows."""
    command = re.search(r"^(curl|python3) .*?(?=\n\n)", log, re.MULTILINE | re.DOTALL)
    assert command is not None
    shell = subprocess.run(["bash", "-c", command[0]], capture_output=True, text=True, check=True)  # noqa: S607
    member: dict[str, Any] = json.loads(shell.stdout)["data"]["member"]
    return member


def keys(log: str) -> list[str]:
    return re.findall(r"^    (?:staff|till|partner|member) +(htk_\S+)$", log, re.MULTILINE)


@pytest.mark.timeout(300)
async def test_make_run_from_nothing_and_again(tmp_path: Path, environ: dict[str, str]) -> None:
    child, command = make_run(tmp_path)

    def is_up() -> bool:
        child.check()
        return "Ctrl-C stops everything" in child.log.read_text()

    child.start(command, environ=environ, orphaned=signal.SIGKILL)
    await eventually(is_up, within_s=UP_WITHIN_S)
    first = child.log.read_text()
    member = paste(first)
    assert member["profile"] == {"name": "林晓雯"}
    assert member["tier"]["level"] == "silver"
    assert member["visits"]["count"] == 30
    assert [coupon["state"] for coupon in member["coupons"]["nodes"]] == ["OPEN"]
    assert [case["score"] for case in member["cases"]["nodes"]] == [3]
    assert member["points"]["balance"] == member["points"]["entries"]["nodes"][0]["balance"]
    processes = running(tmp_path / "state")
    assert len(processes) == len(PROCESSES)

    os.kill(child.pid, signal.SIGKILL)  # the worst way to end; what is left is stopped by the next start
    child.stop()
    child.log.unlink()
    child.start(command, environ=environ, orphaned=signal.SIGKILL)
    await eventually(is_up, within_s=UP_WITHIN_S)
    assert not any(process.alive() for process in processes)
    assert keys(child.log.read_text()) == keys(first)
    assert len(keys(first)) == 4
    assert paste(child.log.read_text()) == member

    processes = running(tmp_path / "state")
    os.kill(child.pid, signal.SIGINT)
    await eventually(lambda: child.pid == 0, within_s=60)
    assert child.log.read_text().endswith("huitou    │ stopped\n")
    assert not any(process.alive() for process in processes)
    assert list((tmp_path / "state").rglob("*.pid")) == []


def test_a_taken_port_is_named(tmp_path: Path, environ: dict[str, str]) -> None:
    _, command = make_run(tmp_path)
    port = int(environ["HUITOU_FEEDBACK_PORT"])
    with socket.create_server((LOOPBACK, port)):
        run = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert f"Port {port} is in use by process {os.getpid()} (" in run.stdout
    assert "The feedback service needs it: stop that process, or choose another port below 32768, " in run.stdout
    assert f"like HUITOU_FEEDBACK_PORT={port + 100} make run" in run.stdout
    assert not (tmp_path / "state" / "mongod").exists()
