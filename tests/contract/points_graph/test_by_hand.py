"""Adjustments, freezing and opening balances in the graph, over a service that answers from memory."""

from datetime import UTC, datetime

import pytest

from protos.common.v1.page_pb2 import Page
from protos.points.v1 import ledger_pb2 as pb
from protos.points.v1 import points_pb2
from services.kit.errors import Kind
from services.kit.graph import timestamp
from services.kit.rpc.problems import to_proto
from tests.support.points_desk import STAFF, PointsDesk, refusal

AT = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
FIELDS = """adjustment { id memberId member { id } currency amount reason state askedBy askedAt decidedBy decidedAt }
  balance { currency available } repeatedCall userErrors { code field message }"""
ADJUST = f"mutation ($input: AdjustPointsInput!) {{ adjustPoints(input: $input) {{ {FIELDS} }} }}"
DECIDE = f"mutation ($input: DecideAdjustmentInput!) {{ decideAdjustment(input: $input) {{ {FIELDS} }} }}"
FREEZE = """mutation ($input: FreezeAccountInput!) { freezeAccount(input: $input) {
  frozen member { id } repeatedCall userErrors { code field message } } }"""
WAITING = """query ($first: Int! = 20, $after: String) { waitingAdjustments(first: $first, after: $after) {
  nodes { id state reason decidedBy decidedAt } pageInfo { hasNextPage endCursor } } }"""
OPEN = """mutation ($input: OpenBalancesInput!) { openBalances(input: $input) {
  userErrors { code } results { member { id } balance { currency available } repeatedCall
  userErrors { code field } } } }"""
WAITS = pb.Adjustment(
    id="adj_1",
    member_id="mem_1",
    currency="points",
    amount=-500,
    state=pb.ADJUSTMENT_STATE_WAITING,
    asked_by="staff:anna",
    asked_at=timestamp(AT),
)
WISHES = {
    "adjustPoints": (ADJUST, {"key": "k", "memberId": "mem_1", "amount": -500, "reason": "a mistake"}),
    "decideAdjustment": (DECIDE, {"key": "k", "adjustmentId": "adj_1", "approve": True}),
    "freezeAccount": (FREEZE, {"key": "k", "memberId": "mem_1", "frozen": True, "reason": "stolen card"}),
}


def shown_waiting() -> dict[str, object]:
    return {
        "id": "adj_1",
        "memberId": "mem_1",
        "member": {"id": "mem_1"},
        "currency": "POINTS",
        "amount": -500,
        "reason": None,
        "state": "WAITING",
        "askedBy": "staff:anna",
        "askedAt": "2026-03-01T04:00:00.000Z",
        "decidedBy": None,
        "decidedAt": None,
    }


async def test_an_adjustment_that_waits(points: PointsDesk) -> None:
    points.says(AdjustPoints=pb.AdjustmentResponse(adjustment=WAITS))
    text, wish = WISHES["adjustPoints"]
    shown = (await points.ask(text, input=wish))["adjustPoints"]
    assert shown == {"adjustment": shown_waiting(), "balance": None, "repeatedCall": False, "userErrors": []}
    assert points.heard() == pb.AdjustPointsRequest(
        key="k", member_id="mem_1", currency="points", amount=-500, reason="a mistake"
    )
    await points.ask(text, input=wish | {"currency": "STAMPS"})
    assert points.heard().currency == "stamps"


@pytest.mark.parametrize("approve", [True, False])
async def test_an_adjustment_that_is_decided(points: PointsDesk, *, approve: bool) -> None:
    decided = pb.Adjustment(
        state=pb.ADJUSTMENT_STATE_BOOKED if approve else pb.ADJUSTMENT_STATE_REJECTED,
        reason="a mistake",
        decided_by="staff:bo",
        decided_at=timestamp(AT),
    )
    answer = pb.AdjustmentResponse(adjustment=WAITS, balance=points_pb2.Balance(currency="points", available=7))
    answer.adjustment.MergeFrom(decided)
    answer.repeated_call = True
    points.says(DecideAdjustment=answer)
    wish = {"key": "k", "adjustmentId": "adj_1", "approve": approve}
    shown = (await points.ask(DECIDE, input=wish))["decideAdjustment"]
    assert shown == {
        "adjustment": shown_waiting()
        | {
            "state": "BOOKED" if approve else "REJECTED",
            "reason": "a mistake",
            "decidedBy": "staff:bo",
            "decidedAt": "2026-03-01T04:00:00.000Z",
        },
        "balance": {"currency": "POINTS", "available": 7},
        "repeatedCall": True,
        "userErrors": [],
    }
    assert points.heard() == pb.DecideAdjustmentRequest(key="k", adjustment_id="adj_1", approve=approve)


