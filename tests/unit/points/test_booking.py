from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.points.domain.accounts import GENESIS, Account
from services.points.domain.facts import PurchaseBooked, TierChanged, TierReason
from services.points.domain.journal import ISSUED, Leg
from services.points.domain.purchases import Channel, InvalidPurchaseError, Line, Purchase, check
from services.points.domain.receipts import BookedPurchase
from services.points.domain.standings import Reached
from tests.support.paper_ledger import PaperLedger
from tests.unit.points.receipts import NOON, command, one, purchase, recorded

LEVELS = (("silver", 50_000), ("gold", 200_000), ("black_gold", 1_000_000))


def book_all(ledger: PaperLedger, *bought: Purchase) -> Sequence[BookedPurchase]:
    return [recorded(answer).booked for answer in ledger.commit([command(each) for each in bought])]


def ada(ledger: PaperLedger) -> Account:
    return ledger.books.accounts.get(("chn_1", "mem_ada"), Account("mem_ada"))


def test_the_purchase_that_crosses_earns_the_old_rate_and_the_next_one_the_new() -> None:
    ledger = PaperLedger()
    first, crossing, after = book_all(
        ledger, purchase("R1", paid_minor=49_999), purchase("R2", paid_minor=100), purchase("R3", paid_minor=10_000)
    )
    assert [each.points for each in (first, crossing, after)] == [499, 1, 120]
    assert (crossing.level_before, crossing.level_after) == ("regular", "silver")
    assert ledger.told[2] == TierChanged("mem_ada", "regular", "silver", NOON, TierReason.REACHED, "pur_R2")
    assert [type(event) for event in ledger.told] == [PurchaseBooked, PurchaseBooked, TierChanged, PurchaseBooked]


def test_a_late_receipt_earns_by_the_level_of_its_own_day() -> None:
    crossing, late, today = book_all(
        PaperLedger(), purchase("R1", paid_minor=50_000, day=10), purchase("R2", day=5), purchase("R3", day=10)
    )
    assert [each.points for each in (crossing, late, today)] == [500, 100, 120]


def test_a_late_receipt_that_crosses_changes_nothing_that_is_booked() -> None:
    ledger = PaperLedger()
    newest, _, between = book_all(
        ledger,
        purchase("R1", paid_minor=30_000, day=20),
        purchase("R2", paid_minor=30_000, day=5),
        purchase("R3", day=12),
    )
    assert newest.points == 300
    assert ada(ledger).standing.reached == (Reached("silver", NOON + timedelta(days=20)),)
    assert between.points == 100


def test_an_entry_balances_and_carries_version_balances_and_hash() -> None:
    ledger = PaperLedger()
    book_all(ledger, purchase("R1"), purchase("R2", paid_minor=250))
    [first], [second] = (entry.postings for entry in ledger.entries)
    assert (first.version, first.balances.available) == (1, 100)
    assert (second.version, second.balances.available, second.balances.lifetime) == (2, 102, 102)
    assert (second.amount, second.legs, ledger.entries[1].reference) == (2, (Leg(ISSUED, -2),), "pur_R2")
    assert ada(ledger).head == second.hash
    assert len({GENESIS, first.hash, second.hash}) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"booked_by": "till:key_2"},
        {"entry_id": "ent_other"},
        {"key": "sto_1/other"},
        {"chain": "chn_2"},
        {"booked_at": NOON},
    ],
)
def test_the_hash_covers_who_when_and_under_which_key(change: dict[str, Any]) -> None:
    original, changed = PaperLedger(), PaperLedger()
    one(original, command())
    one(changed, replace(command(), author=replace(command().author, **change)))
    assert changed.entries[0].postings[0].hash != original.entries[0].postings[0].hash


@given(amounts=st.lists(st.integers(0, 100_000), max_size=30), days=st.lists(st.integers(0, 60), min_size=30))
def test_an_account_is_the_sum_of_its_postings(amounts: list[int], days: list[int]) -> None:
    ledger = PaperLedger()
    book_all(ledger, *(purchase(f"R{n}", paid_minor=amount, day=days[n]) for n, amount in enumerate(amounts)))
    postings = [entry.postings[0] for entry in ledger.entries]
    assert ada(ledger).balance("points").available == sum(posting.amount for posting in postings)
    assert ada(ledger).spend_minor == sum(amounts)
    assert [posting.version for posting in postings] == list(range(1, len(ledger.entries) + 1))
    changes = [event.to_level for event in ledger.told if isinstance(event, TierChanged)]
    reached = [level for level, spend in LEVELS if sum(amounts) >= spend]
    assert changes[-1:] == reached[-1:]
    assert changes == [level for level, _ in LEVELS if level in changes]  # upwards, each once


