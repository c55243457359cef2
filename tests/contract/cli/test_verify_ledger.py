"""`huitou verify-ledger` over real gRPC."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from infra.cli.ledger.verify import CLEAN, FOUND, UNFINISHED, verify
from services.kit.errors import Kind
from services.kit.principal import Caller
from services.kit.rpc import RemoteProblem
from tests.support.eventually import eventually
from tests.support.ledger_stub import Office, office, progress

ROOT = Path(__file__).parents[3]
BROKEN = ("chain", "mem_1", 3, "the hash of version 3 is not over its content")
OTHER = ("sum", "mem_2", 0, "its postings sum to 5, it has 4")
AWAY = RemoteProblem("It is restarting.", kind=Kind.UNAVAILABLE)


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Office]:
    async with office(tmp_path, monkeypatch.setenv) as found:
        yield found


def words(desk: Office, *more: str) -> tuple[str, ...]:
    return ("verify-ledger", "--chain", "chn_1", "--state", str(desk.folder / "state"), *more)


async def test_a_clean_ledger(desk: Office, capsys: pytest.CaptureFixture[str]) -> None:
    desk.ledger.streams = [[progress("a", 4, 40), progress("b", 10, 100, done=True)]]
    assert await desk.huitou(verify, *words(desk)) == CLEAN
    said = capsys.readouterr()
    assert said.out == "10 accounts and 100 postings were verified: nothing is wrong\n"
    assert said.err.startswith("10 of about 10 accounts (100 %), 100 postings, ")
    assert [(one.cursor, one.chain_id) for one in desk.ledger.asked] == [("", "chn_1")]
    assert [(one.kind, one.chain) for one in desk.ledger.callers] == [(Caller.OPERATOR, "")]
    assert [path.name for path in (desk.folder / "state").iterdir()] == ["chn_1.lock"]


async def test_findings_are_told_with_their_place(desk: Office, capsys: pytest.CaptureFixture[str]) -> None:
    desk.ledger.streams = [[progress("a", 4, 40, BROKEN, OTHER), progress("b", 10, 100, done=True)]]
    assert await desk.huitou(verify, *words(desk)) == FOUND
    found = desk.folder / "state" / "chn_1.findings.jsonl"
    assert capsys.readouterr().out.splitlines() == [
        "chain     mem_1 version 3: the hash of version 3 is not over its content",
        "sum       mem_2: its postings sum to 5, it has 4",
        f"10 accounts and 100 postings were verified: 2 findings, all of them in {found}",
    ]
    assert [json.loads(line) for line in found.read_text().splitlines()] == [
        {"invariant": invariant, "account": account, "version": version, "message": message}
        for invariant, account, version, message in (BROKEN, OTHER)
    ]
    # The next run begins anew.
    desk.ledger.streams = [[progress("b", 10, 100, done=True)]]
    assert await desk.huitou(verify, *words(desk)) == CLEAN
    assert not found.exists()


async def test_a_broken_connection_is_taken_up_from_the_last_cursor(desk: Office) -> None:
    desk.ledger.streams = [
        [progress("a", 4, 40, BROKEN), AWAY],
        [AWAY],
        [],  # a call that ended in good order, and too early: a replica that was stopped
        [progress("b", 6, 60)],
        [progress("c", 10, 100, done=True)],
    ]
    assert await desk.huitou(verify, *words(desk)) == FOUND
    assert [one.cursor for one in desk.ledger.asked] == ["", "a", "a", "a", "b"]
    lines = (desk.folder / "state" / "chn_1.findings.jsonl").read_text().splitlines()
    assert len(lines) == 1


async def test_a_platform_that_stays_away_is_given_up_and_resumed(
    desk: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.ledger.streams = [[progress("a", 4, 40, BROKEN), AWAY]]
    assert await desk.huitou(verify, *words(desk, "--give-up", "0")) == UNFINISHED
    said = capsys.readouterr()
    assert "points has not answered for 0 s (It is restarting.). The same command with --resume goes on" in said.err
    assert "were verified" not in said.out

    desk.ledger.streams = [[progress("b", 10, 100, OTHER, done=True)]]
    assert await desk.huitou(verify, *words(desk, "--resume")) == FOUND
    assert [one.cursor for one in desk.ledger.asked] == ["", "a"]
    said = capsys.readouterr()
    found = desk.folder / "state" / "chn_1.findings.jsonl"
    assert said.err.startswith(f"1 findings of the earlier part are in {found}\n")
    assert said.out.endswith(f"2 findings, all of them in {found}\n")
    assert len(found.read_text().splitlines()) == 2


async def test_a_ledger_that_gets_nowhere_is_given_up(desk: Office, capsys: pytest.CaptureFixture[str]) -> None:
    desk.ledger.streams = [[progress("a", 4, 40)] for _ in range(200)]
    assert await desk.huitou(verify, *words(desk, "--give-up", "0.1")) == UNFINISHED
    assert "(it ended before it was done)" in capsys.readouterr().err
    assert len(desk.ledger.asked) < 10


async def test_what_will_not_pass_ends_it(desk: Office, capsys: pytest.CaptureFixture[str]) -> None:
    desk.ledger.streams = [[RemoteProblem("There is no such chain.", kind=Kind.NOT_FOUND)]]
    assert await desk.huitou(verify, *words(desk)) == UNFINISHED
    assert capsys.readouterr().err == "huitou: There is no such chain.\n"
    assert len(desk.ledger.asked) == 1


async def test_without_a_broken_run_there_is_nothing_to_resume(
    desk: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await desk.huitou(verify, *words(desk, "--resume")) == UNFINISHED
    assert "There is nothing to go on with" in capsys.readouterr().err
    (desk.folder / "state" / "chn_1.json").write_text("{")
    assert await desk.huitou(verify, *words(desk, "--resume")) == UNFINISHED
    assert "is not what a run has written" in capsys.readouterr().err
    assert desk.ledger.asked == []


async def test_wrong_words_are_no_finding(desk: Office) -> None:
    with pytest.raises(SystemExit) as end:
        await desk.huitou(verify, "verify-ledger", "--chn", "chn_1")
    assert end.value.code == UNFINISHED


async def started(desk: Office) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-W", "error", "-m", "infra.cli", *words(desk)),
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **desk.environ},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
async def test_a_run_that_was_stopped_or_killed_goes_on_and_tells_each_finding_once(
    desk: Office, how: signal.Signals
) -> None:
    """What a killed run had found after the last cursor that it noted is found again, and counts once."""
    state, findings = desk.folder / "state", desk.folder / "state" / "chn_1.findings.jsonl"
    second = progress("b", 6, 60, OTHER)
    desk.ledger.streams = [[progress("a", 4, 40, BROKEN), second, asyncio.Event()]]
    process = await started(desk)
    await eventually(lambda: findings.exists() and findings.read_text().count("\n") == 2, within_s=30)
    process.send_signal(how)
    _, err = await process.communicate()
    assert process.returncode == (130 if how is signal.SIGINT else -9), err.decode()
    cursor = json.loads((state / "chn_1.json").read_text())["cursor"]
    assert cursor == "b" or how is signal.SIGKILL

    desk.ledger.streams = [[*([second] if cursor == "a" else []), progress("c", 10, 100, done=True)]]
    assert await desk.huitou(verify, *words(desk, "--resume")) == FOUND
    assert desk.ledger.asked[-1].cursor == cursor
    found = [json.loads(line) for line in findings.read_text().splitlines()]
    assert [one["invariant"] for one in found] == ["chain", "sum"]
