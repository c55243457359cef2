from dataclasses import replace
from datetime import timedelta

import pytest

from services.points.domain.accounts import InsufficientPointsError
from services.points.domain.adjustments import (
    AdjustmentDecidedError,
    AdjustmentState,
    InvalidAdjustmentError,
    NoAdjustmentError,
    SamePersonError,
)
from services.points.domain.books import Posted
from services.points.domain.commands import Adjust, Decide, Open, OpeningLot, TakeOver
from services.points.domain.facts import PurchaseBooked
from services.points.domain.journal import Note
from services.points.domain.moving import MovedOnError, NotAPayerError
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

NOTE = Note(bytes(32), "sorry for the cold soup")
PAYER = "pay_" + "f" * 64


def of_100() -> PaperLedger:
    ledger = PaperLedger()
    one(ledger, command(purchase("R1")))
    return ledger


def balances(ledger: PaperLedger, member: str = "mem_ada") -> tuple[int, int, int]:
    found = ledger.books.accounts["chn_1", member].balance("points")
    return found.available, found.debt, found.lifetime


def adjust(ledger: PaperLedger, amount: int, name: str = "a1", by: str = "staff:ann") -> Posted:
    command = Adjust(**keyed(name, by=by), adjustment=f"adj_{name}", currency="points", amount=amount, reason=NOTE)
    return posted(one(ledger, command))


def decide(ledger: PaperLedger, *, approve: bool, by: str, name: str = "a1") -> Posted:
    key = f"decide-{by}-{approve}"
    return posted(one(ledger, Decide(**keyed(key, by=by), adjustment=f"adj_{name}", approve=approve)))


def test_a_small_adjustment_is_booked_at_once_with_a_commitment_to_its_reason() -> None:
    ledger = of_100()
    adjustment = adjust(ledger, 50).adjustment
    assert adjustment is not None
    assert adjustment.state is AdjustmentState.BOOKED
    assert balances(ledger) == (150, 0, 150)
    assert ledger.entries[-1].note == NOTE.commitment
    assert "soup" not in repr(ledger.entries[-1])


def test_it_takes_what_is_there_and_no_more() -> None:
    ledger = of_100()
    adjust(ledger, -30)
    with pytest.raises(InsufficientPointsError):
        adjust(ledger, -71, "a2")
    with pytest.raises(InvalidAdjustmentError):
        adjust(ledger, 0, "a3")
    assert balances(ledger) == (70, 0, 100)


def test_above_the_limit_a_second_person_has_to_agree() -> None:
    ledger = of_100()
    assert adjust(ledger, 10_001).adjustment.state is AdjustmentState.WAITING  # type: ignore[union-attr]  # it has one
    assert balances(ledger) == (100, 0, 100)
    with pytest.raises(SamePersonError):
        decide(ledger, approve=True, by="staff:ann")
    assert decide(ledger, approve=True, by="staff:bob").adjustment.state is AdjustmentState.BOOKED  # type: ignore[union-attr]  # as above
    assert balances(ledger) == (10_101, 0, 10_101)
    with pytest.raises(AdjustmentDecidedError, match="is booked already, by staff:bob"):
        decide(ledger, approve=False, by="staff:cid")


def test_what_is_rejected_stays_unbooked() -> None:
    ledger = of_100()
    adjust(ledger, 10_001)
    decide(ledger, approve=False, by="staff:ann")  # who asked may take it back
    assert balances(ledger) == (100, 0, 100)
    with pytest.raises(NoAdjustmentError):
        decide(ledger, approve=True, by="staff:bob", name="other")


def test_an_opening_balance_brings_lots_with_their_dates() -> None:
    ledger = PaperLedger(Programs((program_with(),)))
    lots = (
        OpeningLot(10, NOON - timedelta(days=90), NOON - timedelta(days=1)),  # gone already
        OpeningLot(20, NOON - timedelta(days=50), NOON + timedelta(days=5)),
        OpeningLot(30, NOON, None),
    )
    opening = Open(**keyed("o1"), currency="points", lots=lots, opens_account=True)
    one(ledger, opening)
    assert balances(ledger) == (50, 0, 60)
    assert posted(one(ledger, opening)).repeated_call
    assert balances(ledger) == (50, 0, 60)
    one(ledger, authorise("h1", 25, day=1))
    kept = {lot.granted_at: lot.free for lot in ledger.books.lots["chn_1", "mem_ada"].values()}
    assert list(kept.values()) == [0, 0, 25]


