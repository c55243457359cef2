from datetime import UTC, datetime, timedelta

import pytest

from services.points.domain.facts import RefundBooked
from services.points.domain.programs import Programs, TakeBack
from services.points.domain.purchases import Line
from services.points.domain.refunds import (
    BookedRefund,
    GivenBack,
    RefundExceedsError,
    RefundLine,
    RefundReusedError,
    RefundState,
    TakenBack,
    TooManyRefundsError,
)
from tests.support.paper_ledger import PaperLedger
from tests.support.programs import program_with
from tests.unit.points.receipts import (
    NOON,
    author,
    authorise,
    capture,
    command,
    one,
    purchase,
    recorded,
    refund,
    refunded,
)

TWO_LINES = (Line("noodles", 2, 6_000), Line("tea", 1, 4_000, discount_minor=1_000))


def balances(ledger: PaperLedger, member: str = "mem_ada") -> tuple[int, int, int]:
    """Return what is available, owed, and earned in the member's life."""
    found = ledger.books.accounts["chn_1", member].balance("points")
    return found.available, found.debt, found.lifetime


def policy(take_back: TakeBack, *, pending_days: int = 0) -> PaperLedger:
    program = program_with(take_back=take_back, pending_days=pending_days)
    return PaperLedger(Programs((program,)))


def done(ledger: PaperLedger, number: str, of: str = "R1", *lines: RefundLine, day: int = 0) -> BookedRefund:
    return refunded(one(ledger, refund(number, of, *lines, day=day))).booked


def test_a_refund_does_not_leave_the_points_it_was_earned_with() -> None:
    ledger = PaperLedger()
    one(ledger, command(purchase("R1")))
    whole = done(ledger, "C1")
    assert (whole.state, whole.whole, whole.refunded_minor) == (RefundState.BOOKED, True, 10_000)
    assert whole.taken == (TakenBack("points", 100, 0, 0),)
    assert balances(ledger) == (0, 0, 0)
    assert ledger.books.accounts["chn_1", "mem_ada"].spend_minor == 0


def test_a_line_takes_back_what_the_kept_lines_do_not_earn() -> None:
    ledger = PaperLedger()
    one(ledger, command(purchase("R1", lines=TWO_LINES)))
    first = done(ledger, "C1", "R1", RefundLine(1, quantity=1))
    second = done(ledger, "C2", "R1", RefundLine(2, amount_minor=50))
    rest = done(ledger, "C3")
    assert [each.refunded_minor for each in (first, second, rest)] == [3_000, 50, 5_950]
    assert [sum(taken.taken for taken in each.taken) for each in (first, second, rest)] == [30, 1, 59]
    assert (first.whole, rest.whole) == (False, True)
    assert balances(ledger) == (0, 0, 0)


def test_pieces_in_thirds_sum_to_the_whole() -> None:
    ledger = PaperLedger()
    one(ledger, command(purchase("R1", lines=(Line("tea", 3, 1_000),))))
    parts = [done(ledger, f"C{n}", "R1", RefundLine(1, quantity=1)).refunded_minor for n in range(3)]
    assert parts == [333, 333, 334]


def test_refunds_that_come_before_their_purchase_wait_for_it() -> None:
    ledger = PaperLedger()
    early = done(ledger, "C1", "R1", RefundLine(1, quantity=1), day=1)
    assert (early.state, early.member) == (RefundState.WAITING, "")
    assert ledger.entries == []
    booked = recorded(one(ledger, command(purchase("R1", lines=TWO_LINES)))).booked
    assert booked.points == 90
    assert balances(ledger) == (60, 0, 60)
    again = refunded(one(ledger, refund("C1", "R1", RefundLine(1, quantity=1), day=1)))
    assert (again.repeated_call, again.booked.state, again.booked.refunded_minor) == (True, RefundState.BOOKED, 3_000)


