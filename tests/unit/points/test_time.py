"""Two years of a chain: every expiry, reminder, release, upgrade and downgrade on its day, by the chain's calendar."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.points.domain.calendar import Span, add_months, begins, day_of, ends, period_of
from services.points.domain.expiries import Activity, Cycle, Expiry, MonthDay, Release, RoundsTo
from services.points.domain.programs import DEFAULT_PROGRAM, Program
from services.points.domain.tiers import Lasts, LastsKind, Tiers, Window, WindowKind, by_spend
from tests.support.chain_life import Life

ZONES = [
    "Europe/London",
    "America/New_York",
    "Asia/Shanghai",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Asia/Beirut",
]
DAYS = st.dates(date(2015, 1, 1), date(2030, 12, 31))


@given(day=DAYS, zone=st.sampled_from(ZONES))
def test_a_day_begins_when_the_zone_says(day: date, zone: str) -> None:
    first = begins(day, zone)
    assert day_of(first, zone) == day
    assert day_of(first - timedelta(milliseconds=1), zone) == day - timedelta(days=1)
    assert ends(day, zone) == begins(day + timedelta(days=1), zone)


@given(day=DAYS, anchor=DAYS, months=st.sampled_from([1, 3, 6, 12]))
def test_each_day_lies_in_one_period(day: date, anchor: date, months: int) -> None:
    first, following = period_of(day, months, anchor=anchor)
    assert first <= day < following
    assert period_of(following, months, anchor=anchor)[0] == following


@given(day=DAYS, months=st.integers(-30, 30))
def test_months_keep_the_day_or_take_the_last(day: date, months: int) -> None:
    moved = add_months(day, months)
    assert (moved.year - day.year) * 12 + moved.month - day.month == months
    assert moved.day == day.day or (moved.day < day.day and (moved + timedelta(days=1)).day == 1)


@pytest.mark.parametrize(
    ("expiry", "earned", "last"),
    [
        (Expiry(), "2026-03-05", None),
        (Expiry(Span(days=30)), "2026-03-05", "2026-04-04"),
        (Expiry(Span(months=1)), "2028-01-31", "2028-02-29"),
        (Expiry(Span(months=12)), "2028-02-29", "2029-02-28"),
        (Expiry(Span(months=12), rounds_to=RoundsTo.MONTH), "2028-02-29", "2029-02-28"),
        (Expiry(Span(months=12), rounds_to=RoundsTo.YEAR), "2026-03-05", "2027-12-31"),
        (Expiry(cycles=(Cycle(MonthDay(12, 31), MonthDay(12, 31)),)), "2026-12-31", "2026-12-31"),
        (Expiry(cycles=(Cycle(MonthDay(12, 31), MonthDay(3, 31)),)), "2026-01-01", "2027-03-31"),
        (Expiry(cycles=(Cycle(MonthDay(2, 29), MonthDay(2, 29)),)), "2026-03-01", "2027-02-28"),
        (Expiry(cycles=(Cycle(MonthDay(2, 29), MonthDay(2, 29)),)), "2027-03-01", "2028-02-29"),
        (
            Expiry(cycles=(Cycle(MonthDay(6, 30), MonthDay(9, 30)), Cycle(MonthDay(12, 31), MonthDay(3, 31)))),
            "2026-07-01",
            "2027-03-31",
        ),
        (Expiry(Span(days=10), cycles=(Cycle(MonthDay(12, 31), MonthDay(12, 31)),)), "2026-12-30", "2026-12-31"),
    ],
)
def test_the_last_day(expiry: Expiry, earned: str, last: str | None) -> None:
    day = date.fromisoformat(earned)
    found = expiry.last_day(day, day)
    assert (found.isoformat() if found else None) == last


# A chain in London: the clocks go forward on 2027-03-28 and 2028-03-26, back on 2026-10-25 and 2027-10-31.
LONDON = replace(
    DEFAULT_PROGRAM,
    tiers=Tiers(
        (by_spend("regular", 0), by_spend("silver", 50_000, earn_permille=1_200)),
        window=Window(WindowKind.CALENDAR, 12),
        lasts=Lasts(LastsKind.PERIODS, 0, grace_days=28),
    ),
    expiry=Expiry(Span(months=12)),
    release=Release(14),
    remind_days=30,
)


def test_two_years_in_london() -> None:
    life = Life(LONDON, zone="Europe/London")
    life.buy("2027-02-28T23:30", 10_000)
    life.buy("2027-03-14T09:00", 20_000)  # released on the day that the clocks go forward
    life.buy("2027-12-30", 30_000)  # silver, to the end of 2027 and 28 days
    life.buy("2028-02-29", 1_000)
    for day in range(760):  # what is due is done on its day, whatever else happens
        life.settle(f"{date(2027, 3, 15) + timedelta(days=day)}T00:00")
    happened = [
        (entry.kind.value, life.day(entry.occurred_at), entry.postings[0].amount)
        for entry in life.entries("release", "expiry")
    ]
    assert happened == [
        ("release", "2027-03-15", 0),
        ("release", "2027-03-29", 0),
        ("release", "2028-01-14", 0),
        ("expiry", "2028-02-29", -100),  # the 28th was the last day
        ("release", "2028-03-15", 0),  # at the same midnight, and first
        ("expiry", "2028-03-15", -200),
        ("expiry", "2028-12-31", -300),
        ("expiry", "2029-03-01", -10),
    ]
    assert life.reminders() == [
        (100, "2028-02-29"),
        (200, "2028-03-15"),
        (300, "2028-12-31"),
        (10, "2029-03-01"),
    ]
    assert life.changes() == [
        ("2027-12-30T12:00", "silver", "reached"),
        ("2028-01-29", "regular", "ended"),
    ]
    # The day on which the clocks went forward had 23 hours, and midnight was midnight.
    forward = next(entry for entry in life.entries("release") if life.day(entry.occurred_at) == "2027-03-29")
    assert forward.occurred_at == datetime(2027, 3, 28, 23, tzinfo=UTC)


def test_a_reminder_comes_once_for_each_batch_and_again_when_its_end_has_moved() -> None:
    program = replace(DEFAULT_PROGRAM, expiry=Expiry(idle=Span(months=6)), remind_days=10)
    life = Life(program)
    life.buy("2026-01-01", 10_000)
    life.buy("2026-01-01T18:00", 5_000)
    for day in ("2026-06-21", "2026-06-22", "2026-06-23", "2026-06-30"):
        life.settle(day)
    assert life.reminders() == [(150, "2026-07-02")]
    life.buy("2026-06-30", 1_000)
    for day in ("2026-12-19", "2026-12-21", "2026-12-22"):
        life.settle(day)
    assert life.reminders()[1:] == [(160, "2026-12-31")]


def test_what_was_spent_is_not_reminded_of() -> None:
    life = Life(replace(DEFAULT_PROGRAM, expiry=Expiry(Span(days=30)), remind_days=5))
    life.buy("2026-01-01", 10_000)
    life.spend("2026-01-02", 100)
    life.settle("2026-03-01")
    assert life.reminders() == []


def test_spending_is_activity_where_the_program_says_so() -> None:
    for active_by, left in ((frozenset({Activity.EARNING}), 0), (frozenset({Activity.REDEMPTION}), 90)):
        life = Life(
            replace(DEFAULT_PROGRAM, expiry=Expiry(idle=Span(days=30), active_by=active_by | {Activity.EARNING}))
        )
        life.buy("2026-01-01", 10_000)
        life.spend("2026-01-20", 10)
        assert life.available("2026-02-10") == left


def test_a_higher_level_adds_to_the_life_of_what_it_earns_and_the_longest_wins() -> None:
    levels = (
        by_spend("basic", 0),
        replace(by_spend("silver", 50_000), extends=Span(months=6)),
        replace(by_spend("gold", 200_000), extends=Span(months=3)),
    )
    life = Life(replace(DEFAULT_PROGRAM, tiers=Tiers(levels), expiry=Expiry(Span(months=12))))
    assert life.expires(life.buy("2026-01-01", 10_000)) == "2027-01-02"
    assert life.expires(life.buy("2026-01-02", 50_000)) == "2027-07-03"  # reaches silver
    assert life.expires(life.buy("2026-01-03", 200_000)) == "2027-07-04"  # gold, and silver's is the longer


def test_points_that_wait_for_a_delivery() -> None:
    life = Life(replace(DEFAULT_PROGRAM, release=Release(30, on_action=True)))
    first, second = life.buy("2026-01-01", 10_000), life.buy("2026-01-01", 5_000)
    assert life.balances("2026-01-02").pending == 150
    assert life.release("2026-01-03", first).entry
    assert (life.available("2026-01-03"), life.balances("2026-01-03").pending) == (100, 50)
    assert not life.release("2026-01-04", first).entry  # again: nothing to do
    assert life.available("2026-02-01") == 150
    assert second.points == 50


def test_a_purchase_in_the_future_of_a_version_is_rated_by_its_own() -> None:
    generous = replace(
        DEFAULT_PROGRAM,
        version=2,
        earning=replace(DEFAULT_PROGRAM.earning, rules=(replace(DEFAULT_PROGRAM.earning.rules[0]),)),
        expiry=Expiry(Span(days=1)),
        effective_from=datetime(2026, 3, 1, tzinfo=ZoneInfo("Asia/Shanghai")).astimezone(UTC),
    )
    life = Life(DEFAULT_PROGRAM, generous)
    new = life.buy("2026-03-01T00:00", 10_000)
    late = life.buy("2026-02-28T23:59", 10_000)
    assert (new.program_version, late.program_version) == (2, 1)
    assert (life.expires(new), life.expires(late)) == ("2026-03-03", "")


def test_a_refund_is_rated_by_the_version_of_its_purchase() -> None:
    moment = Life(DEFAULT_PROGRAM).moment("2026-03-01")
    mean: Program = replace(DEFAULT_PROGRAM, version=2, effective_from=moment)
    mean = replace(mean, earning=replace(mean.earning, min_spend_minor=1_000_000))
    life = Life(DEFAULT_PROGRAM, mean)
    bought = life.buy("2026-02-01", 10_000)
    life.refund("2026-03-05", bought, 4_000)
    assert life.available("2026-03-05") == 60


def test_a_version_that_reminds_is_heeded_by_accounts_that_were_there_before() -> None:
    plain = replace(DEFAULT_PROGRAM, expiry=Expiry(Span(days=100)))
    later = replace(plain, version=2, remind_days=30, effective_from=Life(plain).moment("2026-02-01"))
    life = Life(plain, later)
    life.buy("2026-01-01", 10_000)  # until 2026-04-11
    assert life.day(life.account("2026-01-02").due_at) == "2026-02-01T12:00"
    life.settle("2026-02-02")
    life.settle("2026-03-13")
    assert life.reminders() == [(100, "2026-04-12")]
