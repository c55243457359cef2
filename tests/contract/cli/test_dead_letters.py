import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from infra.cli.main import main
from protos.common.v1 import dead_letters_pb2 as pb
from protos.common.v1 import dead_letters_pb2_grpc
from services.kit.clock import system_clock
from services.kit.errors import Kind, Problem
from services.kit.keys import ensure_keys, load_verifier
from services.kit.rpc import RpcServer
from services.kit.timestamps import to_timestamp


class NoSuchError(Problem):
    """There is none."""

    kind = Kind.NOT_FOUND
    code = "NO_SUCH"


class Letters(dead_letters_pb2_grpc.DeadLettersServicer):
    """The dead letters of one service, in memory."""

    def __init__(self, *ids: str) -> None:
        self.letters = [
            pb.DeadLetter(
                id=id_,
                type="huitou.events.v1.PurchaseBooked",
                chain_id="chn_1",
                aggregate="mem_1",
                sequence=7,
                queue="members.events.2",
                reason="rejected",
                error="There is no [bold]member[/] mem_1.",
                died_at=to_timestamp(datetime(2026, 3, 1, 4, tzinfo=UTC)),
                waiting=3,
            )
            for id_ in ids
        ]

    async def ListDeadLetters(self, request: pb.ListDeadLettersRequest, _: Any) -> pb.ListDeadLettersResponse:  # noqa: N802 - gRPC's name
        return pb.ListDeadLettersResponse(dead_letters=self.letters[: request.first], total=len(self.letters))

    async def GetDeadLetter(self, request: pb.GetDeadLetterRequest, _: Any) -> pb.GetDeadLetterResponse:  # noqa: N802 - gRPC's name
        for letter in self.letters:
            if letter.id == request.id:
                return pb.GetDeadLetterResponse(dead_letter=letter, body_json='{"purchase": {"id": "pur_1"}}')
        raise NoSuchError

    async def ReplayDeadLetters(self, request: pb.ReplayDeadLettersRequest, _: Any) -> pb.ReplayDeadLettersResponse:  # noqa: N802 - gRPC's name
        kept = [one for one in self.letters if request.ids and one.id not in request.ids]
        replayed, self.letters = len(self.letters) - len(kept), kept
        return pb.ReplayDeadLettersResponse(replayed=replayed)


@pytest.fixture
async def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[dict[str, Letters]]:
    """Serve the dead letters of four services, and tell the command line where."""
    ensure_keys(tmp_path)
    monkeypatch.setenv("HUITOU_KEYS_DIR", str(tmp_path))
    found = {
        "members": Letters("evt_1", "evt_2"),
        "points": Letters(),
        "campaigns": Letters("evt_3"),
        "feedback": Letters(),
    }
    servers: list[RpcServer] = []
    for name, letters in found.items():
        add, descriptor = dead_letters_pb2_grpc.add_DeadLettersServicer_to_server, pb.DESCRIPTOR
        server = RpcServer(
            address="127.0.0.1:0",
            verifier=load_verifier(tmp_path, clock=system_clock),
            servicers=[(add, letters, descriptor.services_by_name["DeadLetters"])],
        )
        await server.start()
        servers.append(server)
        monkeypatch.setenv(f"{name.upper()}_ADDRESS", f"127.0.0.1:{server.port}")
    yield found
    for server in servers:
        await server.stop(0)


async def huitou(*words: str) -> int:
    return await asyncio.to_thread(main, ["dead-letters", *words])


async def test_a_table_of_all_services(services: dict[str, Letters], capsys: pytest.CaptureFixture[str]) -> None:
    assert services
    assert await huitou("list") == 0
    out = capsys.readouterr().out
    header = ["service", "id", "event", "aggregate", "no.", "waiting", "died", "reason", "error"]
    assert [word.strip() for word in out.splitlines()[1].split("┃")[1:-1]] == header
    rows = [line.split("│") for line in out.splitlines() if "evt_" in line]
    assert [[cell.strip() for cell in row[1:-1]] for row in rows][2] == [
        *("campaigns", "evt_3", "PurchaseBooked", "mem_1", "7", "3", "2026-03-01T04:00:00Z", "rejected"),
        "There is no [bold]member[/] mem_1.",
    ]
    assert await huitou("list", "--first", "1", "--service", "members") == 0
    assert "members has 1 more" in capsys.readouterr().out


async def test_for_programs(services: dict[str, Letters], capsys: pytest.CaptureFixture[str]) -> None:
    assert services
    assert await huitou("list", "--json") == 0
    assert [(one["service"], one["id"]) for one in json.loads(capsys.readouterr().out)] == [
        ("members", "evt_1"),
        ("members", "evt_2"),
        ("campaigns", "evt_3"),
    ]
    assert await huitou("show", "evt_3", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["service"], shown["sequence"], shown["body"]) == ("campaigns", "7", {"purchase": {"id": "pur_1"}})


async def test_one_with_its_body(services: dict[str, Letters], capsys: pytest.CaptureFixture[str]) -> None:
    assert services
    assert await huitou("show", "evt_2") == 0
    out = capsys.readouterr().out
    assert "queue        members.events.2\n" in out
    assert '"id": "pur_1"' in out
    assert await huitou("show", "evt_9") == 1
    assert "No service has a dead letter evt_9." in capsys.readouterr().err


async def test_putting_back(services: dict[str, Letters], capsys: pytest.CaptureFixture[str]) -> None:
    assert await huitou("replay") == 1
    assert "or --all" in capsys.readouterr().err
    assert len(services["members"].letters) == 2
    assert await huitou("replay", "evt_1", "evt_9") == 1
    said = capsys.readouterr()
    assert said.out == "members: 1 put back\n"
    assert "1 of the ids are there no longer" in said.err
    assert await huitou("replay", "--all", "--service", "campaigns") == 0
    assert [len(letters.letters) for letters in services.values()] == [1, 0, 0, 0]
    assert await huitou("replay", "--all") == 0
    assert await huitou("replay", "--all") == 0
    assert capsys.readouterr().out == "campaigns: 1 put back\nmembers: 1 put back\nnothing was put back\n"
    assert await huitou("list") == 0
    assert capsys.readouterr().out == "no dead letters\n"


async def test_a_service_that_is_away_is_named_and_the_others_are_shown(
    services: dict[str, Letters], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert services
    monkeypatch.setenv("POINTS_ADDRESS", "127.0.0.1:1")
    assert await huitou("list") == 1
    said = capsys.readouterr()
    assert "evt_3" in said.out
    assert "huitou: points did not answer: " in said.err


async def test_without_the_operators_key(
    services: dict[str, Letters], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert services
    monkeypatch.setenv("HUITOU_KEYS_DIR", str(tmp_path / "none"))
    assert await huitou("list") == 1
    assert "There is no usable key at" in capsys.readouterr().err
