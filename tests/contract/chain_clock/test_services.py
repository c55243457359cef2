"""The clock of a sandbox in each of the four services, as they are built."""

from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from protos.common.v1 import chain_clock_pb2 as pb
from services.kit.clock import system_clock
from services.kit.errors import Kind
from services.kit.mongo.chain_clocks import CLOCKS
from services.kit.principal import Caller, Principal
from services.kit.rpc import RemoteProblem
from services.kit.timestamps import from_timestamp, to_timestamp
from tests.contract.chain_clock.conftest import Replica, Running

DAY = timedelta(days=1)
HEARS = {
    "members": {"members.member", "points.account", "campaigns.coupon", "feedback.case"},
    "points": {"members.member", "members.store", "members.menu", "points.account"},
    "campaigns": {"points.account", "members.member"},
    "feedback": {"points.account", "members.member"},
}


def operator(chain: str = "sbx_1") -> Principal:
    return Principal(chain=chain, kind=Caller.OPERATOR, id="ops")


def somebody(kind: Caller) -> Principal:
    return Principal(chain="sbx_1", kind=kind, id="who", scopes=frozenset({"chain:write"}))


def requests() -> dict[str, Any]:
    moment = to_timestamp(system_clock() + DAY)
    return {
        "GetNextDue": pb.GetNextDueRequest(),
        "MoveTo": pb.MoveToRequest(moment=moment),
        "RunDue": pb.RunDueRequest(),
        "CountEvents": pb.CountEventsRequest(),
    }


async def refusal(replica: Replica, method: str, request: Any, by: Principal) -> RemoteProblem:
    with pytest.raises(RemoteProblem) as refused:
        await replica.call(method, request, by)
    return refused.value


async def clocks(service: Running) -> list[dict[str, Any]]:
    return await service.database.collection(CLOCKS).find({}).to_list(10)


async def test_only_operators_of_a_sandbox_have_it(service: Running) -> None:
    for kind in Caller:
        for method, request in requests().items():
            if kind is not Caller.OPERATOR:
                assert (await refusal(service.first, method, request, somebody(kind))).kind is Kind.DENIED
    for chain in ("chn_1", ""):
        for method in ("MoveTo", "RunDue", "CountEvents"):
            refused = await refusal(service.first, method, requests()[method], operator(chain))
            assert (refused.kind, refused.code) == (Kind.REFUSED, "NOT_A_SANDBOX")
    for request in (pb.MoveToRequest(), pb.MoveToRequest(moment=Timestamp(seconds=1 << 62))):
        refused = await refusal(service.first, "MoveTo", request, operator())
        assert (refused.kind, refused.code, refused.field) == (Kind.INVALID, "NO_MOMENT", "moment")
    assert await clocks(service) == []


async def test_a_move_holds_for_all_replicas_and_for_this_chain_only(service: Running) -> None:
    began = system_clock()
    before = await service.first.call("GetNextDue", pb.GetNextDueRequest(), operator())
    assert (before.stands, before.HasField("due_at")) == (False, False)
    assert began <= from_timestamp(before.now) <= system_clock()

    moment = to_timestamp(began + 40 * DAY)
    for _ in range(2):
        assert (await service.first.call("MoveTo", pb.MoveToRequest(moment=moment), operator())).now == moment
    after = await service.second.call("GetNextDue", pb.GetNextDueRequest(), operator())
    assert (after.stands, after.now) == (True, moment)
    back = pb.MoveToRequest(moment=to_timestamp(began + 40 * DAY - timedelta(milliseconds=1)))
    assert (await refusal(service.second, "MoveTo", back, operator())).code == "CLOCK_GOES_BACK"
    assert [row["_id"] for row in await clocks(service)] == ["sbx_1"]

    for chain in ("chn_1", "sbx_2"):
        other = await service.second.call("GetNextDue", pb.GetNextDueRequest(), operator(chain))
        assert not other.stands
        assert from_timestamp(other.now) <= system_clock()
    await service.second.call("RunDue", pb.RunDueRequest(), operator())
    counts = await service.first.call("CountEvents", pb.CountEventsRequest(), operator())
    assert (dict(counts.told), dict(counts.heard)) == ({}, dict.fromkeys(HEARS[service.name], 0))
