"""A forecast on the store's calendar: its hours, what is known to come, closed days, and the people it needs."""

import csv
from datetime import UTC, date, datetime, timedelta
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.errors import Problem
from services.points.domain.expectations import (
    Happened,
    Known,
    Needs,
    StoreForecast,
    check_closed,
    expect,
    history_days,
    hours_of,
    staffed,
)
from services.points.domain.forecast_lines import forecast_head, forecast_lines, staffing_lines

TODAY = date(2026, 3, 2)  # a Monday
SHANGHAI = "Asia/Shanghai"


def same_each_day(today: date = TODAY) -> dict[tuple[date, int], Happened]:
    first, last = history_days(today)
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    by_hour = {11: Happened(4, 8), 12: Happened(20, 45), 23: Happened(0, 1), 2: Happened(8, 8)}
    return {(day, hour): each for day in days for hour, each in by_hour.items()}


def expected(**more: object) -> StoreForecast:
    given = {"today": TODAY, "time_zone": SHANGHAI, **more}
    return expect(same_each_day(given["today"]), **given)  # type: ignore[arg-type]  # by name, each of its own type


def test_fourteen_days_from_today_on() -> None:
    found = expected()
    assert [day.day for day in found.days] == [TODAY + timedelta(days=number) for number in range(14)]
    monday = found.days[0]
    assert [one.hour for one in monday.hours] == [2, 11, 12, 23]
    assert [one.covers.expected for one in monday.hours] == pytest.approx([8, 4, 20, 0])
    assert [monday.covers.expected, monday.items.expected] == pytest.approx([32, 62])
    assert monday.hours[2].begins_at == datetime(2026, 3, 2, 4, tzinfo=UTC)


def test_what_is_known_is_the_least_that_comes() -> None:
    party = Known(TODAY, 12, covers=50, items=10)
    breakfast = Known(TODAY, 8, covers=6)
    monday = expected(known=[party, breakfast, Known(TODAY - timedelta(days=1), 12, covers=99)]).days[0]
    by_hour = {one.hour: one for one in monday.hours}
    assert (by_hour[12].covers.expected, by_hour[12].covers.known, by_hour[12].covers.low) == (50, 50, 50)
    assert [by_hour[12].items.expected, by_hour[12].items.known] == pytest.approx([45, 10])
    assert by_hour[8].covers.expected == 6
    assert [monday.covers.expected, monday.covers.known] == pytest.approx([8 + 4 + 50 + 6, 56])


def test_on_a_closed_day_nothing_is_expected() -> None:
    tuesday = TODAY + timedelta(days=1)
    found = expected(closed=frozenset({tuesday}))
    assert (found.days[1].covers.expected, found.days[1].hours) == (0, ())
    assert found.days[2].covers.expected == pytest.approx(32)
    for day in (TODAY - timedelta(days=1), TODAY + timedelta(days=14)):
        with pytest.raises(Problem) as refused:
            check_closed([day], TODAY)
        assert (refused.value.code, refused.value.field) == ("INVALID_FORECAST", "closedDays")


def test_a_day_has_the_hours_that_its_clock_shows() -> None:
    """Berlin leaps from 2 to 3 on 2026-03-29, and has 2 twice on 2026-10-25."""
    spring, autumn = hours_of(date(2026, 3, 29), "Europe/Berlin"), hours_of(date(2026, 10, 25), "Europe/Berlin")
    assert [hour for hour, _ in spring] == [0, 1, *range(3, 24)]
    assert spring[1][1] + timedelta(hours=1) == spring[2][1]
    assert [hour for hour, _ in autumn] == list(range(24))
    assert autumn[3][1] - autumn[2][1] == timedelta(hours=2)
    leap = expected(today=date(2026, 3, 29), time_zone="Europe/Berlin").days[0]
    assert [one.hour for one in leap.hours] == [11, 12, 23]
    assert leap.covers.expected == pytest.approx(24)


def test_people_are_rounded_up_and_at_least_so_many() -> None:
    found = expected()
    hours = [one for one in staffed(found, Needs(6.0, min_staff=1)) if one.day == TODAY]
    assert [(one.hour, one.staff) for one in hours] == [(2, 2), (11, 1), (12, 4)]  # 23 is not open: nobody eats then
    hours = [one for one in staffed(found, Needs(6.0, min_staff=3)) if one.day == TODAY]
    assert [one.staff for one in hours] == [3, 3, 4]
    high = [one for one in staffed(found, Needs(6.0, for_high=True)) if one.day == TODAY]
    assert all(one.covers >= 0 for one in high)


@pytest.mark.parametrize(
    ("needs", "field"),
    [((0.0, 1), "coversPerStaffHour"), ((float("nan"), 1), "coversPerStaffHour"), ((1e9, 1), "coversPerStaffHour"),
     ((5.0, -1), "minStaff"), ((5.0, 1_001), "minStaff")],
)  # fmt: skip
def test_impossible_plans_are_refused(needs: tuple[float, int], field: str) -> None:
    with pytest.raises(Problem) as refused:
        Needs(*needs)
    assert (refused.value.code, refused.value.field) == ("INVALID_FORECAST", field)


@given(
    per_hour=st.floats(0.1, 100), least=st.integers(0, 20),
    known=st.lists(st.builds(Known, st.just(TODAY), st.integers(0, 23), st.floats(0, 500)), max_size=5),
)  # fmt: skip
def test_staff_always_serves_what_is_expected(per_hour: float, least: int, known: list[Known]) -> None:
    for one in staffed(expected(known=known), Needs(per_hour, least)):
        assert one.staff >= least
        assert one.staff * per_hour >= one.covers * (1 - 1e-9)
        assert one.staff == least or (one.staff - 1) * per_hour < one.covers


def test_as_files() -> None:
    found = expected()
    head, first, *_ = csv.reader(StringIO(forecast_head() + forecast_lines(found.days[0])))
    assert head[:4] == ["day", "hour", "begins_at", "covers"]
    assert first[:4] == ["2026-03-02", "2", "2026-03-01T18:00:00Z", "8.0"]
    lines = list(csv.reader(StringIO(staffing_lines(staffed(found, Needs(6.0))))))
    assert lines[0] == ["day", "hour", "begins_at", "covers", "staff"]
    assert lines[1] == ["2026-03-02", "2", "2026-03-01T18:00:00Z", "8.0", "2"]
    assert len(lines) == 1 + 14 * 3
