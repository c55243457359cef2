"""Levels: what reaches them, how long they last, what corrects them; on days of the chain's calendar."""

from dataclasses import replace
from typing import Any

import pytest

from services.kit.errors import Problem
from services.points.domain.facts import TierChanged
from services.points.domain.programs import DEFAULT_PROGRAM, Program
from services.points.domain.tier_views import Progress
from services.points.domain.tiers import (
    Crossing,
    Falls,
    Lasts,
    LastsKind,
    Level,
    Metric,
    Need,
    Starts,
    Tiers,
    Window,
    WindowKind,
    by_spend,
)
from tests.support.chain_life import Life

LEVELS = (by_spend("basic", 0), by_spend("silver", 50_000, earn_permille=1_200), by_spend("gold", 100_000))
YEAR = Window(WindowKind.CALENDAR, 12)
END_OF_NEXT = Lasts(LastsKind.PERIODS, 1)


def program(levels: tuple[Level, ...] = LEVELS, **terms: Any) -> Program:
    return replace(DEFAULT_PROGRAM, tiers=Tiers(levels, **terms))


def life(**terms: Any) -> Life:
    return Life(program(**terms))


def test_the_crossing_purchase_earns_the_old_rate_or_the_new() -> None:
    assert life().buy("2026-03-05", 60_000).points == 600
    crossed = life(crossing=Crossing.NEW).buy("2026-03-05", 60_000)
    assert (crossed.points, crossed.level, crossed.level_before, crossed.level_after) == (
        720,
        "silver",
        "basic",
        "silver",
    )


def test_a_calendar_year_counts_anew_and_what_was_reached_lasts_to_the_end_of_the_next() -> None:
    one = life(window=YEAR, lasts=END_OF_NEXT)
    one.buy("2025-11-20", 30_000)
    one.buy("2026-01-02", 30_000)
    assert one.level("2026-01-02") == "basic"  # each year had 300.00
    one.buy("2026-12-31T23:59", 20_000)
    assert one.level("2026-12-31T23:59") == "silver"
    assert one.day(one.account("2027-06-01").standing.until) == "2028-01-01"
    assert [one.level(day) for day in ("2027-12-31T23:59", "2028-01-01T00:00")] == ["silver", "basic"]


def test_a_level_is_renewed_when_its_term_brought_enough() -> None:
    one = life(window=YEAR, lasts=END_OF_NEXT)
    one.buy("2025-05-01", 60_000)
    one.buy("2026-05-01", 60_000)
    one.settle("2027-01-01")
    assert one.changes() == [("2025-05-01T12:00", "silver", "reached")]
    assert one.day(one.account("2027-01-01").standing.until) == "2028-01-01"
    assert [one.level(day) for day in ("2027-12-31", "2028-01-01")] == ["silver", "basic"]


@pytest.mark.parametrize(("falls", "to"), [(Falls.ONE_LEVEL, "silver"), (Falls.TO_FIT, "basic")])
def test_who_is_not_renewed_falls_one_level_or_to_what_fits(falls: Falls, to: str) -> None:
    one = life(window=YEAR, lasts=END_OF_NEXT, falls=falls)
    one.buy("2025-05-01", 100_000)
    one.buy("2026-05-01", 10_000)
    one.settle("2027-01-01")
    assert one.changes()[1:] == [("2027-01-01", to, "ended")]


def test_it_may_take_less_to_stay_than_to_get_there() -> None:
    kept = replace(LEVELS[1], keeps=(Need(Metric.SPEND, 20_000),))
    one = life(levels=(LEVELS[0], kept), window=YEAR, lasts=END_OF_NEXT)
    one.buy("2025-05-01", 50_000)
    one.buy("2026-05-01", 20_000)
    one.buy("2027-05-01", 19_999)
    assert [one.level(day) for day in ("2027-01-01", "2027-12-31", "2028-01-01")] == ["silver", "silver", "basic"]


def test_grace_days_give_time_after_the_term() -> None:
    one = life(window=YEAR, lasts=replace(END_OF_NEXT, grace_days=31))
    one.buy("2025-05-01", 60_000)
    assert [one.level(day) for day in ("2027-01-31T23:59", "2027-02-01T00:00")] == ["silver", "basic"]