def test_one_that_waited_and_does_not_fit_is_told_and_the_sale_stands() -> None:
    ledger = PaperLedger()
    done(ledger, "C1", "R1", RefundLine(1, amount_minor=99_999))
    assert recorded(one(ledger, command(purchase("R1")))).booked.points == 100
    refused = refunded(one(ledger, refund("C1", "R1", RefundLine(1, amount_minor=99_999)))).booked
    assert (refused.state, refused.member) == (RefundState.REFUSED, "mem_ada")
    assert "has 10000 (minor units)" in refused.why
    assert [event.booked.state for event in ledger.told if isinstance(event, RefundBooked)] == [RefundState.REFUSED]
    assert balances(ledger) == (100, 0, 100)


@pytest.mark.parametrize(
    "line",
    [RefundLine(1, quantity=3), RefundLine(1, amount_minor=6_001), RefundLine(3, quantity=1), RefundLine(2, 1, 3_001)],
)
def test_more_than_was_bought_is_refused(line: RefundLine) -> None:
    ledger = PaperLedger()
    one(ledger, command(purchase("R1", lines=TWO_LINES)))
    with pytest.raises(RefundExceedsError):
        one(ledger, refund("C1", "R1", line))
    assert balances(ledger) == (90, 0, 90)
    assert ledger.books.refunds == {}


def test_the_same_number_gives_the_same_answer_and_another_content_is_refused() -> None:
    ledger = PaperLedger()
    one(ledger, command(purchase("R1", lines=TWO_LINES)))
    first = refunded(one(ledger, refund("C1", "R1", RefundLine(1, quantity=1))))
    again = refunded(one(ledger, refund("C1", "R1", RefundLine(1, quantity=1))))
    assert (again.booked, again.repeated_call) == (first.booked, True)
    with pytest.raises(RefundReusedError, match="Refund C1 of this store was received on 2026-06-09"):
        one(ledger, refund("C1", "R1", RefundLine(1, quantity=2)))
    assert balances(ledger)[0] == 60


def test_a_receipt_takes_a_hundred_refunds() -> None:
    ledger = PaperLedger()
    one(ledger, command(purchase("R1", lines=(Line("tea", 200, 20_000),))))
    for number in range(100):
        done(ledger, f"C{number}", "R1", RefundLine(1, quantity=1))
    with pytest.raises(TooManyRefundsError):
        done(ledger, "C100", "R1", RefundLine(1, quantity=1))


def spent(ledger: PaperLedger, amount: int) -> None:
    one(ledger, authorise("spent", amount))
    one(ledger, capture("spent"))


def test_what_is_spent_becomes_a_debt_that_the_next_purchase_pays() -> None:
    ledger = policy(TakeBack.DEBT)
    one(ledger, command(purchase("R1")))
    spent(ledger, 70)
    assert done(ledger, "C1").taken == (TakenBack("points", 30, 70, 0),)
    assert balances(ledger) == (0, 70, 0)
    one(ledger, command(purchase("R2", paid_minor=5_000)))
    assert balances(ledger) == (0, 20, 50)
    one(ledger, command(purchase("R3", paid_minor=5_000)))
    assert balances(ledger) == (30, 0, 100)


def test_within_balance_goes_no_further_than_zero() -> None:
    ledger = policy(TakeBack.WITHIN_BALANCE)
    one(ledger, command(purchase("R1")))
    one(ledger, command(purchase("R2", paid_minor=2_000)))
    spent(ledger, 110)
    assert done(ledger, "C1").taken == (TakenBack("points", 10, 0, 90),)
    assert balances(ledger) == (0, 0, 110)


def test_pending_only_leaves_what_has_become_available_from_other_purchases() -> None:
    ledger = policy(TakeBack.PENDING_ONLY, pending_days=10)
    one(ledger, command(purchase("R1", day=0)))
    one(ledger, command(purchase("R2", paid_minor=2_000, day=11)))  # R1's points are available by now
    spent_all = authorise("all", 100, day=11)
    one(ledger, spent_all)
    one(ledger, capture("all", day=11))
    assert done(ledger, "C1", day=12).taken == (TakenBack("points", 20, 0, 80),)


