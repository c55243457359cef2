"""Refunds and a day's comparison in the graph, over a service that answers from memory."""

from datetime import UTC, datetime

from protos.common.v1.page_pb2 import Page
from protos.points.v1 import points_pb2 as pb
from services.kit.errors import Kind
from services.kit.graph import timestamp
from services.kit.rpc.problems import to_proto
from tests.support.points_desk import STAFF, PointsDesk, refusal

AT = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
WISH = {"storeId": "sto_1", "refundNumber": "F-1", "receiptNumber": "R-1", "occurredAt": "2026-03-02T04:00:00Z"}
FIELDS = """
  id storeId refundNumber receiptStoreId receiptNumber occurredAt bookedAt state why
  lines { line quantity amountMinor } tillId staffId reason memberId member { id } purchaseId refundedMinor whole
  taken { currency taken debt short } given { holdId currency amount } couponIds
"""
RECORD = f"""mutation ($input: RecordRefundInput!) {{ recordRefund(input: $input) {{
  repeatedCall refund {{ {FIELDS} }} userErrors {{ code field message }} }} }}"""
RECORD_MANY = """mutation ($input: RecordRefundsInput!) { recordRefunds(input: $input) {
  userErrors { code } results { repeatedCall refund { id } userErrors { code field } } } }"""
WAITING = """query ($before: Instant, $first: Int! = 20, $after: String) {
  waitingRefunds(receivedBefore: $before, first: $first, after: $after) {
    nodes { id state memberId member { id } purchaseId receiptStoreId } pageInfo { hasNextPage endCursor } } }"""
RECONCILE = """query ($input: ReconcileDayInput!) { reconcileDay(input: $input) {
  matches totals { purchases paidMinor refunds refundedMinor }
  differences { number isRefund bookedMinor storeMinor } } }"""


def refund(*, receipt_store_id: str = "", till_id: str = "", staff_id: str = "", reason: str = "") -> pb.Refund:
    return pb.Refund(
        store_id="sto_1",
        refund_number="F-1",
        receipt_number="R-1",
        receipt_store_id=receipt_store_id,
        occurred_at=timestamp(AT),
        till_id=till_id,
        staff_id=staff_id,
        reason=reason,
    )


def recorded(booked: pb.BookedRefund, *, repeated_call: bool = False) -> pb.RecordRefundsResponse:
    answer = pb.RecordedRefund(booked=booked, repeated_call=repeated_call)
    return pb.RecordRefundsResponse(results=[pb.RefundResult(recorded=answer)])


def waiting() -> pb.BookedRefund:
    return pb.BookedRefund(id="ref_1", refund=refund(), booked_at=timestamp(AT), state=pb.REFUND_STATE_WAITING)


async def test_everything_that_a_refund_says_arrives(points: PointsDesk) -> None:
    points.says(RecordRefunds=recorded(waiting()))
    wish = WISH | {
        "receiptStoreId": "sto_2",
        "lines": [{"line": 1, "quantity": 2}, {"line": 2, "amountMinor": 0}],
        "tillId": "till 1",
        "staffId": "anna",
        "reason": "COLD",
    }
    await points.ask(RECORD, input=wish)
    expected = refund(receipt_store_id="sto_2", till_id="till 1", staff_id="anna", reason="COLD")
    expected.lines.extend([pb.RefundLine(line=1, quantity=2), pb.RefundLine(line=2, amount_minor=0)])
    assert points.heard() == pb.RecordRefundsRequest(refunds=[expected])
    assert points.channel.options == [{"principal": STAFF, "timeout_s": 20.0, "idempotent": True}]


async def test_a_refund_of_all_says_no_lines(points: PointsDesk) -> None:
    points.says(RecordRefunds=recorded(waiting()))
    await points.ask(RECORD, input=WISH)
    assert points.heard() == pb.RecordRefundsRequest(refunds=[refund()])