def test_rolling_months_end_to_the_day_while_they_are_met() -> None:
    one = life(window=Window(WindowKind.ROLLING, 12), lasts=Lasts(LastsKind.WHILE_MET))
    one.buy("2027-02-28", 30_000)
    one.buy("2027-03-15", 30_000)
    assert one.level("2027-03-15") == "silver"
    assert [one.level(day) for day in ("2028-02-27", "2028-02-28")] == ["silver", "basic"]
    one.settle("2028-03-01")
    assert one.changes()[1:] == [("2028-02-28", "basic", "not_met")]


def test_months_since_the_level_was_reached_and_a_renewal_on_its_day() -> None:
    one = life(window=Window(WindowKind.ROLLING, 12), lasts=Lasts(LastsKind.MONTHS, 12))
    one.buy("2024-02-29", 50_000)
    one.buy("2024-06-01", 50_000)  # gold: the term begins again
    one.buy("2025-05-31", 60_000)
    one.settle("2025-06-01")
    assert one.changes() == [
        ("2024-02-29T12:00", "silver", "reached"),
        ("2024-06-01T12:00", "gold", "reached"),
    ]  # the year to 2025-05-31 brought 1,100.00
    assert one.day(one.account("2025-06-01").standing.until) == "2026-06-01"
    one.settle("2026-06-01")
    assert one.changes()[2:] == [("2026-06-01", "basic", "ended")]


def test_years_of_membership_begin_when_the_member_joined() -> None:
    one = life(window=Window(WindowKind.JOINING, 12), lasts=Lasts(LastsKind.PERIODS, 0))
    one.buy("2025-03-10", 10_000)
    one.buy("2026-03-09", 30_000)
    one.buy("2026-03-10", 20_000)  # the second year
    assert one.level("2026-03-10") == "basic"
    one.buy("2027-03-09", 30_000)
    assert [one.level(day) for day in ("2027-03-09", "2027-03-10")] == ["silver", "basic"]


def test_a_level_by_any_two_of_three() -> None:
    needs = (Need(Metric.SPEND, 50_000), Need(Metric.VISITS, 3), Need(Metric.POINTS, 400))
    one = life(levels=(LEVELS[0], Level("gold", needs, any_of=2)))
    one.buy("2026-01-01", 10_000)
    one.buy("2026-01-02", 10_000)
    assert one.level("2026-01-02") == "basic"
    one.buy("2026-01-03", 10_000)  # three visits
    assert one.level("2026-01-03") == "basic"
    one.buy("2026-01-04", 10_000)  # and 400 points
    assert one.level("2026-01-04") == "gold"


def test_a_level_that_was_reached_may_begin_with_the_next_period() -> None:
    one = life(window=Window(WindowKind.CALENDAR, 3), lasts=END_OF_NEXT, starts=Starts.NEXT_PERIOD)
    bought = one.buy("2026-02-10", 60_000)
    assert one.shown("2026-02-10").begins_at == one.moment("2026-04-01T00:00")
    assert [one.level(day) for day in ("2026-03-31T23:59", "2026-04-01T00:00", "2026-09-30", "2026-10-01")] == [
        *("basic", "silver", "silver", "basic"),
    ]
    one.refund("2026-03-01", bought)
    assert one.level("2026-04-01") == "basic"


def test_counters_may_begin_anew_with_each_level() -> None:
    one = life(counts_anew=True)
    one.buy("2026-01-01", 60_000)
    one.buy("2026-01-02", 90_000)
    assert one.level("2026-01-02") == "silver"  # 900.00 since silver
    one.buy("2026-01-03", 10_000)
    assert one.level("2026-01-03") == "gold"


def test_a_refund_corrects_the_level_from_then_on() -> None:
    one = life()
    bought = one.buy("2026-01-01", 60_000)
    one.buy("2026-01-05", 10_000)
    one.refund("2026-01-10", bought, 30_000)
    late = one.buy("2026-01-07", 9_000)
    assert one.changes() == [("2026-01-01T12:00", "silver", "reached"), ("2026-01-10T12:00", "basic", "corrected")]
    assert late.level == "silver"  # it held on that day


