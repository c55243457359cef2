"""Holds in the graph, over a service that answers from memory."""

from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf.message import Message

from protos.points.v1 import holds_pb2 as pb
from protos.points.v1 import points_pb2
from services.kit.errors import Kind
from services.kit.graph import timestamp
from tests.support.points_desk import PointsDesk, refusal

UNTIL = datetime(2026, 3, 1, 4, 15, tzinfo=UTC)
HOLD = pb.Hold(
    id="hold_1",
    member_id="mem_1",
    currency="points",
    amount=100,
    captured=30,
    left=70,
    state=pb.HOLD_STATE_OPEN,
    expires_at=timestamp(UNTIL),
    pinned=True,
    reference="order 7",
)
FIELDS = "id memberId member { id } currency amount captured left state expiresAt pinned reference"
SHOWN = {
    "id": "hold_1",
    "memberId": "mem_1",
    "member": {"id": "mem_1"},
    "currency": "POINTS",
    "amount": 100,
    "captured": 30,
    "left": 70,
    "state": "OPEN",
    "expiresAt": "2026-03-01T04:15:00.000Z",
    "pinned": True,
    "reference": "order 7",
}
ANSWER = pb.HoldResponse(
    hold=HOLD,
    balance=points_pb2.Balance(currency="points", available=5, pending=4, held=3, debt=2, lifetime=1),
    repeated_call=True,
)
NAMED: dict[str, Any] = {"key": "order 7/1", "holdId": "hold_1"}
CASES: list[tuple[str, dict[str, Any], Message]] = [
    (
        "authoriseHold",
        {"key": "order 7", "memberId": "mem_1", "amount": 100},
        pb.AuthoriseHoldRequest(key="order 7", member_id="mem_1", currency="points", amount=100),
    ),
    (
        "authoriseHold",
        {
            "key": "order 7",
            "memberId": "mem_1",
            "amount": 5_000_000_000,
            "currency": "STAMPS",
            "expiresAt": "2026-03-01T12:15:00+08:00",
            "reference": "order 7",
        },
        pb.AuthoriseHoldRequest(
            key="order 7",
            member_id="mem_1",
            currency="stamps",
            amount=5_000_000_000,
            expires_at=timestamp(UNTIL),
            reference="order 7",
        ),
    ),
    ("captureHold", NAMED, pb.CaptureHoldRequest(key="order 7/1", hold_id="hold_1")),
    (
        "captureHold",
        NAMED | {"amount": 30, "keepRest": True},
        pb.CaptureHoldRequest(key="order 7/1", hold_id="hold_1", amount=30, keep_rest=True),
    ),
    ("voidHold", NAMED, pb.HoldRequest(key="order 7/1", hold_id="hold_1")),
    ("reverseHold", NAMED, pb.HoldRequest(key="order 7/1", hold_id="hold_1")),
    (
        "extendHold",
        NAMED | {"expiresAt": "2026-03-01T04:15:00Z"},
        pb.ExtendHoldRequest(key="order 7/1", hold_id="hold_1", expires_at=timestamp(UNTIL)),
    ),
]


def method_of(name: str) -> str:
    return name[0].upper() + name[1:]


def document_of(name: str) -> str:
    return f"""mutation ($input: {method_of(name)}Input!) {{ {name}(input: $input) {{
      hold {{ {FIELDS} }} balance {{ currency available pending held debt lifetime }}
      repeatedCall userErrors {{ code field message }} }} }}"""


@pytest.mark.parametrize(("name", "wish", "request_"), CASES)
async def test_what_is_told_arrives_and_the_answer_is_shown(
    points: PointsDesk, name: str, wish: dict[str, Any], request_: Message
) -> None:
    points.says(**{method_of(name): ANSWER})
    shown = (await points.ask(document_of(name), input=wish))[name]
    assert [method for method, _ in points.desk.asked] == [method_of(name)]
    assert points.heard() == request_
    assert shown == {
        "hold": SHOWN,
        "balance": {"currency": "POINTS", "available": 5, "pending": 4, "held": 3, "debt": 2, "lifetime": 1},
        "repeatedCall": True,
        "userErrors": [],
    }


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("authoriseHold", "INVALID_HOLD MEMBER_NOT_FOUND ACCOUNT_FROZEN INSUFFICIENT_POINTS"),
        ("captureHold", "INVALID_HOLD HOLD_NOT_FOUND HOLD_CLOSED HOLD_EXCEEDED ACCOUNT_FROZEN"),
        ("voidHold", "HOLD_NOT_FOUND HOLD_CLOSED"),
        ("reverseHold", "HOLD_NOT_FOUND HOLD_CLOSED HOLD_PAID"),
        ("extendHold", "INVALID_HOLD HOLD_NOT_FOUND HOLD_CLOSED"),
    ],
)
async def test_every_refusal_is_data(points: PointsDesk, name: str, codes: str) -> None:
    wish = next(wish for other, wish, _ in CASES if other == name)
    for code in [*codes.split(), "INVALID_KEY", "KEY_REUSED"]:
        points.says(**{method_of(name): refusal(code, Kind.REFUSED, field="holdId")})
        shown = (await points.ask(document_of(name), input=wish))[name]
        assert shown == {
            "hold": None,
            "balance": None,
            "repeatedCall": False,
            "userErrors": [{"code": code, "field": "holdId", "message": f"It is {code}."}],
        }


async def test_nothing_is_not_all(points: PointsDesk) -> None:
    shown = (await points.ask(document_of("captureHold"), input=NAMED | {"amount": 0}))["captureHold"]
    assert points.desk.asked == []
    assert [(one["code"], one["field"]) for one in shown["userErrors"]] == [("INVALID_HOLD", "amount")]


@pytest.mark.parametrize("state", ["OPEN", "CAPTURED", "VOIDED", "EXPIRED", "REVERSED"])
async def test_holds_are_found_together(points: PointsDesk, state: str) -> None:
    found = pb.Hold(id="hold_2", state=pb.HoldState.Value(f"HOLD_STATE_{state}"), currency="stamps")
    points.says(GetHolds=pb.GetHoldsResponse(holds=[HOLD, pb.Hold(), found]))
    text = f"""{{ one: hold(id: "hold_1") {{ {FIELDS} }} none: hold(id: "hold_0") {{ id }}
                 two: hold(id: "hold_2") {{ state currency reference }} }}"""
    shown = await points.ask(text)
    assert shown == {"one": SHOWN, "none": None, "two": {"state": state, "currency": "STAMPS", "reference": None}}
    assert points.heard() == pb.GetHoldsRequest(hold_ids=["hold_1", "hold_0", "hold_2"])
