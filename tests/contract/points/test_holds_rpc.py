"""Holds, refunds and work by hand over a real connection."""

from dataclasses import replace
from datetime import timedelta

from protos.common.v1.page_pb2 import Page
from protos.points.v1 import holds_pb2, ledger_pb2
from protos.points.v1 import points_pb2 as pb
from services.kit.errors import Kind
from services.kit.timestamps import to_timestamp
from services.points.store.collections import ENTRIES, NOTES
from tests.contract.points.desk import ADA, BOSS, STAFF, TILL, Points, receipt, refund
from tests.support.clock import FixedClock


def authorise(key: str, amount: int, member: str = "mem_ada") -> holds_pb2.AuthoriseHoldRequest:
    return holds_pb2.AuthoriseHoldRequest(key=key, member_id=member, currency="points", amount=amount)


async def test_a_hold_from_authorisation_to_capture(points: Points, clock: FixedClock) -> None:
    await points.record(receipt())
    held = await points.call(points.holds.AuthoriseHold, authorise("k1", 60), TILL)
    assert (held.hold.left, held.balance.available, held.balance.held) == (60, 40, 60)
    assert held.hold.expires_at == to_timestamp(clock() + timedelta(minutes=15))
    again = await points.call(points.holds.AuthoriseHold, authorise("k1", 60), TILL)
    assert (again.repeated_call, again.hold) == (True, held.hold)
    other = await points.problem(points.holds.AuthoriseHold, authorise("k1", 61), TILL)
    assert (other.kind, other.code) == (Kind.CONFLICT, "KEY_REUSED")
    capture = holds_pb2.CaptureHoldRequest(key="k2", hold_id=held.hold.id, amount=50)
    captured = await points.call(points.holds.CaptureHold, capture, TILL)
    assert (captured.hold.state, captured.hold.captured) == (holds_pb2.HOLD_STATE_CAPTURED, 50)
    assert (captured.balance.available, captured.balance.held) == (50, 0)


async def test_a_hold_that_ran_out_is_shown_so_before_anybody_touches_it(points: Points, clock: FixedClock) -> None:
    await points.record(receipt())
    held = await points.call(points.holds.AuthoriseHold, authorise("k1", 60), TILL)
    clock.move(timedelta(minutes=15))
    shown = await points.call(points.holds.GetHolds, holds_pb2.GetHoldsRequest(hold_ids=["hold_x", held.hold.id]))
    assert [(hold.id, hold.state) for hold in shown.holds] == [
        ("", holds_pb2.HOLD_STATE_UNSPECIFIED),
        (held.hold.id, holds_pb2.HOLD_STATE_EXPIRED),
    ]
    account = await points.account("mem_ada")
    assert (account.available_points, account.balances[0].held) == (100, 0)


async def test_holds_of_another_chain_are_not_there(points: Points) -> None:
    await points.record(receipt())
    held = await points.call(points.holds.AuthoriseHold, authorise("k1", 60), TILL)
    stranger = replace(STAFF, chain="chn_2")
    request = holds_pb2.HoldRequest(key="k", hold_id=held.hold.id)
    assert (await points.problem(points.holds.VoidHold, request, stranger)).code == "HOLD_NOT_FOUND"
    assert (await points.problem(points.holds.VoidHold, request, ADA)).kind is Kind.DENIED
    assert (await points.problem(points.holds.PinHold, request, STAFF)).kind is Kind.DENIED


async def test_refunds_are_answered_each_for_itself(points: Points) -> None:
    await points.record(receipt("R1"))
    results = await points.refund(
        refund("C1", "R1", lines=[pb.RefundLine(line=1, amount_minor=2_500)]),
        refund("C2", "R1", lines=[pb.RefundLine(line=1, amount_minor=8_000)]),
        refund("C3", "R9"),
        refund("C1", "R1", lines=[pb.RefundLine(line=1, amount_minor=2_500)]),
    )
    told = [one.problem.code or one.recorded.booked.state for one in results]
    assert told == [pb.REFUND_STATE_BOOKED, "REFUND_EXCEEDS", pb.REFUND_STATE_WAITING, pb.REFUND_STATE_BOOKED]
    assert [one.recorded.repeated_call for one in results] == [False, False, False, True]
    assert (await points.account("mem_ada")).available_points == 75
    [elsewhere] = await points.refund(pb.Refund(store_id="sto_2", refund_number="C1", receipt_number="R1"))
    assert elsewhere.problem.code == "DENIED"