def test_a_level_that_is_lost_and_reached_again_is_told_so() -> None:
    one = life()
    bought = one.buy("2026-01-01", 60_000)
    one.refund("2026-01-02", bought)
    one.buy("2026-01-03", 60_000)
    told = [(event.to_level, event.falls, event.again) for event in one.ledger.told if isinstance(event, TierChanged)]
    assert told == [("silver", False, False), ("basic", True, False), ("silver", False, True)]


def test_a_refund_of_what_was_bought_since_does_not_take_the_level() -> None:
    one = life(window=YEAR, lasts=END_OF_NEXT)
    one.buy("2025-05-01", 60_000)
    later = one.buy("2026-02-01", 10_000)
    one.refund("2026-02-02", later)
    assert one.level("2026-02-02") == "silver"


def test_a_late_receipt_counts_where_it_belongs() -> None:
    one = life(window=YEAR, lasts=END_OF_NEXT)
    one.buy("2025-12-01", 40_000)
    one.buy("2026-01-05", 10_000)
    one.buy("2025-12-30", 20_000)  # late: 600.00 in 2025, 100.00 in 2026
    assert one.level("2026-01-05") == "basic"  # it is 2026 by now
    one.buy("2026-01-04", 45_000)
    assert one.changes() == [("2026-01-05T12:00", "silver", "reached")]


def test_a_level_by_hand_ends_on_its_day_and_yields_to_a_higher_one() -> None:
    invited = (*LEVELS, Level("black", earn_permille=1_500))
    one = Life(program(levels=invited))
    one.buy("2026-01-01", 50_000)
    one.grant("2026-01-02", "black", until="2026-03-01T00:00")
    assert one.buy("2026-02-28", 10_000).points == 150
    one.settle("2026-03-01")
    assert one.changes() == [
        ("2026-01-01T12:00", "silver", "reached"),
        ("2026-01-02T12:00", "black", "granted"),
        ("2026-03-01", "silver", "grant_ended"),
    ]
    one.grant("2026-03-02", "silver")
    one.buy("2026-03-03", 100_000)
    assert one.level("2026-03-03") == "gold"
    one.grant("2026-03-04", "")
    assert (one.level("2026-03-04"), len(one.entries("level_granted", "level_withdrawn"))) == ("gold", 3)


def test_a_level_that_there_is_not_or_that_is_over_is_not_given() -> None:
    one = life()
    with pytest.raises(Problem, match="There is no level diamond in the program: choose one of basic, silver, gold"):
        one.grant("2026-01-01", "diamond")
    with pytest.raises(Problem, match="cannot be given until 2026-01-01"):
        one.grant("2026-01-02", "gold", until="2026-01-01")
    assert one.ledger.entries == []


def test_what_is_shown() -> None:
    one = life(window=YEAR, lasts=END_OF_NEXT)
    one.buy("2026-05-01", 60_000)
    one.buy("2027-05-01", 10_000)
    shown = one.shown("2027-06-01")
    assert (shown.level, one.day(shown.since), one.day(shown.until)) == ("silver", "2026-05-01T12:00", "2028-01-01")
    assert (shown.next_level, shown.reaches, shown.missing_minor) == (
        "gold",
        (Progress(Metric.SPEND, 10_000, 100_000),),
        90_000,
    )
    assert (shown.keeps, shown.falls_to) == ((Progress(Metric.SPEND, 10_000, 50_000),), "basic")


@pytest.mark.parametrize(("falls", "to"), [(Falls.ONE_LEVEL, "silver"), (Falls.TO_FIT, "basic")])
def test_where_a_member_would_fall_is_where_the_member_falls(falls: Falls, to: str) -> None:
    one = life(window=YEAR, lasts=END_OF_NEXT, falls=falls)
    one.buy("2026-05-01", 100_000)
    one.buy("2027-05-01", 10_000)
    assert one.shown("2027-06-01").falls_to == to
    one.settle("2028-01-01")
    assert one.level("2028-01-01") == to