@given(amounts=st.lists(st.integers(0, 100_000), max_size=20))
def test_sorted_receipts_earn_what_a_plain_loop_gives(amounts: list[int]) -> None:
    expected = spend = 0
    for amount in amounts:
        percent = next(by for reached, by in ((200_000, 150), (50_000, 120), (0, 100)) if spend >= reached)
        expected += amount * percent // 10_000
        spend += amount
    booked = book_all(PaperLedger(), *(purchase(f"R{n}", paid_minor=a, day=n) for n, a in enumerate(amounts)))
    assert sum(each.points for each in booked) == expected


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"receipt_number": ""}, "receiptNumber"),
        ({"receipt_number": "x" * 65}, "receiptNumber"),
        ({"occurred_at": NOON + timedelta(minutes=5, milliseconds=1)}, "occurredAt"),
        ({"lines": ()}, "lines"),
        ({"lines": (Line("tea", 1, 1),) * 501}, "lines"),
        ({"lines": (Line("tea", 1, 1), Line("tea", 0, 1))}, "lines.1.quantity"),
        ({"lines": (Line("tea", 1, -1),)}, "lines.0.grossMinor"),
        ({"lines": (Line("tea", 1, 10**12 + 1),)}, "lines.0.grossMinor"),
        ({"lines": (Line("tea", 1, 5, 6),)}, "lines.0.discountMinor"),
        ({"lines": (Line("tea", 1, 5, -1),)}, "lines.0.discountMinor"),
        ({"lines": (Line("tea", 1, 5, cost_minor=-1),)}, "lines.0.costMinor"),
        ({"party_size": -1}, "partySize"),
        ({"tax_minor": -1}, "taxMinor"),
        ({"tip_minor": -1}, "tipMinor"),
        ({"coupons": ("cpn_1", "cpn_1")}, "couponIds"),
        ({"holds": tuple(f"hold_{n}" for n in range(21))}, "holdIds"),
        ({"till": "t" * 129}, "tillId"),
    ],
)
def test_what_no_receipt_can_be_is_refused_with_its_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidPurchaseError) as refused:
        check(replace(purchase(), **change), now=NOON)
    assert refused.value.field == field


def test_what_a_receipt_can_be_at_most_is_accepted() -> None:
    widest = replace(
        purchase(),
        receipt_number="x" * 64,
        occurred_at=NOON + timedelta(minutes=5),
        lines=(Line("tea", 1, 10**12, 10**12),) * 500,
    )
    check(widest, now=NOON)
    assert widest.paid_minor == 0


@pytest.mark.parametrize(
    "change",
    [
        {"receipt_number": "R2"},
        {"store": "sto_2"},
        {"currency": "EUR"},
        {"till": "T2"},
        {"staff": "S2"},
        {"channel": Channel.TAKEAWAY},
        {"payment_kind": "cash"},
        {"payer": "f00"},
        {"party_size": 2},
        {"tax_minor": 1},
        {"tip_minor": 1},
        {"coupons": ("cpn_1",)},
        {"holds": ("hold_1",)},
        {"lines": (Line("noodles", 1, 10_000, category="food"),)},
        {"lines": (Line("noodles", 1, 10_000, cost_minor=1),)},
        {"occurred_at": NOON + timedelta(milliseconds=1)},
        {"lines": (Line("noodles", 2, 10_000),)},
        {"lines": (Line("noodles", 1, 10_001),)},
        {"lines": (Line("noodles", 1, 10_000, 1),)},
        {"lines": (Line("soup", 1, 10_000),)},
    ],
)
def test_other_content_has_another_fingerprint(change: dict[str, Any]) -> None:
    assert replace(purchase(), **change).fingerprint() != purchase().fingerprint()


def test_the_fingerprint_is_the_same_in_every_process() -> None:
    assert purchase().fingerprint().hex() == "b5389aed57f1908d8d2dae05382b8ea3"
