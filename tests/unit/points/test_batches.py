from services.points.domain.accounts import NoAccountError
from services.points.domain.batches import Answer
from services.points.domain.commands import BookPurchase
from services.points.domain.purchases import ReceiptReusedError
from tests.support.paper_ledger import PaperLedger
from tests.unit.points.receipts import command, purchase, recorded


def commit(*commands: BookPurchase) -> tuple[list[Answer | Exception], PaperLedger]:
    ledger = PaperLedger()
    return list(ledger.commit(commands)), ledger


def versions(ledger: PaperLedger) -> list[int]:
    return [entry.postings[0].version for entry in ledger.entries]


def test_each_command_sees_what_those_before_it_did() -> None:
    answers, ledger = commit(
        command(purchase("R1", paid_minor=50_000)), command(purchase("R2")), command(purchase("R3", member="mem_bob"))
    )
    assert [recorded(answer).booked.points for answer in answers] == [500, 120, 100]
    assert versions(ledger) == [1, 2, 3, 1]  # the second says that silver was reached


def test_the_same_receipt_twice_in_a_batch_is_booked_once() -> None:
    answers, ledger = commit(command(purchase("R1")), command(purchase("R1")))
    first, second = map(recorded, answers)
    assert (first.repeated_call, second.repeated_call) == (False, True)
    assert first.booked == second.booked
    assert len(ledger.entries) == 1


def test_a_reused_number_shows_the_first_receipt_and_fails_alone() -> None:
    answers, ledger = commit(
        command(purchase("R1")), command(purchase("R1", paid_minor=1)), command(purchase("R2", member="mem_bob"))
    )
    refused = answers[1]
    assert isinstance(refused, ReceiptReusedError)
    assert refused.message == (
        "Receipt R1 of this store was booked on 2026-06-09T12:00:00+00:00 with other content, as pur_R1: "
        "10000 CNY (minor units), paid at 2026-03-01T12:00:00+00:00 by mem_ada. Correct the number, or refund that."
    )
    assert [entry.reference for entry in ledger.entries] == ["pur_R1", "pur_R2"]


def test_a_number_belongs_to_its_store_whoever_the_receipt_names() -> None:
    answers, _ = commit(command(purchase("R1")), command(purchase("R1", member="mem_bob")))
    assert isinstance(answers[1], ReceiptReusedError)


def test_chains_do_not_meet() -> None:
    answers, ledger = commit(command(purchase("R1"), chain="chn_1"), command(purchase("R1"), chain="chn_2"))
    assert [recorded(answer).repeated_call for answer in answers] == [False, False]
    assert versions(ledger) == [1, 1]


def test_without_an_account_or_leave_to_open_one_nothing_is_booked() -> None:
    answers, ledger = commit(command(opens_account=False))
    assert isinstance(answers[0], NoAccountError)
    assert ledger.entries == []


def test_a_guest_may_be_named_otherwise_when_the_receipt_comes_again() -> None:
    by_phone = purchase("R1", buyer="phone:abc")
    by_id = purchase("R1")
    answers, ledger = commit(command(by_phone), command(by_id), command(by_phone))
    assert [recorded(answer).repeated_call for answer in answers] == [False, True, True]
    assert versions(ledger) == [1]