def test_where_nothing_would_be_lost_nothing_is_said() -> None:
    one = life(window=YEAR, lasts=END_OF_NEXT)
    one.buy("2026-05-01", 60_000)
    one.buy("2027-05-01", 49_999)
    assert one.shown("2027-06-01").falls_to == "basic"
    one.buy("2027-06-02", 1)
    shown = one.shown("2027-06-03")
    assert (shown.keeps, shown.falls_to) == ((Progress(Metric.SPEND, 50_000, 50_000),), "")


def test_what_counts_for_staying_is_what_counts_in_the_term() -> None:
    one = life(window=YEAR, lasts=replace(END_OF_NEXT, grace_days=31))
    one.buy("2025-05-01", 60_000)  # until the end of 2026
    shown = one.shown("2025-06-01")
    assert (shown.keeps, shown.falls_to) == ((Progress(Metric.SPEND, 0, 50_000),), "basic")
    one.buy("2026-05-01", 50_000)
    one.buy("2027-01-01", 10_000)  # in the grace, and in the next year
    shown = one.shown("2027-01-31")
    assert (one.day(shown.until), shown.spend_minor) == ("2027-02-01", 10_000)
    assert (shown.keeps, shown.falls_to) == ((Progress(Metric.SPEND, 50_000, 50_000),), "")


def test_what_leaves_a_rolling_window_before_the_term_ends_keeps_nothing() -> None:
    one = life(window=Window(WindowKind.ROLLING, 12), lasts=Lasts(LastsKind.MONTHS, 12))
    one.buy("2025-03-01", 30_000)
    one.buy("2025-06-01", 30_000)  # silver, until 2026-06-01: what was bought by then a year ago counts no more
    shown = one.shown("2025-06-02")
    assert (shown.keeps, shown.falls_to) == ((Progress(Metric.SPEND, 30_000, 50_000),), "basic")


def test_a_level_that_nothing_renews_says_only_where_it_falls() -> None:
    one = life(window=YEAR, lasts=Lasts(LastsKind.PERIODS, 0))
    one.buy("2026-05-01", 60_000)
    shown = one.shown("2026-06-01")
    assert (one.day(shown.until), shown.keeps, shown.falls_to) == ("2027-01-01", (), "basic")


def test_behind_a_level_by_hand_stands_what_was_reached_if_it_is_there_still() -> None:
    one = Life(program((*LEVELS, Level("black", earn_permille=1_500)), window=YEAR, lasts=END_OF_NEXT))
    one.buy("2026-05-01", 60_000)  # until the end of 2027
    one.grant("2026-05-02", "black", until="2027-12-31")
    assert (one.shown("2026-06-01").keeps, one.shown("2026-06-01").falls_to) == ((), "silver")
    one.grant("2026-06-02", "black", until="2028-03-01")
    assert one.shown("2026-06-03").falls_to == "basic"


def test_a_term_that_a_new_version_ended_loses_nothing() -> None:
    moment = Life(program()).moment("2026-06-01T00:00")
    later = replace(program(), version=2, effective_from=moment)
    one = Life(program(window=YEAR, lasts=END_OF_NEXT), later)
    one.buy("2026-05-01", 60_000)
    assert one.shown("2026-05-02").falls_to == "basic"
    shown = one.shown("2026-06-02")
    assert (one.day(shown.until), shown.keeps, shown.falls_to) == ("2028-01-01", (), "")


def test_a_new_version_changes_nothing_that_was_reached_but_its_term() -> None:
    early, later = program(), program(window=YEAR, lasts=END_OF_NEXT)
    moment = Life(early).moment("2026-06-01T00:00")
    one = Life(early, replace(later, version=2, effective_from=moment))
    one.buy("2025-05-01", 60_000)
    assert one.account("2026-05-01").standing.until is None
    one.buy("2026-06-02", 10_000)
    assert (one.level("2026-06-02"), one.day(one.account("2026-06-02").standing.until)) == ("silver", "2028-01-01")
