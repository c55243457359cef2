"""`huitou seals` over real gRPC."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from infra.cli.ledger.seals import show
from protos.points.v1 import ledger_pb2 as pb
from services.kit.rpc import RemoteProblem
from tests.support.ledger_stub import Office, office


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Office]:
    async with office(tmp_path, monkeypatch.setenv) as found:
        found.ledger.seals = [
            pb.Seal(
                day=f"2026-03-0{day}",
                root=bytes([day, 255]),
                accounts=day,
                postings=10 * day,
                sealed_at=Timestamp(seconds=1_772_500_000 + day),
                signature=b"signed",
                key_id="seal-1",
            )
            for day in (5, 4, 3, 2, 1)
        ]
        yield found


FIRST = {
    "day": "2026-03-05",
    "root": "05ff",
    "accounts": 5,
    "postings": 50,
    "sealed_at": "2026-03-03T01:06:45Z",
    "key_id": "seal-1",
    "signature": "c2lnbmVk",
}


async def test_all_pages_come_as_json_lines(desk: Office, capsys: pytest.CaptureFixture[str]) -> None:
    assert await desk.huitou(show, "seals", "--chain", "chn_1") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == FIRST
    assert [line["day"] for line in lines] == [f"2026-03-0{day}" for day in (5, 4, 3, 2, 1)]
    assert {who.chain for who in desk.ledger.callers} == {"chn_1"}
    assert len(desk.ledger.callers) == 3


async def test_a_file_has_all_of_them_or_is_left_alone(desk: Office, capsys: pytest.CaptureFixture[str]) -> None:
    file = desk.folder / "kept" / "seals.jsonl"
    assert await desk.huitou(show, "seals", "--chain", "chn_1", "--export", str(file)) == 0
    assert capsys.readouterr().out == f"5 seals are in {file}\n"
    before = file.read_text()
    assert json.loads(before.splitlines()[0]) == FIRST
    desk.ledger.break_at = "2"
    with pytest.raises(RemoteProblem):
        await desk.huitou(show, "seals", "--chain", "chn_1", "--export", str(file))
    assert file.read_text() == before
