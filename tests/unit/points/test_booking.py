from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.points.domain.accounts import GENESIS, Account, Reached
from services.points.domain.booking import Booking, PurchaseBooked, TierChanged, book
from services.points.domain.journal import ISSUED
from services.points.domain.programs import DEFAULT_PROGRAM
from services.points.domain.purchases import InvalidPurchaseError, Line, Purchase, check
from tests.unit.points.receipts import NOON, command, purchase


def book_all(*bought: Purchase) -> list[Booking]:
    account, bookings = Account("mem_ada"), []
    for one in bought:
        bookings.append(book(command(one), account, DEFAULT_PROGRAM))
        account = bookings[-1].account
    return bookings


def test_the_purchase_that_crosses_earns_the_old_rate_and_the_next_one_the_new() -> None:
    first, crossing, after = book_all(
        purchase("R1", paid_minor=49_999), purchase("R2", paid_minor=100), purchase("R3", paid_minor=10_000)
    )
    assert [one.booked.points for one in (first, crossing, after)] == [499, 1, 120]
    assert (crossing.booked.level_before, crossing.booked.level_after) == ("regular", "silver")
    assert crossing.events[1] == TierChanged("mem_ada", "regular", "silver", NOON, "pur_R2")
    assert [type(event) for event in after.events] == [PurchaseBooked]


def test_a_late_receipt_earns_by_the_level_of_its_own_day() -> None:
    crossing, late, today = book_all(
        purchase("R1", paid_minor=50_000, day=10), purchase("R2", day=5), purchase("R3", day=10)
    )
    assert [one.booked.points for one in (crossing, late, today)] == [500, 100, 120]


def test_a_late_receipt_that_crosses_changes_nothing_that_is_booked() -> None:
    newest, crossing, between = book_all(
        purchase("R1", paid_minor=30_000, day=20),
        purchase("R2", paid_minor=30_000, day=5),
        purchase("R3", day=12),
    )
    assert newest.booked.points == 300
    assert crossing.account.reached == (Reached("silver", NOON + timedelta(days=20)),)
    assert between.booked.points == 100


def test_an_entry_balances_and_carries_version_balance_and_hash() -> None:
    first, second = book_all(purchase("R1"), purchase("R2", paid_minor=250))
    assert (first.entry.posting.version, first.entry.posting.balance_points) == (1, 100)
    assert (second.entry.posting.version, second.entry.posting.balance_points) == (2, 102)
    assert (second.entry.against, second.entry.reference) == (ISSUED, "pur_R2")
    assert second.account.head == second.entry.posting.hash
    assert len({GENESIS, first.account.head, second.account.head}) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"booked_by": "till:key_2"},
        {"entry_id": "ent_other"},
        {"purchase_id": "pur_other"},
        {"chain": "chn_2"},
        {"booked_at": NOON},
    ],
)
def test_the_hash_covers_what_the_entry_says(change: dict[str, Any]) -> None:
    original = book(command(), Account("mem_ada"), DEFAULT_PROGRAM)
    changed = book(replace(command(), **change), Account("mem_ada"), DEFAULT_PROGRAM)
    assert changed.entry.posting.hash != original.entry.posting.hash


@given(amounts=st.lists(st.integers(0, 100_000), max_size=30), days=st.lists(st.integers(0, 60), min_size=30))
def test_an_account_is_the_sum_of_its_postings(amounts: list[int], days: list[int]) -> None:
    bookings = book_all(*(purchase(f"R{n}", paid_minor=amount, day=days[n]) for n, amount in enumerate(amounts)))
    account = bookings[-1].account if bookings else Account("mem_ada")
    assert account.available_points == sum(one.entry.posting.points for one in bookings)
    assert account.spend_minor == sum(amounts)
    assert [one.entry.posting.version for one in bookings] == list(range(1, len(amounts) + 1))
    changes = [event for one in bookings for event in one.events if isinstance(event, TierChanged)]
    assert len(changes) == (sum(amounts) >= 50_000)


@given(amounts=st.lists(st.integers(0, 100_000), max_size=20))
def test_sorted_receipts_earn_what_a_plain_loop_gives(amounts: list[int]) -> None:
    expected = spend = 0
    for amount in amounts:
        expected += amount * (120 if spend >= 50_000 else 100) // 10_000
        spend += amount
    bookings = book_all(*(purchase(f"R{n}", paid_minor=amount, day=n) for n, amount in enumerate(amounts)))
    assert sum(one.booked.points for one in bookings) == expected


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
        {"member": "mem_bob"},
        {"currency": "EUR"},
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
    assert purchase().fingerprint().hex() == "36b0a67681ab0eeeccddf95036330ce6"
