"""`huitou rebuild-sales` over real gRPC: it waits, goes on where it was, and gives up in the end."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from infra.cli.main import parsed
from infra.cli.rebuild_sales import Pace, StillAwayError, rebuild
from protos.points.v1 import insight_pb2 as pb
from protos.points.v1.insight_pb2_grpc import InsightServicer, add_InsightServicer_to_server
from services.kit.clock import system_clock
from services.kit.errors import Kind, Problem
from services.kit.keys import ensure_keys, load_verifier
from services.kit.rpc import RpcServer
from services.kit.rpc.calls import caller
from services.kit.timestamps import to_timestamp
from tests.support.clock import START, FixedClock

SERVICE = pb.DESCRIPTOR.services_by_name["Insight"]


class AwayError(Problem):
    """It is away."""

    kind = Kind.UNAVAILABLE
    code = "UNAVAILABLE"


@dataclass
class PaperInsight(InsightServicer):
    """Answers each call with the next of `calls`, beyond the last one that it is away."""

    calls: list[list[pb.RebuildSalesProgress]] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def RebuildSales(  # noqa: N802 - as the proto has it
        self, request: pb.RebuildSalesRequest, _context: object
    ) -> AsyncIterator[pb.RebuildSalesProgress]:
        self.asked.append((caller().kind.value, request.chain_id))
        if not self.calls:
            raise AwayError
        for step in self.calls.pop(0):
            yield step


@dataclass
class Time:
    """Passes only while somebody sleeps."""

    clock: FixedClock = field(default_factory=FixedClock)
    slept: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.move(timedelta(seconds=seconds))

    def pace(self) -> Pace:
        return Pace(30.0, now=lambda: self.clock().timestamp(), clock=self.clock, sleep=self.sleep)


@pytest.fixture
async def insight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PaperInsight]:
    keys = tmp_path / "keys"
    ensure_keys(keys)
    paper = PaperInsight()  # type: ignore[abstract]  # the other methods are nobody's here
    server = RpcServer(
        address="127.0.0.1:0",
        verifier=load_verifier(keys, clock=system_clock),
        servicers=[(add_InsightServicer_to_server, paper, SERVICE)],
    )
    await server.start()
    monkeypatch.setenv("POINTS_ADDRESS", f"127.0.0.1:{server.port}")
    monkeypatch.setenv("HUITOU_KEYS_DIR", str(keys))
    yield paper
    await server.stop(0)


async def test_it_waits_for_the_cut_and_goes_on_to_the_end(
    insight: PaperInsight, capsys: pytest.CaptureFixture[str]
) -> None:
    insight.calls = [
        [pb.RebuildSalesProgress(begins_at=to_timestamp(START + timedelta(minutes=4)))],
        [pb.RebuildSalesProgress(receipts=200), pb.RebuildSalesProgress(receipts=400)],
        [pb.RebuildSalesProgress(receipts=450), pb.RebuildSalesProgress(receipts=450, done=True)],
    ]
    passing = Time()
    assert await rebuild("chn_1", passing.pace()) == 0
    assert passing.slept[0] == 240
    assert insight.asked == [("operator", "chn_1")] * 3
    shown = capsys.readouterr()
    assert shown.out == "450 receipts were counted: reports show them now\n"
    assert "240 s" in shown.err


async def test_it_gives_up_when_points_stays_away(insight: PaperInsight) -> None:
    insight.calls = [[pb.RebuildSalesProgress(receipts=200)]]
    passing = Time()
    with pytest.raises(StillAwayError):
        await rebuild("chn_1", passing.pace())
    assert sum(passing.slept) == pytest.approx(31, abs=1.2)


def test_what_is_typed(capsys: pytest.CaptureFixture[str]) -> None:
    assert parsed(["rebuild-sales", "--chain", "chn_1"]).give_up == 60
    with pytest.raises(SystemExit):
        parsed(["rebuild-sales"])
    assert "--chain" in capsys.readouterr().err
