"""What users of other systems complain about, each as they would meet it.

A refund that keeps its points, a time-out that burns the hold, and a retry that pays twice stand in
tests/unit/points/test_refunding.py and test_holding.py; an offline till that doubles its day in test_bulk.py.
"""

import asyncio

from protos.points.v1 import holds_pb2
from protos.points.v1 import points_pb2 as pb
from tests.contract.points.desk import STAFF, TILL, Points, receipt, refund


async def test_parallel_calls_on_one_account_are_all_carried_out(points: Points) -> None:
    await points.record(receipt("R0", paid_minor=100_000))

    async def spend(number: int) -> holds_pb2.HoldResponse:
        request = holds_pb2.AuthoriseHoldRequest(key=f"h{number}", member_id="mem_ada", currency="points", amount=10)
        held: holds_pb2.HoldResponse = await points.call(points.holds.AuthoriseHold, request, TILL)
        capture = holds_pb2.CaptureHoldRequest(key=f"c{number}", hold_id=held.hold.id)
        captured: holds_pb2.HoldResponse = await points.call(points.holds.CaptureHold, capture, TILL)
        return captured

    async with asyncio.TaskGroup() as group:
        bought = [group.create_task(points.record(receipt(f"R{n}", paid_minor=100))) for n in range(1, 65)]
        spent = [group.create_task(spend(number)) for number in range(32)]
    assert {task.result().booked.points for task in bought} == {1}
    assert {task.result().hold.captured for task in spent} == {10}
    account = await points.account("mem_ada")
    assert (account.available_points, account.version) == (1_000 + 64 - 320, 1 + 64 + 64 + 1)  # and silver


async def test_points_show_at_once_to_whoever_asks(points: Points) -> None:
    await points.record(receipt(paid_minor=2_000))
    assert (await points.account("mem_ada", STAFF)).available_points == 20
    [taken] = await points.refund(refund("C1", "R1", lines=[pb.RefundLine(line=1, amount_minor=500)]))
    assert taken.recorded.booked.taken[0].taken == 5
    assert (await points.account("mem_ada", STAFF)).available_points == 15


async def test_the_same_refund_under_two_numbers_takes_no_more_than_was_given(points: Points) -> None:
    await points.record(receipt(paid_minor=2_000))
    first, second = await points.refund(refund("C1", "R1"), refund("C2", "R1"))
    assert (first.recorded.booked.refunded_minor, second.recorded.booked.refunded_minor) == (2_000, 0)
    account = await points.account("mem_ada", STAFF)
    assert (account.available_points, account.balances[0].debt) == (0, 0)