def test_stamps_are_a_currency_of_their_own() -> None:
    program = program_with(stamped=("coffee",))
    ledger = PaperLedger(Programs((program,)))
    coffee = replace(purchase().lines[0], quantity=5, category="coffee")
    one(ledger, command(purchase("R1", lines=(coffee,))))
    one(ledger, authorise("free one", 5, currency="stamps"))
    one(ledger, capture("free one"))
    account = ledger.books.accounts["chn_1", "mem_ada"]
    assert (account.balance("stamps").available, account.balance("points").available) == (0, 100)
    one(ledger, refund("C1"))
    assert ledger.books.accounts["chn_1", "mem_ada"].balance("stamps").debt == 5


def paid_unknown(ledger: PaperLedger, number: str, paid_minor: int = 10_000) -> None:
    one(ledger, command(purchase(number, paid_minor=paid_minor, member=PAYER, buyer=f"payer:{'f' * 64}")))


def take_over(version: int, *receipts: str) -> TakeOver:
    return TakeOver(**keyed(f"move-{version}", member=PAYER, day=9), into="mem_ada", version=version, receipts=receipts)


def test_what_was_booked_on_a_payer_moves_to_the_member() -> None:
    ledger = of_100()
    paid_unknown(ledger, "P1", 30_000)
    paid_unknown(ledger, "P2", 15_000)
    told = len(ledger.told)
    assert told == 1  # nobody hears of payers
    one(ledger, take_over(2, "sto_1/P1", "sto_1/P2"))
    assert balances(ledger) == (550, 0, 550)
    assert balances(ledger, PAYER) == (0, 0, 0)
    account = ledger.books.accounts["chn_1", "mem_ada"]
    assert (account.spend_minor, account.standing.now("regular")) == (55_000, "silver")
    booked = [event.booked for event in ledger.told[told:] if isinstance(event, PurchaseBooked)]
    assert [(each.id, each.purchase.member) for each in booked] == [("pur_P1", "mem_ada"), ("pur_P2", "mem_ada")]
    closing, opening, level = ledger.entries[-3:]
    assert (closing.kind, opening.kind, level.kind) == ("merged_into", "merged_from", "level")
    assert [leg.account for leg in closing.postings[0].legs + opening.postings[0].legs] == ["mem_ada", PAYER]


def test_the_payers_old_receipts_are_refunded_from_the_member() -> None:
    ledger = of_100()
    paid_unknown(ledger, "P1")
    one(ledger, take_over(1, "sto_1/P1"))
    one(ledger, refund("C1", "P1", day=10))
    assert balances(ledger) == (100, 0, 100)
    assert ledger.books.lots["chn_1", "mem_ada"]["pur_P1/points"].free == 0


def test_a_receipt_sent_again_after_the_move_is_the_same() -> None:
    ledger = of_100()
    paid_unknown(ledger, "P1")
    one(ledger, take_over(1, "sto_1/P1"))
    by_member = purchase("P1", member="mem_ada", buyer=f"payer:{'f' * 64}")
    assert recorded(one(ledger, command(by_member))).repeated_call
    late = purchase("P3", paid_minor=100, member=PAYER)  # from a replica that does not know yet
    assert recorded(one(ledger, command(late))).booked.purchase.member == "mem_ada"
    assert balances(ledger) == (201, 0, 201)


def test_a_payer_that_has_moved_on_is_looked_at_again() -> None:
    ledger = of_100()
    paid_unknown(ledger, "P1")
    paid_unknown(ledger, "P2")
    with pytest.raises(MovedOnError):
        one(ledger, take_over(1, "sto_1/P1"))
    with pytest.raises(NotAPayerError):
        one(ledger, replace(take_over(1), account="mem_ada", into="mem_bob"))