def test_the_purchases_own_lot_is_taken_first_though_another_expires_earlier() -> None:
    program = program_with(expires_days=100)
    ledger = PaperLedger(Programs((program,)))
    one(ledger, command(purchase("R1", day=0)))
    one(ledger, command(purchase("R2", day=5)))
    done(ledger, "C2", "R2", day=6)
    lots = ledger.books.lots["chn_1", "mem_ada"]
    assert (lots["pur_R1/points"].free, lots["pur_R2/points"].free) == (100, 0)


def test_redeemed_points_and_coupons_come_back_with_the_whole_and_keep_their_expiry() -> None:
    program = program_with(expires_days=30)
    ledger = PaperLedger(Programs((program,)))
    one(ledger, command(purchase("R1", day=0)))
    one(ledger, authorise("h1", 40, day=1))
    paid = purchase("R2", paid_minor=3_000, day=1, holds=("hold_h1",), coupons=("cpn_1",))
    booked = recorded(one(ledger, command(paid))).booked
    assert [(each.hold, each.amount, each.debt) for each in booked.redeemed] == [("hold_h1", 40, 0)]
    assert balances(ledger) == (90, 0, 130)
    half = done(ledger, "C1", "R2", RefundLine(1, amount_minor=1_000), day=2)
    assert (half.given, half.coupons) == ((), ())
    rest = done(ledger, "C2", "R2", day=3)
    assert (rest.given, rest.coupons) == ((GivenBack("hold_h1", "points", 40),), ("cpn_1",))
    assert balances(ledger) == (100, 0, 100)
    lot = ledger.books.lots["chn_1", "mem_ada"]["pur_R1/points"]
    assert (lot.free, lot.expires_at) == (100, datetime(2026, 4, 1, tzinfo=UTC))


def test_what_comes_back_after_its_expiry_expires_at_once() -> None:
    program = program_with(expires_days=30)
    ledger = PaperLedger(Programs((program,)))
    one(ledger, command(purchase("R1", day=0)))
    one(ledger, authorise("h1", 40, day=1))
    one(ledger, command(purchase("R2", paid_minor=50, day=1, holds=("hold_h1",))))
    done(ledger, "C2", "R2", day=50)
    assert balances(ledger) == (0, 0, 100)
    assert [entry.kind.value for entry in ledger.entries[-3:]] == ["expiry", "reversal", "expiry"]
    assert ledger.entries[-1].occurred_at == NOON + timedelta(days=50)


def test_a_debt_of_a_late_redemption_is_forgiven_or_given_back() -> None:
    ledger = PaperLedger()
    one(ledger, command(purchase("R1")))
    one(ledger, authorise("h1", 80, days=1))
    one(ledger, authorise("h2", 100, day=2, days=9))  # h1 has run out, and its points are held by another order
    booked = recorded(one(ledger, command(purchase("R2", paid_minor=100, day=2, holds=("hold_h1",))))).booked
    assert [(each.amount, each.debt) for each in booked.redeemed] == [(80, 80)]
    assert balances(ledger) == (0, 79, 101)
    done(ledger, "C2", "R2", day=3)
    # 79 were still owed and are forgiven; 1 had been paid off by what the receipt earned, and that is taken back.
    assert balances(ledger) == (0, 0, 100)


def test_a_refund_names_its_author_and_key() -> None:
    ledger = PaperLedger()
    one(ledger, command(purchase("R1")))
    done(ledger, "C1")
    entry = ledger.entries[-1]
    assert (entry.kind, entry.key, entry.booked_by, entry.reference) == (
        "refund",
        "sto_1/C1",
        author("x").booked_by,
        "ref_C1",
    )


def test_what_lapsed_unused_is_not_taken_back_a_second_time() -> None:
    program = program_with(expires_days=30)
    ledger = PaperLedger(Programs((program,)))
    one(ledger, command(purchase("R1", day=0)))
    one(ledger, authorise("spent", 40, day=1))
    one(ledger, capture("spent", day=1))
    one(ledger, command(purchase("R2", day=29)))
    # 60 of the 100 expired on day 30; the guest had the use of 40, and these are taken back.
    assert done(ledger, "C1", day=40).taken == (TakenBack("points", 40, 0, 0),)
    assert balances(ledger) == (60, 0, 160)
