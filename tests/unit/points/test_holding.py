"""Holds, and what users of other systems complain about."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.kit.errors import KeyReusedError
from services.points.domain.accounts import AccountFrozenError, InsufficientPointsError
from services.points.domain.commands import Capture, Extend, Freeze, Pin, Reverse, Void
from services.points.domain.holds import (
    HoldClosedError,
    HoldExceededError,
    HoldPaidError,
    HoldState,
    InvalidHoldError,
    NoHoldError,
)
from services.points.domain.journal import Note
from services.points.domain.programs import Programs
from tests.support.paper_ledger import PaperLedger
from tests.support.programs import program_with
from tests.unit.points.receipts import (
    NOON,
    authorise,
    capture,
    command,
    keyed,
    one,
    posted,
    purchase,
    recorded,
    refund,
)

NOTE = Note(bytes(32), "suspicious")


def of_100(*, expires_days: int = 0) -> PaperLedger:
    """Return a ledger in which Ada has 100 points."""
    program = program_with(expires_days=expires_days)
    ledger = PaperLedger(Programs((program,)))
    one(ledger, command(purchase("R1")))
    return ledger


def balances(ledger: PaperLedger) -> tuple[int, int]:
    """Return what is available and what is held."""
    found = ledger.books.accounts["chn_1", "mem_ada"].balance("points")
    return found.available, found.held


def test_what_is_held_is_nobody_elses_and_consumed_only_when_captured() -> None:
    ledger = of_100()
    held = posted(one(ledger, authorise("h1", 60)))
    assert (balances(ledger), held.hold and held.hold.left) == ((40, 60), 60)
    with pytest.raises(InsufficientPointsError, match="There are 40 points to spend, not 41"):
        one(ledger, authorise("h2", 41))
    assert balances(ledger) == (40, 60)
    one(ledger, capture("h1"))
    assert balances(ledger) == (40, 0)


def test_a_part_is_captured_and_the_rest_goes_back() -> None:
    ledger = of_100()
    one(ledger, authorise("h1", 60))
    hold = posted(one(ledger, capture("h1", 25))).hold
    assert hold is not None
    assert (hold.state, hold.captured, hold.left, balances(ledger)) == (HoldState.CAPTURED, 25, 0, (75, 0))


def test_a_part_is_captured_and_the_rest_is_kept_for_the_next() -> None:
    ledger = of_100()
    one(ledger, authorise("h1", 60))
    one(ledger, Capture(**keyed("first"), hold="hold_h1", amount=25, keep_rest=True))
    assert balances(ledger) == (40, 35)
    with pytest.raises(HoldExceededError, match="has 35 left, not 36"):
        one(ledger, capture("h1", 36))
    one(ledger, capture("h1", 35))
    assert balances(ledger) == (40, 0)


def test_lots_are_consumed_nearest_expiry_first_and_return_to_where_they_were() -> None:
    ledger = of_100(expires_days=30)
    one(ledger, command(purchase("R2", paid_minor=5_000, day=-5)))
    lots = ledger.books.lots["chn_1", "mem_ada"]
    one(ledger, authorise("h1", 70, day=1))
    assert (lots["pur_R2/points"].free, lots["pur_R1/points"].free) == (0, 80)
    one(ledger, Void(**keyed("void", day=1), hold="hold_h1"))
    assert (lots["pur_R2/points"].free, lots["pur_R1/points"].free) == (50, 100)
    assert lots["pur_R2/points"].expires_at == datetime(2026, 3, 27, tzinfo=UTC)


def test_a_hold_runs_out_and_its_points_come_back() -> None:
    ledger = of_100()
    one(ledger, authorise("h1", 60, days=1))
    one(ledger, authorise("h2", 100, day=1))  # at the very moment
    assert ledger.books.holds["chn_1", "mem_ada"]["hold_h1"].state is HoldState.EXPIRED
    with pytest.raises(HoldClosedError, match="is expired already, with 0 of 60 captured"):
        one(ledger, capture("h1", day=1))


def test_held_points_outlive_their_expiry_and_go_when_the_hold_does() -> None:
    ledger = of_100(expires_days=3)
    one(ledger, authorise("h1", 60, day=2, days=10))
    one(ledger, authorise("none", 1, day=2))
    one(ledger, Void(**keyed("rest", day=2), hold="hold_none"))
    one(ledger, capture("h1", 20, day=5))
    assert balances(ledger) == (0, 0)
    kinds = [entry.kind.value for entry in ledger.entries]
    assert kinds[-4:] == ["expiry", "redemption", "hold_voided", "expiry"]


def test_a_pinned_hold_does_not_run_out() -> None:
    ledger = of_100()
    one(ledger, authorise("h1", 60, days=1))
    one(ledger, Pin(**keyed("pin"), hold="hold_h1"))
    one(ledger, capture("h1", day=20))
    assert balances(ledger) == (40, 0)


def test_a_hold_is_extended_and_never_shortened() -> None:
    ledger = of_100()
    one(ledger, authorise("h1", 60, days=1))
    one(ledger, Extend(**keyed("longer"), hold="hold_h1", expires_at=NOON + timedelta(days=9)))
    with pytest.raises(InvalidHoldError, match="it runs until 2026-03-10"):
        one(ledger, Extend(**keyed("shorter"), hold="hold_h1", expires_at=NOON + timedelta(days=2)))
    one(ledger, capture("h1", day=8))
    assert balances(ledger) == (40, 0)


@pytest.mark.parametrize("days", [0, 30.1])
def test_a_hold_ends_within_thirty_days(days: float) -> None:
    with pytest.raises(InvalidHoldError):
        one(of_100(), authorise("h1", 60, days=days))


def test_there_is_no_hold_of_that_name() -> None:
    with pytest.raises(NoHoldError):
        one(of_100(), capture("nothing"))


def test_a_tills_time_out_does_not_burn_the_hold_while_the_order_fails() -> None:
    ledger = of_100()
    one(ledger, authorise("h1", 60))
    one(ledger, capture("h1"))  # the till never saw the answer, and the order failed
    reversed_ = posted(one(ledger, Reverse(**keyed("order failed"), hold="hold_h1")))
    assert balances(ledger) == (100, 0)
    again = posted(one(ledger, Reverse(**keyed("order failed"), hold="hold_h1")))
    assert (again.repeated_call, again.hold) == (True, reversed_.hold)
    assert balances(ledger) == (100, 0)


def test_a_retry_under_another_request_id_does_not_pay_twice() -> None:
    ledger = of_100()
    one(ledger, authorise("h1", 60))
    one(ledger, capture("h1", key="request-1"))
    with pytest.raises(HoldClosedError, match="is captured already, with 60 of 60 captured"):
        one(ledger, capture("h1", key="request-2"))
    assert balances(ledger) == (40, 0)
    paid = command(purchase("R2", paid_minor=100, holds=("hold_h1",)))
    assert [each.amount for each in recorded(one(ledger, paid)).booked.redeemed] == [60]
    assert balances(ledger) == (41, 0)


def test_what_paid_a_receipt_comes_back_with_its_refund_only() -> None:
    ledger = of_100()
    one(ledger, authorise("h1", 60))
    one(ledger, command(purchase("R2", paid_minor=100, holds=("hold_h1",))))
    with pytest.raises(HoldPaidError, match="paid receipt R2"):
        one(ledger, Reverse(**keyed("undo"), hold="hold_h1"))
    one(ledger, refund("C1", "R2"))
    assert balances(ledger) == (100, 0)


def test_a_receipt_that_names_a_hold_nobody_knows_is_booked_and_says_so() -> None:
    ledger = of_100()
    booked = recorded(one(ledger, command(purchase("R2", paid_minor=100, holds=("hold_x",))))).booked
    assert (booked.points, booked.redeemed, booked.unknown_holds) == (1, (), ("hold_x",))


def test_the_same_key_for_something_else_is_refused_with_what_it_was() -> None:
    ledger = of_100()
    one(ledger, authorise("h1", 60))
    other: dict[str, Any] = {"fingerprint": b"other"}
    with pytest.raises(KeyReusedError, match="authorise of mem_ada at 2026-06-09"):
        one(ledger, replace(authorise("h1", 61), **other))


def test_a_frozen_account_earns_and_does_not_spend() -> None:
    ledger = of_100()
    one(ledger, authorise("before", 10))
    one(ledger, authorise("paying", 10))
    one(ledger, Pin(**keyed("pin"), hold="hold_paying"))
    one(ledger, Freeze(**keyed("freeze"), frozen=True, reason=NOTE))
    with pytest.raises(AccountFrozenError):
        one(ledger, authorise("h1", 1))
    with pytest.raises(AccountFrozenError):
        one(ledger, capture("before"))
    one(ledger, capture("paying"))
    one(ledger, command(purchase("R2")))
    assert balances(ledger) == (180, 10)
    one(ledger, Freeze(**keyed("unfreeze"), frozen=False, reason=NOTE))
    one(ledger, capture("before"))
    assert balances(ledger) == (180, 0)