@pytest.mark.parametrize("frozen", [True, False])
async def test_an_account_is_frozen_and_unfrozen(points: PointsDesk, *, frozen: bool) -> None:
    points.says(FreezeAccount=pb.FreezeAccountResponse(frozen=frozen, repeated_call=True))
    wish = {"key": "k", "memberId": "mem_1", "frozen": frozen, "reason": "stolen card"}
    shown = (await points.ask(FREEZE, input=wish))["freezeAccount"]
    assert shown == {"frozen": frozen, "member": {"id": "mem_1"}, "repeatedCall": True, "userErrors": []}
    wanted = pb.FreezeAccountRequest(key="k", member_id="mem_1", frozen=frozen, reason="stolen card")
    assert points.heard() == wanted


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("adjustPoints", "INVALID_ADJUSTMENT MEMBER_NOT_FOUND INSUFFICIENT_POINTS"),
        ("decideAdjustment", "ADJUSTMENT_NOT_FOUND ADJUSTMENT_DECIDED SAME_PERSON INSUFFICIENT_POINTS"),
        ("freezeAccount", "INVALID_ADJUSTMENT MEMBER_NOT_FOUND"),
    ],
)
async def test_every_refusal_is_data(points: PointsDesk, name: str, codes: str) -> None:
    text, wish = WISHES[name]
    for code in [*codes.split(), "INVALID_KEY", "KEY_REUSED"]:
        points.says(**{name[0].upper() + name[1:]: refusal(code, Kind.REFUSED, field="key")})
        shown = (await points.ask(text, input=wish))[name]
        assert shown.pop("userErrors") == [{"code": code, "field": "key", "message": f"It is {code}."}]
        assert not any(shown.values())


async def test_adjustments_that_wait_are_listed(points: PointsDesk) -> None:
    points.says(
        ListWaitingAdjustments=pb.ListWaitingAdjustmentsResponse(adjustments=[WAITS], end_cursor="adj_1"),
    )
    shown = await points.ask(WAITING, first=1, after="adj_0")
    node = {"id": "adj_1", "state": "WAITING", "reason": None, "decidedBy": None, "decidedAt": None}
    assert shown["waitingAdjustments"] == {
        "nodes": [node],
        "pageInfo": {"hasNextPage": True, "endCursor": "adj_1"},
    }
    assert points.heard() == pb.ListWaitingAdjustmentsRequest(page=Page(first=1, after="adj_0"))
    assert (await points.answer(WAITING, first=101))[1] == ["PAGE_SIZE"]


async def test_balances_are_brought_from_elsewhere(points: PointsDesk) -> None:
    opened = pb.OpenedBalance(
        member_id="mem_1", balance=points_pb2.Balance(currency="stamps", available=7), repeated_call=True
    )
    problem = to_proto(refusal("INVALID_ADJUSTMENT", Kind.INVALID, field="lots.0.amount"))
    points.says(
        OpenBalances=pb.OpenBalancesResponse(results=[pb.OpenResult(opened=opened), pb.OpenResult(problem=problem)])
    )
    lot = {"amount": 7, "earnedAt": "2026-03-01T04:00:00Z"}
    until = {"amount": 0, "earnedAt": "2026-03-01T04:00:00Z", "expiresAt": "2026-03-01T12:00:00+08:00"}
    wishes = [
        {"key": "opening/1", "memberId": "mem_1", "currency": "STAMPS", "lots": [lot]},
        {"key": "opening/2", "identity": {"kind": "EXTERNAL", "value": "2"}, "lots": [until]},
    ]
    shown = (await points.ask(OPEN, input={"balances": wishes}))["openBalances"]
    assert shown == {
        "userErrors": [],
        "results": [
            {
                "member": {"id": "mem_1"},
                "balance": {"currency": "STAMPS", "available": 7},
                "repeatedCall": True,
                "userErrors": [],
            },
            {
                "member": None,
                "balance": None,
                "repeatedCall": False,
                "userErrors": [{"code": "INVALID_ADJUSTMENT", "field": "balances.1.lots.0.amount"}],
            },
        ],
    }
    at = timestamp(AT)
    named = pb.OpeningBalance(key="opening/1", member_id="mem_1", currency="stamps")
    named.lots.append(pb.OpeningLot(amount=7, earned_at=at))
    external = points_pb2.BuyerIdentity(kind="external", value="2")
    known = pb.OpeningBalance(key="opening/2", identity=external, currency="points")
    known.lots.append(pb.OpeningLot(earned_at=at, expires_at=at))
    assert points.heard() == pb.OpenBalancesRequest(balances=[named, known])
    assert points.channel.options == [{"principal": STAFF, "timeout_s": 20.0, "idempotent": True}]


@pytest.mark.parametrize("code", ["TOO_MANY", "MEMBER_NOT_FOUND", "INVALID_KEY", "KEY_REUSED"])
async def test_openings_can_be_refused_as_a_whole(points: PointsDesk, code: str) -> None:
    points.says(OpenBalances=refusal(code, Kind.INVALID))
    shown = (await points.ask(OPEN, input={"balances": []}))["openBalances"]
    assert shown == {"userErrors": [{"code": code}], "results": []}
