"""Purchases and receipts in the graph, over a service that answers from memory."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from protos.common.v1.money_pb2 import Money
from protos.points.v1 import points_pb2 as pb
from services.kit.errors import Kind
from services.kit.graph import timestamp
from services.kit.principal import Caller
from services.kit.rpc.problems import to_proto
from tests.support.points_desk import STAFF, PointsDesk, refusal

PAID_AT = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
WISH = {
    "storeId": "sto_1",
    "receiptNumber": "R-1",
    "occurredAt": "2026-03-01T12:00:00+08:00",
    "currency": "CNY",
    "lines": [{"itemCode": "noodles", "quantity": 2, "grossMinor": 6400}],
}
FIELDS = """
  id storeId receiptNumber memberId member { id } occurredAt bookedAt tillId staffId channel paymentKind partySize
  lines { itemCode category quantity grossMinor discountMinor costMinor }
  paid { amountMinor currency } tax { amountMinor currency } tip { amountMinor currency }
  points breakdown { rule programVersion currency points } balanceAfter levelBefore levelAfter
  couponIds holdIds redeemed { holdId currency amount debt } unknownHoldIds
"""
RECORD = f"""mutation ($input: RecordPurchaseInput!) {{ recordPurchase(input: $input) {{
  repeatedCall member {{ id }} purchase {{ {FIELDS} }} userErrors {{ code field message }} }} }}"""
RECORD_MANY = """mutation ($input: RecordPurchasesInput!) { recordPurchases(input: $input) {
  userErrors { code } results { repeatedCall purchase { id } userErrors { code field message } } } }"""
RECEIPT = """query ($number: String!) { receipt(storeId: "sto_1", receiptNumber: $number) {
  purchase { id receiptNumber lines { costMinor } } refunds { id } } }"""


def plain(**fields: str) -> pb.BookedPurchase:
    """Return a receipt that says no more than it must."""
    purchase = pb.Purchase(
        store_id="sto_1",
        receipt_number="R-1",
        member_id=fields.get("member_id", "mem_1"),
        occurred_at=timestamp(PAID_AT),
        currency="CNY",
        lines=[pb.Line(item_code="noodles", quantity=2, gross_minor=6_400)],
    )
    return pb.BookedPurchase(
        id="pur_1", purchase=purchase, booked_at=timestamp(PAID_AT), paid=Money(amount_minor=6_400, currency="CNY")
    )


def full() -> pb.BookedPurchase:
    booked = pb.BookedPurchase(
        points=120,
        breakdown=[
            pb.EarnedPart(rule="base", program_version=3, points=120, currency="points"),
            pb.EarnedPart(rule="stamp", program_version=3, points=2, currency="stamps"),
        ],
        balance_points=500,
        level_before="basic",
        level_after="silver",
        redeemed=[pb.Redeemed(hold_id="hold_1", currency="points", amount=50, debt=10)],
        unknown_hold_ids=["hold_2"],
    )
    booked.MergeFrom(plain())
    booked.purchase.MergeFrom(
        pb.Purchase(
            till_id="till 1",
            staff_id="anna",
            channel=pb.SALE_CHANNEL_TAKEAWAY,
            payment=pb.Payment(kind="wechat"),
            party_size=4,
            tax_minor=300,
            tip_minor=200,
            coupon_ids=["cpn_1"],
            hold_ids=["hold_1", "hold_2"],
        )
    )
    booked.purchase.lines[0].MergeFrom(pb.Line(category="mains", discount_minor=400, cost_minor=2_000))
    return booked


async def test_everything_that_a_receipt_says_arrives(points: PointsDesk) -> None:
    points.says(RecordPurchase=pb.RecordPurchaseResponse(booked=plain()))
    line = {
        "itemCode": "noodles",
        "quantity": 2,
        "grossMinor": 6400,
        "discountMinor": 400,
        "category": "mains",
        "costMinor": 2000,
    }
    wish = WISH | {
        "lines": [line],
        "tillId": "till 1",
        "staffId": "anna",
        "channel": "DINE_IN",
        "payment": {"kind": "wechat", "payerId": "openid-1"},
        "partySize": 4,
        "taxMinor": 300,
        "tipMinor": 200,
        "couponIds": ["cpn_1"],
        "holdIds": ["hold_1", "hold_2"],
    }
    await points.ask(RECORD, input=wish)
    request = points.heard()
    assert request.purchase.WhichOneof("buyer") is None
    assert request == pb.RecordPurchaseRequest(
        purchase=pb.Purchase(
            store_id="sto_1",
            receipt_number="R-1",
            occurred_at=timestamp(PAID_AT),
            currency="CNY",
            lines=[
                pb.Line(
                    item_code="noodles",
                    quantity=2,
                    gross_minor=6_400,
                    discount_minor=400,
                    category="mains",
                    cost_minor=2_000,
                )
            ],
            till_id="till 1",
            staff_id="anna",
            channel=pb.SALE_CHANNEL_DINE_IN,
            payment=pb.Payment(kind="wechat", payer_id="openid-1"),
            party_size=4,
            tax_minor=300,
            tip_minor=200,
            coupon_ids=["cpn_1"],
            hold_ids=["hold_1", "hold_2"],
        )
    )


@pytest.mark.parametrize(
    ("buyer", "arrives"),
    [
        ({"memberId": "mem_1"}, pb.Purchase(member_id="mem_1")),
        (
            {"identity": {"kind": "PHONE", "value": "+86"}},
            pb.Purchase(identity=pb.BuyerIdentity(kind="phone", value="+86")),
        ),
        ({"payment": {"kind": "cash"}}, pb.Purchase(payment=pb.Payment(kind="cash"))),
        ({}, pb.Purchase()),
    ],
)
async def test_who_bought_is_told_in_one_of_three_ways(
    points: PointsDesk, buyer: dict[str, object], arrives: pb.Purchase
) -> None:
    points.says(RecordPurchase=pb.RecordPurchaseResponse(booked=plain()))
    await points.ask(RECORD, input=WISH | buyer)
    heard = points.heard().purchase
    assert heard.WhichOneof("buyer") == arrives.WhichOneof("buyer")
    assert (heard.member_id, heard.identity, heard.payment) == (arrives.member_id, arrives.identity, arrives.payment)


async def test_everything_that_was_booked_is_shown(points: PointsDesk) -> None:
    points.says(RecordPurchase=pb.RecordPurchaseResponse(booked=full(), repeated_call=True))
    shown = (await points.ask(RECORD, input=WISH))["recordPurchase"]
    assert (shown["repeatedCall"], shown["member"], shown["userErrors"]) == (True, {"id": "mem_1"}, [])
    assert shown["purchase"] == {
        "id": "pur_1",
        "storeId": "sto_1",
        "receiptNumber": "R-1",
        "memberId": "mem_1",
        "member": {"id": "mem_1"},
        "occurredAt": "2026-03-01T04:00:00.000Z",
        "bookedAt": "2026-03-01T04:00:00.000Z",
        "tillId": "till 1",
        "staffId": "anna",
        "channel": "TAKEAWAY",
        "paymentKind": "wechat",
        "partySize": 4,
        "lines": [
            {
                "itemCode": "noodles",
                "category": "mains",
                "quantity": 2,
                "grossMinor": 6_400,
                "discountMinor": 400,
                "costMinor": 2_000,
            }
        ],
        "paid": {"amountMinor": 6_400, "currency": "CNY"},
        "tax": {"amountMinor": 300, "currency": "CNY"},
        "tip": {"amountMinor": 200, "currency": "CNY"},
        "points": 120,
        "breakdown": [
            {"rule": "base", "programVersion": 3, "currency": "POINTS", "points": 120},
            {"rule": "stamp", "programVersion": 3, "currency": "STAMPS", "points": 2},
        ],
        "balanceAfter": 500,
        "levelBefore": "basic",
        "levelAfter": "silver",
        "couponIds": ["cpn_1"],
        "holdIds": ["hold_1", "hold_2"],
        "redeemed": [{"holdId": "hold_1", "currency": "POINTS", "amount": 50, "debt": 10}],
        "unknownHoldIds": ["hold_2"],
    }


async def test_what_was_not_said_is_null_and_a_payer_is_nobody_yet(points: PointsDesk) -> None:
    points.says(RecordPurchase=pb.RecordPurchaseResponse(booked=plain(member_id="pay_0f")))
    payload = (await points.ask(RECORD, input=WISH))["recordPurchase"]
    shown = payload["purchase"]
    assert (payload["member"], shown["member"], shown["memberId"]) == (None, None, "pay_0f")
    absent = ("tillId", "staffId", "channel", "paymentKind", "partySize")
    assert [shown[name] for name in absent] == [None] * 5
    assert (shown["lines"][0]["category"], shown["lines"][0]["costMinor"]) == (None, None)
    assert (shown["tax"], shown["redeemed"]) == ({"amountMinor": 0, "currency": "CNY"}, [])


async def test_a_refusal_is_data(points: PointsDesk) -> None:
    points.says(RecordPurchase=refusal("RECEIPT_REUSED", Kind.CONFLICT, field="receiptNumber"))
    shown = (await points.ask(RECORD, input=WISH))["recordPurchase"]
    assert shown == {
        "repeatedCall": False,
        "member": None,
        "purchase": None,
        "userErrors": [{"code": "RECEIPT_REUSED", "field": "receiptNumber", "message": "It is RECEIPT_REUSED."}],
    }


async def test_each_of_many_has_its_own_answer_and_the_call_a_minute(points: PointsDesk) -> None:
    bad = pb.RecordResult(problem=to_proto(refusal("MEMBER_NOT_FOUND", Kind.NOT_FOUND, field="memberId")))
    good = pb.RecordResult(recorded=pb.RecordPurchaseResponse(booked=plain(), repeated_call=True))
    points.says(RecordPurchases=pb.RecordPurchasesResponse(results=[good, bad]))
    wishes = [WISH | {"receiptNumber": f"R-{number}"} for number in range(2)]
    shown = (await points.ask(RECORD_MANY, input={"purchases": wishes}))["recordPurchases"]
    assert shown["userErrors"] == []
    assert shown["results"] == [
        {"repeatedCall": True, "purchase": {"id": "pur_1"}, "userErrors": []},
        {
            "repeatedCall": False,
            "purchase": None,
            "userErrors": [
                {"code": "MEMBER_NOT_FOUND", "field": "purchases.1.memberId", "message": "It is MEMBER_NOT_FOUND."}
            ],
        },
    ]
    assert [one.receipt_number for one in points.heard().purchases] == ["R-0", "R-1"]
    assert points.channel.options == [{"principal": STAFF, "timeout_s": 60.0, "idempotent": True}]


async def test_a_receipt_is_found_with_its_refunds(points: PointsDesk) -> None:
    refund = pb.BookedRefund(id="ref_1", state=pb.REFUND_STATE_BOOKED)
    points.says(GetReceipts=pb.GetReceiptsResponse(receipts=[pb.Receipt(booked=full(), refunds=[refund])]))
    shown = await points.ask(RECEIPT, number="R-1")
    assert shown["receipt"] == {
        "purchase": {"id": "pur_1", "receiptNumber": "R-1", "lines": [{"costMinor": 2_000}]},
        "refunds": [{"id": "ref_1"}],
    }
    wanted = pb.GetReceiptsRequest(receipts=[pb.ReceiptName(store_id="sto_1", receipt_number="R-1")])
    assert points.heard() == wanted


async def test_a_receipt_that_is_not_there_is_null(points: PointsDesk) -> None:
    points.says(GetReceipts=pb.GetReceiptsResponse(receipts=[pb.Receipt()]))
    assert await points.ask(RECEIPT, number="R-2") == {"receipt": None}


async def test_receipts_of_one_document_are_asked_for_together(points: PointsDesk) -> None:
    points.says(GetReceipts=pb.GetReceiptsResponse(receipts=[pb.Receipt(booked=plain()), pb.Receipt()]))
    text = """{ one: receipt(storeId: "s", receiptNumber: "1") { purchase { id } }
                two: receipt(storeId: "s", receiptNumber: "2") { purchase { id } } }"""
    assert await points.ask(text) == {"one": {"purchase": {"id": "pur_1"}}, "two": None}
    assert [one.receipt_number for one in points.heard().receipts] == ["1", "2"]


@pytest.mark.parametrize("kind", [Caller.MEMBER, Caller.PARTNER, Caller.TILL])
async def test_what_a_line_cost_is_for_staff(points: PointsDesk, kind: Caller) -> None:
    points.says(GetReceipts=pb.GetReceiptsResponse(receipts=[pb.Receipt(booked=full())]))
    data, errors = await points.answer(RECEIPT, by=replace(STAFF, kind=kind), number="R-1")
    assert data["receipt"]["purchase"]["lines"] == [{"costMinor": None}]
    assert errors == ["DENIED"]