async def test_everything_that_came_of_a_refund_is_shown(points: PointsDesk) -> None:
    booked = pb.BookedRefund(
        id="ref_1",
        refund=refund(receipt_store_id="sto_2", till_id="till 1", staff_id="anna", reason="COLD"),
        booked_at=timestamp(AT),
        state=pb.REFUND_STATE_BOOKED,
        member_id="mem_1",
        purchase_id="pur_1",
        refunded_minor=3_200,
        whole=True,
        taken=[pb.TakenBack(currency="points", taken=50, debt=10, short=3)],
        given=[pb.GivenBack(hold_id="hold_1", currency="stamps", amount=5)],
        coupon_ids=["cpn_1"],
    )
    booked.refund.lines.extend([pb.RefundLine(line=1, quantity=2), pb.RefundLine(line=2, amount_minor=0)])
    points.says(RecordRefunds=recorded(booked, repeated_call=True))
    shown = (await points.ask(RECORD, input=WISH))["recordRefund"]
    assert (shown["repeatedCall"], shown["userErrors"]) == (True, [])
    assert shown["refund"] == {
        "id": "ref_1",
        "storeId": "sto_1",
        "refundNumber": "F-1",
        "receiptStoreId": "sto_2",
        "receiptNumber": "R-1",
        "occurredAt": "2026-03-02T04:00:00.000Z",
        "bookedAt": "2026-03-02T04:00:00.000Z",
        "state": "BOOKED",
        "why": None,
        "lines": [{"line": 1, "quantity": 2, "amountMinor": None}, {"line": 2, "quantity": 0, "amountMinor": 0}],
        "tillId": "till 1",
        "staffId": "anna",
        "reason": "COLD",
        "memberId": "mem_1",
        "member": {"id": "mem_1"},
        "purchaseId": "pur_1",
        "refundedMinor": 3_200,
        "whole": True,
        "taken": [{"currency": "POINTS", "taken": 50, "debt": 10, "short": 3}],
        "given": [{"holdId": "hold_1", "currency": "STAMPS", "amount": 5}],
        "couponIds": ["cpn_1"],
    }


async def test_a_refund_that_was_refused_later_says_why(points: PointsDesk) -> None:
    booked = waiting()
    booked.state, booked.why = pb.REFUND_STATE_REFUSED, "More than was bought."
    points.says(RecordRefunds=recorded(booked))
    shown = (await points.ask(RECORD, input=WISH))["recordRefund"]["refund"]
    assert (shown["state"], shown["why"]) == ("REFUSED", "More than was bought.")


async def test_a_refusal_of_one_is_data_and_names_the_field_of_its_own_input(points: PointsDesk) -> None:
    for problem in (
        refusal("REFUND_EXCEEDS", Kind.REFUSED, field="lines.0.quantity"),
        refusal("DENIED", Kind.DENIED, field="storeId"),
    ):
        result = pb.RefundResult(problem=to_proto(problem))
        points.says(RecordRefunds=pb.RecordRefundsResponse(results=[result]))
        shown = (await points.ask(RECORD, input=WISH))["recordRefund"]
        assert shown["refund"] is None
        assert shown["userErrors"] == [{"code": problem.code, "field": problem.field, "message": problem.message}]


async def test_each_of_many_has_its_own_answer(points: PointsDesk) -> None:
    bad = pb.RefundResult(problem=to_proto(refusal("REFUND_REUSED", Kind.CONFLICT, field="refundNumber")))
    [good] = recorded(waiting()).results
    points.says(RecordRefunds=pb.RecordRefundsResponse(results=[good, bad]))
    shown = (await points.ask(RECORD_MANY, input={"refunds": [WISH, WISH | {"refundNumber": "F-2"}]}))["recordRefunds"]
    assert shown == {
        "userErrors": [],
        "results": [
            {"repeatedCall": False, "refund": {"id": "ref_1"}, "userErrors": []},
            {
                "repeatedCall": False,
                "refund": None,
                "userErrors": [{"code": "REFUND_REUSED", "field": "refunds.1.refundNumber"}],
            },
        ],
    }
    assert [one.refund_number for one in points.heard().refunds] == ["F-1", "F-2"]


