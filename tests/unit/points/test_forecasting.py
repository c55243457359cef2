"""Forecasts: what they sum to, what they never are, and how their error is measured."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.points.domain.forecasting import (
    HELD_OUT_WEEKS,
    HOURS,
    LEAST_DAYS,
    WEEK,
    Errors,
    History,
    forecast,
    naive,
    seasonal,
    wape,
)

SOME = 26 * WEEK
LUNCH, DINNER = 12, 19


def history(total: Callable[[int], float], *, days: int = SOME, first_weekday: int = 0) -> History:
    """Return days with so much, a third of it at lunch."""
    return History(
        first_weekday,
        [
            [total(number) * {LUNCH: 1 / 3, DINNER: 2 / 3}.get(hour, 0.0) for hour in range(HOURS)]
            for number in range(days)
        ],
    )


def test_a_store_that_is_the_same_each_week_stays_so() -> None:
    weekly = [30.0, 30.0, 30.0, 30.0, 60.0, 90.0, 0.0]
    found = forecast(history(lambda number: weekly[number % WEEK]))
    for number, day in enumerate(found.days):
        assert sum(day) == pytest.approx(weekly[number % WEEK])
        assert day[LUNCH] == pytest.approx(weekly[number % WEEK] / 3)
    errors = found.errors
    assert errors.weeks == HELD_OUT_WEEKS
    assert [errors.hourly, errors.naive_hourly, errors.daily, errors.naive_daily] == pytest.approx([0.0] * 4, abs=1e-9)


def test_the_first_weekday_counts() -> None:
    weekly = [30.0, 30.0, 30.0, 30.0, 60.0, 90.0, 0.0]
    found = forecast(history(lambda number: weekly[(number + 5) % WEEK], first_weekday=5))
    assert [sum(day) for day in found.days[:WEEK]] == pytest.approx(
        [weekly[(5 + number) % WEEK] for number in range(WEEK)]
    )


def test_a_growing_store_is_expected_to_have_grown() -> None:
    found = seasonal(history(lambda number: 100.0 + number), WEEK)
    last_weeks = [100.0 + number for number in range(SOME - 8 * WEEK, SOME)]
    assert min(sum(day) for day in found) > sum(last_weeks) / len(last_weeks)


def test_a_closed_week_says_nothing() -> None:
    is_closed = set(range(SOME - 2 * WEEK, SOME - WEEK))
    found = seasonal(history(lambda number: 0.0 if number in is_closed else 50.0), 1)
    assert sum(found[0]) == pytest.approx(50.0)


def test_before_the_first_sale_there_was_no_store() -> None:
    opened = SOME - 3 * WEEK
    late = forecast(history(lambda number: 40.0 if number >= opened else 0.0))
    assert sum(late.days[0]) == pytest.approx(40.0)
    assert late.errors == Errors()  # three weeks are too few to hold some out


def test_the_error_is_measured_on_weeks_it_was_not_told_of() -> None:
    """Every other week has double: the naive guess is off by one of them each time."""
    found = forecast(history(lambda number: 60.0 if number // WEEK % 2 else 30.0))
    assert found.errors.weeks == HELD_OUT_WEEKS
    assert found.errors.naive_daily == pytest.approx(30.0 * HELD_OUT_WEEKS / (45.0 * HELD_OUT_WEEKS))
    assert found.errors.naive_hourly == found.errors.naive_daily
    assert found.errors.daily is not None
    assert 0.2 < found.errors.daily < 0.5


def test_wape_is_the_absolute_error_by_what_happened() -> None:
    assert wape([([[1.0, 2.0]], [[2.0, 2.0]]), ([[5.0, 0.0]], [[2.0, 4.0]])]) == pytest.approx(8 / 10)
    assert wape([([[1.0]], [[0.0]])]) is None


def test_naive_is_the_same_day_of_the_last_week() -> None:
    past = history(float)
    assert [sum(day) for day in naive(past, 14)] == pytest.approx([*range(SOME - WEEK, SOME)] * 2)


def test_of_nothing_nothing_is_expected() -> None:
    for days in (0, 1, LEAST_DAYS):
        found = forecast(history(lambda _: 0.0, days=days))
        assert {value for day in found.days for value in day} == {0.0}
        assert found.errors == Errors()


counts = st.lists(st.integers(0, 300), min_size=HOURS, max_size=HOURS)


@given(days=st.lists(counts, min_size=1, max_size=60), first=st.integers(0, 6))
def test_whatever_happened_a_forecast_is_a_sane_number(days: list[list[int]], first: int) -> None:
    found = forecast(History(first, [[float(value) for value in day] for day in days]))
    most = max(sum(day) for day in days)
    for day in found.days:
        assert all(value >= 0 for value in day)
        assert sum(day) <= 2 * most * (1 + 1e-9)  # the level moves it by two at most
        for value in day:
            low, high = found.by_hour.around(value)
            assert 0 <= low <= value <= high
    never = [hour for hour in range(HOURS) if not any(day[hour] for day in days)]
    if most:
        assert all(day[hour] == 0 for day in found.days for hour in never)


@given(weeks=st.integers(3, 20), factor=st.integers(2, 9))
def test_a_larger_store_is_forecast_in_proportion(weeks: int, factor: int) -> None:
    def total(number: int) -> float:
        return float(20 + number % 11)

    one = seasonal(history(total, days=weeks * WEEK), WEEK)
    many = seasonal(history(lambda number: factor * total(number), days=weeks * WEEK), WEEK)
    assert [factor * sum(day) for day in one] == pytest.approx([sum(day) for day in many])
