from datetime import UTC, date, datetime

import pytest

from services.members.domain.hours import Hours, InvalidHoursError, Span, check_hours, is_open, span, written
from services.members.domain.stores import Store, is_open_at

MONDAY = 2  # of March 2026
NEVER: tuple[Span, ...] = ()


def daily(*spans: Span) -> Hours:
    return Hours((spans,) * 7)


def spans(*texts: str) -> tuple[Span, ...]:
    return tuple(span(*text.split("-"), path="") for text in texts)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def berlin(hours: Hours, text: str) -> bool:
    return is_open(hours, time_zone="Europe/Berlin", moment=at(text))


@pytest.mark.parametrize(
    ("moment", "open_"),
    [
        ("2026-03-02T10:59:59+08:00", False),
        ("2026-03-02T11:00:00+08:00", True),
        ("2026-03-02T13:59:59+08:00", True),
        ("2026-03-02T14:00:00+08:00", False),
        ("2026-03-02T18:00:00+08:00", True),
        ("2026-03-03T01:59:00+08:00", True),  # Monday's evening
        ("2026-03-03T02:00:00+08:00", False),
        ("2026-03-03T12:00:00+08:00", False),  # Tuesday
        ("2026-03-02T03:00:00Z", True),
    ],
)
def test_a_week_by_the_stores_clock(moment: str, open_: bool) -> None:  # noqa: FBT001 - a table
    hours = Hours((spans("11:00-14:00", "18:00-02:00"), *(NEVER,) * 6))
    assert is_open(hours, time_zone="Asia/Shanghai", moment=at(moment)) is open_


def test_a_holiday_takes_the_place_of_its_weekday_and_leaves_the_night_before() -> None:
    hours = Hours(
        daily(*spans("18:00-02:00")).weekly, {date(2026, 3, 3): NEVER, date(2026, 3, 4): spans("10:00-12:00")}
    )
    shown = [
        is_open(hours, time_zone="UTC", moment=at(f"2026-03-{text}:00Z"))
        for text in ("03T01:00", "03T19:00", "04T01:00", "04T11:00", "04T19:00", "05T01:00")
    ]
    assert shown == [True, False, False, True, False, False]


def test_a_whole_day_leaves_no_gap_at_midnight() -> None:
    always = daily(*spans("00:00-24:00"))
    assert all(berlin(always, f"2026-03-02T{text}+01:00") for text in ("00:00", "23:59:59.999", "12:00"))


def test_an_hour_that_comes_twice_is_open_twice() -> None:
    """On 25 October 2026 Berlin's clock goes from 03:00 back to 02:00, at 01:00 UTC."""
    hours = daily(*spans("01:00-02:30"))
    shown = [berlin(hours, f"2026-10-{text}Z") for text in ("24T22:59", "24T23:00", "25T00:45", "25T01:29", "25T01:30")]
    assert shown == [False, True, True, True, False]
    begins_in_it = daily(*spans("02:30-04:00"))
    shown = [berlin(begins_in_it, f"2026-10-25T{text}Z") for text in ("00:29", "00:30", "01:15", "02:59", "03:00")]
    assert shown == [False, True, True, True, False]


def test_of_an_hour_that_is_left_out_nothing_is_missed() -> None:
    """On 29 March 2026 Berlin's clock goes from 02:00 to 03:00, at 01:00 UTC."""
    until_half = daily(*spans("23:00-02:30"))
    assert [berlin(until_half, f"2026-03-29T{text}Z") for text in ("00:30", "00:59:59", "01:00")] == [True, True, False]
    from_half = daily(*spans("02:30-04:00"))
    assert [berlin(from_half, f"2026-03-29T{text}Z") for text in ("00:59:59", "01:00", "01:59", "02:00")] == [
        False,
        True,
        True,
        False,
    ]


def test_a_store_knows_whether_it_is_open() -> None:
    store = Store("sto_1", "b", "Bund", "UTC", "CNY", 1, hours=daily(*spans("10:00-12:00")))
    moment = datetime(2026, 3, MONDAY, 11, tzinfo=UTC)
    assert is_open_at(store, moment) is True
    assert is_open_at(Store("sto_1", "b", "Bund", "UTC", "CNY", 1), moment) is None
    assert is_open_at(Store("sto_1", "b", "Bund", "UTC", "CNY", 1, hours=store.hours, closed=True), moment) is False


@pytest.mark.parametrize(
    ("opens", "closes"), [("9:00", "10:00"), ("24:00", "01:00"), ("10:60", "11:00"), ("10:00", "10:00"), ("", "10:00")]
)
def test_what_is_no_span(opens: str, closes: str) -> None:
    with pytest.raises(InvalidHoursError) as refused:
        span(opens, closes, path="here")
    assert refused.value.field == "here"


def test_a_span_is_written_as_it_was() -> None:
    found = span("09:05", "24:00", path="")
    assert (written(found.opens), written(found.closes)) == ("09:05", "24:00")


@pytest.mark.parametrize(
    ("hours", "field"),
    [
        (Hours((NEVER,) * 6), "h.weekly"),
        (Hours((spans("10:00-12:00", "11:00-13:00"), *(NEVER,) * 6)), "h.weekly.0.1"),
        (Hours((spans("22:00-01:00", "23:00-24:00"), *(NEVER,) * 6)), "h.weekly.0.1"),
        (Hours((NEVER,) * 7, {date(2026, 1, 1): spans("10:00-11:00") * 2}), "h.holidays.2026-01-01.1"),
        (Hours(((Span(0, 1),) * 11, *(NEVER,) * 6)), "h.weekly.0"),
        (Hours((NEVER,) * 7, {date.fromordinal(730_000 + number): NEVER for number in range(401)}), "h.holidays"),
    ],
)
def test_what_are_no_hours(hours: Hours, field: str) -> None:
    with pytest.raises(InvalidHoursError) as refused:
        check_hours(hours, path="h")
    assert refused.value.field == field
