"""Cards' codes: the standards' own examples, and what a copied, late or guessed code is worth."""

from datetime import UTC, datetime, timedelta

import pytest

from services.members.domain.cards import (
    LOCKED_FOR,
    OFFLINE_FOR,
    OLDEST_SCAN,
    RENEWED_AT,
    STEP,
    Card,
    Checked,
    Outcome,
    Scan,
    check_scans,
    code_of,
    handed_out,
    luhn_digit,
    new_card,
    number_from,
    step_of,
    totp,
)
from tests.support.clock import START

NUMBER = number_from(b"\x00" * 7 + b"\x2a")
KEY = b"k" * 32
CARD = new_card(NUMBER, KEY, now=START)

RFC_6238_KEY = b"12345678901234567890123456789012"


@pytest.mark.parametrize(
    ("steps", "digits"),
    [
        (0x1, "46119246"),
        (0x23523EC, "68084774"),
        (0x23523ED, "67062674"),
        (0x273EF07, "91819424"),
        (0x3F940AA, "90698825"),
        (0x27BC86AA, "77737706"),
    ],
)
def test_codes_are_those_of_rfc_6238(steps: int, digits: str) -> None:
    """Appendix B, the column of SHA-256."""
    assert totp(RFC_6238_KEY, steps) == digits


def test_a_number_ends_with_luhns_digit() -> None:
    assert luhn_digit("7992739871") == "3"
    assert luhn_digit("411111111111111") == "1"
    assert (NUMBER, len(NUMBER)) == ("000000000422", 12)


def test_a_step_is_a_minute_of_the_world() -> None:
    assert step_of(datetime(1970, 1, 1, 0, 1, 59, tzinfo=UTC)) == 1


def outcome(*scans: Scan, card: Card = CARD, now: datetime = START, used: dict[tuple[str, int], str]) -> list[Outcome]:
    checks = check_scans(scans, {card.number: card}, used, now=now)
    used |= checks.used
    return [one.outcome for one in checks.outcomes]


def test_a_code_is_good_a_step_aside_and_at_one_store() -> None:
    used: dict[tuple[str, int], str] = {}
    code = code_of(NUMBER, KEY, START)
    around = [Scan(code, START + STEP * aside, "sto_1") for aside in (-1, 0, 1, 2)]
    good, wrong = Outcome.GOOD, Outcome.WRONG
    assert outcome(*around[:1], now=START, used={}) == [good]
    assert outcome(*around[1:], now=START + 2 * STEP, used=used) == [good, good, wrong]
    assert used == {(NUMBER, step_of(START)): "sto_1"}
    assert outcome(Scan(code, START, "sto_2"), Scan(code, START, "sto_1"), used=used) == [Outcome.ELSEWHERE, good]


@pytest.mark.parametrize(
    "code",
    ["", "HT", f"HT{NUMBER}", f"XX{NUMBER}12345678", f"HT{NUMBER[:-1]}312345678", f"HT{NUMBER}1234567x", "HT" * 99],
)
def test_what_was_misread_is_no_code_and_counts_against_nobody(code: str) -> None:
    checks = check_scans([Scan(code, START, "sto_1")], {NUMBER: CARD}, {}, now=START)
    assert checks.outcomes == (Checked(Outcome.NO_CODE),)
    assert (checks.changed, checks.used) == ({}, {})


def test_a_card_that_nobody_has_is_no_card() -> None:
    assert check_scans([Scan(code_of(NUMBER, KEY, START), START, "s")], {}, {}, now=START).outcomes == (
        Checked(Outcome.NO_CARD),
    )


@pytest.mark.parametrize(
    ("late", "wanted"),
    [
        (OLDEST_SCAN, Outcome.GOOD),
        (OLDEST_SCAN + timedelta(seconds=1), Outcome.NOT_NOW),
        (-timedelta(minutes=5), Outcome.GOOD),
        (-timedelta(minutes=5, seconds=1), Outcome.NOT_NOW),
    ],
)
def test_a_till_may_have_been_offline(late: timedelta, wanted: Outcome) -> None:
    scan = Scan(code_of(NUMBER, KEY, START), START, "sto_1")
    assert outcome(scan, now=START + late, used={}) == [wanted]


def test_a_secret_is_renewed_when_half_of_its_time_is_over() -> None:
    almost, half = START + RENEWED_AT - STEP, START + RENEWED_AT
    assert handed_out(CARD, new_key=b"n" * 32, now=almost) == CARD
    renewed = handed_out(CARD, new_key=b"n" * 32, now=half)
    assert (renewed.current.key, renewed.current.until) == (b"n" * 32, half + OFFLINE_FOR)
    old = START + OFFLINE_FOR
    assert outcome(Scan(code_of(NUMBER, KEY, old), old, "s"), card=renewed, now=old, used={}) == [Outcome.GOOD]
    over = old + 2 * STEP
    assert outcome(Scan(code_of(NUMBER, KEY, over), over, "s"), card=renewed, now=over, used={}) == [Outcome.WRONG]


def test_old_secrets_go_when_nobody_can_send_their_codes_any_more() -> None:
    card, kept = CARD, []
    for day in range(60):
        card = handed_out(card, new_key=bytes([day]) * 32, now=START + timedelta(days=day))
        kept.append(len(card.secrets))
    assert (kept[:13], max(kept)) == ([1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3], 3)


def test_guessing_locks_the_card_for_ten_minutes() -> None:
    guess = f"HT{NUMBER}{(int(totp(KEY, step_of(START))) + 1) % 10**8:08}"
    right = code_of(NUMBER, KEY, START)
    twenty = check_scans([Scan(guess, START, "s")] * 20 + [Scan(right, START, "s")], {NUMBER: CARD}, {}, now=START)
    assert [one.outcome for one in twenty.outcomes] == [Outcome.WRONG] * 20 + [Outcome.GOOD]
    later = START + timedelta(minutes=10)
    locking = check_scans([Scan(guess, START, "s")], twenty.changed, {}, now=later)
    locked = locking.changed[NUMBER]
    assert locked.locked_until == later + LOCKED_FOR
    assert outcome(Scan(right, START, "s"), card=locked, now=later, used={}) == [Outcome.LOCKED]
    over = later + LOCKED_FOR
    assert outcome(Scan(right, START, "s"), card=locked, now=over, used={}) == [Outcome.GOOD]


def test_the_same_guesses_over_a_longer_time_lock_nothing() -> None:
    card = CARD
    for minute in range(60):
        now = START + minute * STEP
        guess = f"HT{NUMBER}{(int(totp(KEY, step_of(now))) + 7) % 10**8:08}"
        card = check_scans([Scan(guess, now, "s")] * 1, {NUMBER: card}, {}, now=now).changed[NUMBER]
    assert (card.locked_until, len(card.wrong_at)) == (None, 21)