async def test_too_many_are_refused_as_a_whole(points: PointsDesk) -> None:
    points.says(RecordRefunds=refusal("TOO_MANY", Kind.INVALID))
    shown = (await points.ask(RECORD_MANY, input={"refunds": [WISH]}))["recordRefunds"]
    assert shown == {"userErrors": [{"code": "TOO_MANY"}], "results": []}


async def test_refunds_that_wait_are_listed(points: PointsDesk) -> None:
    points.says(ListWaitingRefunds=pb.ListWaitingRefundsResponse(refunds=[waiting()], end_cursor="next"))
    shown = await points.ask(WAITING, before="2026-03-02T12:00:00+08:00", first=1, after="last")
    node = {
        "id": "ref_1",
        "state": "WAITING",
        "memberId": None,
        "member": None,
        "purchaseId": None,
        "receiptStoreId": "sto_1",
    }
    assert shown["waitingRefunds"] == {
        "nodes": [node],
        "pageInfo": {"hasNextPage": True, "endCursor": "next"},
    }
    wanted = pb.ListWaitingRefundsRequest(received_before=timestamp(AT), page=Page(first=1, after="last"))
    assert points.heard() == wanted
    await points.ask(WAITING)
    assert points.heard() == pb.ListWaitingRefundsRequest(page=Page(first=20))
    assert (await points.answer(WAITING, first=0))[1] == ["PAGE_SIZE"]


async def test_a_day_is_compared(points: PointsDesk) -> None:
    points.says(
        ReconcileDay=pb.ReconcileDayResponse(
            matches=False,
            totals=pb.DayTotals(purchases=2, paid_minor=300, refunds=1, refunded_minor=50),
            differences=[
                pb.DayDifference(number="R-1", store_minor=0),
                pb.DayDifference(number="F-1", is_refund=True, booked_minor=50, store_minor=40),
                pb.DayDifference(number="R-2", booked_minor=0),
            ],
        )
    )
    totals = {"purchases": 3, "paidMinor": 400, "refunds": 2, "refundedMinor": 90}
    items = [{"number": "R-1", "amountMinor": 0}, {"number": "F-1", "amountMinor": 40, "isRefund": True}]
    wish = {"storeId": "sto_1", "day": "2026-03-01", "totals": totals, "items": items}
    shown = (await points.ask(RECONCILE, input=wish))["reconcileDay"]
    assert shown == {
        "matches": False,
        "totals": {"purchases": 2, "paidMinor": 300, "refunds": 1, "refundedMinor": 50},
        "differences": [
            {"number": "R-1", "isRefund": False, "bookedMinor": None, "storeMinor": 0},
            {"number": "F-1", "isRefund": True, "bookedMinor": 50, "storeMinor": 40},
            {"number": "R-2", "isRefund": False, "bookedMinor": 0, "storeMinor": None},
        ],
    }
    assert points.heard() == pb.ReconcileDayRequest(
        store_id="sto_1",
        day="2026-03-01",
        totals=pb.DayTotals(purchases=3, paid_minor=400, refunds=2, refunded_minor=90),
        items=[pb.DayItem(number="R-1"), pb.DayItem(number="F-1", is_refund=True, amount_minor=40)],
    )


async def test_a_day_without_items_is_compared_by_its_totals(points: PointsDesk) -> None:
    points.says(ReconcileDay=pb.ReconcileDayResponse(matches=True))
    wish = {"storeId": "sto_1", "day": "2026-03-01", "totals": {"purchases": 0, "paidMinor": 0}}
    assert (await points.ask(RECONCILE, input=wish))["reconcileDay"]["matches"] is True
    assert points.heard() == pb.ReconcileDayRequest(store_id="sto_1", day="2026-03-01", totals=pb.DayTotals())
