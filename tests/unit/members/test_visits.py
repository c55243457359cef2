from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.members.domain.visits import KEPT_DAYS, Paid, UnknownZoneError, Visits, after

START = datetime(2026, 1, 1, 12, tzinfo=UTC)


def paid(day: float, *, amount_minor: int = 1_000, currency: str = "CNY", zone: str = "UTC") -> Paid:
    return Paid(START + timedelta(days=day), amount_minor, currency, zone)


def all_of(receipts: Sequence[Paid]) -> Visits:
    visits = Visits()
    for receipt in receipts:
        visits = after(visits, receipt)
    return visits


def receipts(most_days: int) -> st.SearchStrategy[list[Paid]]:
    receipt = st.builds(
        paid,
        st.floats(0, most_days - 1).map(lambda day: round(day, 3)),
        amount_minor=st.integers(0, 10**12),
        currency=st.sampled_from(["CNY", "EUR"]),
        zone=st.just("UTC"),
    )
    return st.lists(receipt, max_size=60)


def test_before_the_first_visit_nothing_is_known() -> None:
    nobody = Visits()
    assert (nobody.count, nobody.last, nobody.last_gap_days, nobody.usual_gap_days) == (0, None, None, None)


def test_two_receipts_of_a_day_are_one_visit() -> None:
    visits = all_of([paid(0), paid(0.2, amount_minor=50)])
    assert (visits.count, visits.last_gap_days, visits.usual_gap_days) == (1, None, None)
    assert (visits.last, dict(visits.spend_minor)) == (START + timedelta(days=0.2), {"CNY": 1_050})


def test_a_day_is_a_day_in_the_stores_zone() -> None:
    late = Paid(datetime(2026, 3, 1, 17, tzinfo=UTC), 1, "CNY", "Asia/Shanghai")  # 01:00 on the 2nd there
    early = Paid(datetime(2026, 3, 1, 15, tzinfo=UTC), 1, "CNY", "Asia/Shanghai")  # 23:00 on the 1st
    visits = all_of([late, early])
    assert visits.days == (date(2026, 3, 1), date(2026, 3, 2))
    assert visits.last == late.at


def test_gaps_are_the_last_and_the_median() -> None:
    visits = all_of([paid(day) for day in (0, 7, 14, 20, 50)])  # gaps 7, 7, 6, 30
    assert (visits.last_gap_days, visits.usual_gap_days) == (30, 7.0)


def test_the_median_of_an_even_number_of_gaps_lies_between() -> None:
    assert all_of([paid(day) for day in (0, 1, 4)]).usual_gap_days == 2.0


def test_a_late_receipt_is_put_in_its_place() -> None:
    visits = all_of([paid(0), paid(10), paid(4)])  # gaps 4, 6
    assert (visits.count, visits.last_gap_days, visits.usual_gap_days) == (3, 6, 5.0)
    assert visits.last == START + timedelta(days=10)


def test_currencies_are_added_apart() -> None:
    visits = all_of([paid(0), paid(1, currency="EUR", amount_minor=250), paid(2)])
    assert dict(visits.spend_minor) == {"CNY": 2_000, "EUR": 250}


def test_only_the_latest_gaps_make_the_usual_one() -> None:
    weekly = [paid(7 * week) for week in range(30)]
    daily = [paid(7 * 29 + day) for day in range(1, 21)]
    visits = all_of(weekly + daily)
    assert (visits.count, len(visits.days), visits.usual_gap_days) == (50, KEPT_DAYS, 1.0)


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(UnknownZoneError):
        after(Visits(), paid(0, zone="Mars/Olympus"))


@given(receipts(KEPT_DAYS), st.randoms(use_true_random=False))
def test_any_order_gives_the_same_while_all_days_fit(bought: list[Paid], random: object) -> None:
    """With at most `KEPT_DAYS` different days, everything is independent of the order."""
    shuffled = sorted(bought, key=lambda _: random.random())  # type: ignore[attr-defined]  # hypothesis' Random
    assert all_of(shuffled) == all_of(bought)
    assert all_of(bought).count == len({receipt.at.date() for receipt in bought})


@given(receipts(200), st.randoms(use_true_random=False))
def test_any_order_at_all_gives_the_same_gaps_and_spend(bought: list[Paid], random: object) -> None:
    """Beyond that only the count may differ: it can be too high by the receipts that were more visits late."""
    shuffled = sorted(bought, key=lambda _: random.random())  # type: ignore[attr-defined]  # hypothesis' Random
    one, other = all_of(bought), all_of(shuffled)
    assert (one.last, one.days, one.spend_minor) == (other.last, other.days, other.spend_minor)
    assert one.count >= len({receipt.at.date() for receipt in bought})


@given(receipts(400))
def test_in_order_every_day_is_counted_once(bought: list[Paid]) -> None:
    visits = all_of(sorted(bought, key=lambda receipt: receipt.at))
    assert visits.count == len({receipt.at.date() for receipt in bought})