async def test_a_reason_is_kept_apart_from_the_journal(points: Points) -> None:
    await points.record(receipt())
    request = ledger_pb2.AdjustPointsRequest(
        key="a1", member_id="mem_ada", currency="points", amount=30, reason="Mr Li's soup was cold"
    )
    adjusted = await points.call(points.ledger.AdjustPoints, request)
    assert (adjusted.adjustment.reason, adjusted.balance.available) == ("Mr Li's soup was cold", 130)
    journal = await points.database.collection(ENTRIES).find({"chain": "chn_1"}).to_list(None)
    assert "soup" not in repr(journal)
    await points.database.collection(NOTES).delete_many({"chain": "chn_1", "account": "mem_ada"})
    assert (await points.call(points.ledger.AdjustPoints, request)).adjustment.reason == ""


async def test_a_large_adjustment_waits_for_a_second_person(points: Points) -> None:
    request = ledger_pb2.AdjustPointsRequest(
        key="a1", member_id="mem_bob", currency="points", amount=10_001, reason="compensation"
    )
    waiting = (await points.call(points.ledger.AdjustPoints, request)).adjustment
    assert (waiting.state, waiting.asked_by) == (ledger_pb2.ADJUSTMENT_STATE_WAITING, "staff:key_2")
    listed = await points.call(points.ledger.ListWaitingAdjustments, ledger_pb2.ListWaitingAdjustmentsRequest())
    assert [one.id for one in listed.adjustments] == [waiting.id]
    decide = ledger_pb2.DecideAdjustmentRequest(key="d1", adjustment_id=waiting.id, approve=True)
    assert (await points.problem(points.ledger.DecideAdjustment, decide)).code == "SAME_PERSON"
    decided = await points.call(points.ledger.DecideAdjustment, decide, BOSS)
    assert (decided.balance.available, decided.adjustment.decided_by) == (10_001, "staff:key_3")


async def test_balances_from_another_system(points: Points, clock: FixedClock) -> None:
    lots = [
        ledger_pb2.OpeningLot(
            amount=20,
            earned_at=to_timestamp(clock() - timedelta(days=9)),
            expires_at=to_timestamp(clock() + timedelta(days=1)),
        ),
        ledger_pb2.OpeningLot(amount=30, earned_at=to_timestamp(clock() - timedelta(days=3))),
    ]
    request = ledger_pb2.OpenBalancesRequest(
        balances=[
            ledger_pb2.OpeningBalance(key="opening/1", member_id="mem_bob", currency="points", lots=lots),
            ledger_pb2.OpeningBalance(key="opening/2", member_id="mem_nobody", currency="points", lots=lots),
            ledger_pb2.OpeningBalance(key="opening/3", member_id="mem_bob", currency="miles", lots=lots),
        ]
    )
    answer = await points.call(points.ledger.OpenBalances, request)
    told = [one.problem.code or one.opened.balance.available for one in answer.results]
    assert told == [50, "MEMBER_NOT_FOUND", "INVALID_CURRENCY"]
    account = await points.account("mem_bob")
    assert [(one.amount, one.expires_at) for one in account.next_expiries] == [(20, lots[0].expires_at)]
    clock.move(timedelta(days=1))
    assert (await points.account("mem_bob")).available_points == 30
    again = await points.call(points.ledger.OpenBalances, request)
    assert again.results[0].opened.repeated_call


async def test_a_frozen_account_is_shown_so(points: Points) -> None:
    await points.record(receipt())
    request = ledger_pb2.FreezeAccountRequest(key="f1", member_id="mem_ada", frozen=True, reason="under review")
    assert (await points.call(points.ledger.FreezeAccount, request)).frozen
    assert (await points.account("mem_ada")).frozen
    refused = await points.problem(points.holds.AuthoriseHold, authorise("k1", 1), TILL)
    assert (refused.kind, refused.code) == (Kind.REFUSED, "ACCOUNT_FROZEN")


async def test_no_page_is_smaller_than_one_or_larger_than_a_hundred(points: Points) -> None:
    for first in (-1, 101):
        page = Page(first=first)
        for method, request in (
            (points.ledger.ListWaitingAdjustments, ledger_pb2.ListWaitingAdjustmentsRequest(page=page)),
            (points.ledger.ListSeals, ledger_pb2.ListSealsRequest(page=page)),
            (points.stub.ListWaitingRefunds, pb.ListWaitingRefundsRequest(page=page)),
        ):
            refused = await points.problem(method, request)
            assert (refused.code, refused.field) == ("TOO_MANY", "first")
