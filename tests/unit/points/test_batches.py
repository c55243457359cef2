from services.kit.errors import Problem
from services.points.domain.accounts import Account
from services.points.domain.batches import Folded, NoAccountError, Recorded, fold
from services.points.domain.booking import BookPurchase
from services.points.domain.programs import DEFAULT_PROGRAM
from services.points.domain.purchases import ReceiptReusedError
from tests.unit.points.receipts import command, purchase


def fold_on_nothing(*commands: BookPurchase) -> Folded:
    return fold(commands, accounts={}, receipts={}, program=DEFAULT_PROGRAM)


def recorded(answer: Recorded | Problem) -> Recorded:
    assert isinstance(answer, Recorded)
    return answer


def test_each_command_sees_what_those_before_it_did() -> None:
    folded = fold_on_nothing(
        command(purchase("R1", paid_minor=50_000)), command(purchase("R2")), command(purchase("R3", member="mem_bob"))
    )
    assert [recorded(answer).booked.points for answer in folded.answers] == [500, 120, 100]
    assert [one.account.version for one in folded.bookings] == [1, 2, 1]


def test_the_same_receipt_twice_in_a_batch_is_booked_once() -> None:
    folded = fold_on_nothing(command(purchase("R1")), command(purchase("R1")))
    first, second = map(recorded, folded.answers)
    assert (first.repeated_call, second.repeated_call) == (False, True)
    assert first.booked == second.booked
    assert len(folded.bookings) == 1


def test_a_reused_number_shows_the_first_receipt_and_fails_alone() -> None:
    folded = fold_on_nothing(
        command(purchase("R1")), command(purchase("R1", paid_minor=1)), command(purchase("R2", member="mem_bob"))
    )
    refused = folded.answers[1]
    assert isinstance(refused, ReceiptReusedError)
    assert refused.message == (
        "Receipt R1 of this store was booked on 2026-06-09T12:00:00+00:00 with other content, as pur_R1: "
        "10000 CNY (minor units), paid at 2026-03-01T12:00:00+00:00 by mem_ada. Correct the number, or refund that."
    )
    assert [one.booked.id for one in folded.bookings] == ["pur_R1", "pur_R2"]


def test_a_number_belongs_to_its_store_whoever_the_receipt_names() -> None:
    folded = fold_on_nothing(command(purchase("R1")), command(purchase("R1", member="mem_bob")))
    assert isinstance(folded.answers[1], ReceiptReusedError)


def test_chains_do_not_meet() -> None:
    folded = fold_on_nothing(command(purchase("R1"), chain="chn_1"), command(purchase("R1"), chain="chn_2"))
    assert [recorded(answer).repeated_call for answer in folded.answers] == [False, False]
    assert [one.account.version for one in folded.bookings] == [1, 1]


def test_without_an_account_or_leave_to_open_one_nothing_is_booked() -> None:
    folded = fold_on_nothing(command(opens_account=False))
    assert isinstance(folded.answers[0], NoAccountError)
    assert folded.bookings == ()


def test_what_was_loaded_is_left_as_it_was() -> None:
    accounts = {("chn_1", "mem_ada"): Account("mem_ada", available_points=7, version=3)}
    folded = fold([command()], accounts=accounts, receipts={}, program=DEFAULT_PROGRAM)
    assert folded.bookings[0].account.available_points == 107
    assert accounts["chn_1", "mem_ada"].available_points == 7
