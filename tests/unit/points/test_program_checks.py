"""What a program cannot mean is refused with its place and a sentence; the table is of exact words."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from services.points.domain.calendar import Span
from services.points.domain.expiries import Cycle, Expiry, MonthDay, Release, Starts
from services.points.domain.program_checks import InvalidProgramError, check_program
from services.points.domain.programs import DEFAULT_PROGRAM, Program, Programs, rate
from services.points.domain.purchases import Channel
from services.points.domain.referral_terms import Referral
from services.points.domain.rules import (
    Cap,
    CapUnit,
    CapWindow,
    Factor,
    Fixed,
    LineMatch,
    PerVisit,
    Rate,
    Rule,
    Slot,
    Where,
)
from services.points.domain.tiers import Benefit, BenefitKind, Lasts, LastsKind, Level, Metric, Need, Window, WindowKind
from services.points.domain.tiers import Starts as LevelStarts
from tests.support.programs import stamps

LIVE = Programs()


def rules(*more: Rule, **terms: Any) -> Program:
    earning = DEFAULT_PROGRAM.earning
    return replace(DEFAULT_PROGRAM, earning=replace(earning, **{"rules": (*earning.rules, *more), **terms}))


def rule(code: str = "more", effect: Any = None, **terms: Any) -> Rule:
    return Rule(code, effect or Fixed(5), **terms)


def where(**terms: Any) -> Program:
    return rules(rule(where=Where(**terms)))


def tiers(**terms: Any) -> Program:
    return replace(DEFAULT_PROGRAM, tiers=replace(DEFAULT_PROGRAM.tiers, **terms))


def silver(**terms: Any) -> Program:
    first, second, *more = DEFAULT_PROGRAM.tiers.levels
    return tiers(levels=(first, replace(second, **terms), *more))


def expiry(**terms: Any) -> Program:
    return replace(DEFAULT_PROGRAM, expiry=Expiry(**terms))


YEARLY = Cycle(MonthDay(12, 31), MonthDay(3, 31))
LEVELS = DEFAULT_PROGRAM.tiers.levels
ROLLING = Window(WindowKind.ROLLING, 12)

REFUSED: list[tuple[Program, str, str]] = [
    (rules(rules=()), "earning.rules", "these are 0, and there can be 1 to 200"),
    (rules(*(rule(f"r{n}") for n in range(200))), "earning.rules", "these are 201, and there can be 1 to 200"),
    (rules(rule("")), "earning.rules.1.code", "a code has 1 to 64 characters"),
    (rules(rule("x" * 65)), "earning.rules.1.code", "a code has 1 to 64 characters"),
    (rules(rule("a/b")), "earning.rules.1.code", "a code has no `/` and no `*`"),
    (rules(rule("*")), "earning.rules.1.code", "a code has no `/` and no `*`"),
    (rules(rule("tier:gold")), "earning.rules.1.code", "codes that begin with `tier:` are the levels' own"),
    (rules(rule("base")), "earning.rules.1.code", "there are two rules base"),
    (
        rules(rules=(stamps("coffee"), rule())),
        "earning.rules",
        "no rule gives points for money, visits or pieces, which the others build on",
    ),
    (
        rules(rule(currency="stars")),
        "earning.rules.1.currency",
        "there is no currency stars: choose one of points, stamps",
    ),
    (
        rules(rule(effect=Rate(0, 100))),
        "earning.rules.1.effect.rate.points",
        "this is 0, and must be from 1 to 1000000000",
    ),
    (
        rules(rule(effect=Rate(1, 0))),
        "earning.rules.1.effect.rate.perMinor",
        "this is 0, and must be from 1 to 1000000000000",
    ),
    (
        rules(rule(effect=PerVisit(-1))),
        "earning.rules.1.effect.perVisit.points",
        "this is -1, and must be from 1 to 1000000000",
    ),
    (
        rules(rule(effect=Factor(999))),
        "earning.rules.1.effect.factor.permille",
        "this is 999, and must be from 1000 to 100000",
    ),
    (
        rules(rule(effect=Factor(100_001))),
        "earning.rules.1.effect.factor.permille",
        "this is 100001, and must be from 1000 to 100000",
    ),
    (
        rules(rule(effect=Fixed(0))),
        "earning.rules.1.effect.fixed.points",
        "this is 0, and must be from 1 to 1000000000",
    ),
    (
        rules(rule(lines=LineMatch(items=frozenset(map(str, range(501)))))),
        "earning.rules.1.lines.items",
        "these are 501, and there can be 0 to 500",
    ),
    (
        rules(rule(lines=LineMatch(not_categories=frozenset({""})))),
        "earning.rules.1.lines.notCategories",
        "each has 1 to 128 characters",
    ),
    (
        rules(excluded=LineMatch(not_items=frozenset({"x"}))),
        "earning.excluded",
        "what is excluded is named by items and categories alone",
    ),
    (rules(min_spend_minor=-1), "earning.minSpendMinor", "this is -1, and must be from 0 to 1000000000000"),
    (where(channels=frozenset({Channel.UNKNOWN})), "earning.rules.1.where.channels", "say which channel"),
    (where(levels=frozenset({"platinum"})), "earning.rules.1.where.levels", "the program has no level platinum"),
    (
        where(slots=(Slot(),) * 21),
        "earning.rules.1.where.slots",
        "these are 21, and there can be 0 to 20",
    ),
    (
        where(slots=(Slot(frozenset({8})),)),
        "earning.rules.1.where.slots.0.weekdays",
        "this is 8, and must be from 1 to 7",
    ),
    (
        where(slots=(Slot(), Slot(until_minute=1441))),
        "earning.rules.1.where.slots.1.untilMinute",
        "this is 1441, and must be from 0 to 1440",
    ),
    (
        where(slots=(Slot(from_minute=60, until_minute=60),)),
        "earning.rules.1.where.slots.0.untilMinute",
        "the slot ends when it begins; the whole day is from 0 until 1440",
    ),
    (
        where(first_day=date(2026, 3, 2), last_day=date(2026, 3, 1)),
        "earning.rules.1.where.lastDay",
        "it lies before the first day",
    ),
    (
        where(condition="member.visits >> 3"),
        "earning.rules.1.where.condition",
        "the condition is not right: line 1, column 16: `>` does not fit here",
    ),
    (
        where(condition="member.visit > 3"),
        "earning.rules.1.where.condition",
        (
            "the condition is not right: line 1, column 1: there is no `member.visit`; "
            "known are tier, visits, spend_minor, points, days_since_last, days_since_joining"
        ),
    ),
    (
        rules(rule(caps=(Cap(0, CapWindow.DAY),))),
        "earning.rules.1.caps.0.limit",
        "this is 0, and must be from 1 to 1000000000000",
    ),
    (
        rules(rule(caps=tuple(Cap(n, CapWindow.DAY) for n in range(1, 12)))),
        "earning.rules.1.caps",
        "these are 11, and there can be 0 to 10",
    ),
    (
        rules(caps=(Cap(1, CapWindow.DAY), Cap(2, CapWindow.DAY, CapUnit.TIMES), Cap(3, CapWindow.DAY))),
        "earning.caps.2",
        "there are two caps of the same window and unit",
    ),
    (tiers(levels=()), "tiers.levels", "these are 0, and there can be 1 to 20"),
    (
        tiers(levels=(*LEVELS, *(Level(f"l{n}") for n in range(17)))),
        "tiers.levels",
        "these are 21, and there can be 1 to 20",
    ),
    (tiers(levels=(*LEVELS, Level("gold"))), "tiers.levels.4.code", "there are two levels gold"),
    (
        tiers(levels=LEVELS[:-1]),
        "tiers.levels",
        "level black_gold is missing: members hold it, so it must stay",
    ),
    (
        tiers(levels=(replace(LEVELS[0], needs=(Need(Metric.VISITS, 0),)), *LEVELS[1:])),
        "tiers.levels.0.needs",
        "the first level is everybody's, so it asks for nothing",
    ),
    (
        tiers(levels=(replace(LEVELS[0], needs=(Need(Metric.SPEND, 1),)), *LEVELS[1:])),
        "tiers.levels.0.needs",
        "the first level is everybody's, so it asks for nothing",
    ),
    (
        silver(needs=(Need(Metric.SPEND, 0),)),
        "tiers.levels.1.needs.0.atLeast",
        "this is 0, and must be from 1 to 1000000000000",
    ),
    (
        silver(needs=(Need(Metric.SPEND, 1), Need(Metric.SPEND, 2))),
        "tiers.levels.1.needs.1.metric",
        "there are two needs of spend",
    ),
    (silver(any_of=2), "tiers.levels.1.anyOf", "this is 2, and must be from 0 to 1"),
    (silver(earn_permille=999), "tiers.levels.1.earnPermille", "this is 999, and must be from 1000 to 100000"),
    (silver(extends=Span(months=-1)), "tiers.levels.1.extends", "a span has no negative part and at most 10 years"),
    (
        silver(benefits=(Benefit(BenefitKind.COUPON_PACK, "x" * 65),)),
        "tiers.levels.1.benefits.0.code",
        "a code has at most 64 characters",
    ),
    (tiers(window=Window(months=1)), "tiers.window.months", "this is 1, and must be from 0 to 0"),
    (tiers(window=Window(WindowKind.ROLLING, 25)), "tiers.window.months", "this is 25, and must be from 1 to 24"),
    (tiers(window=Window(WindowKind.JOINING, 25)), "tiers.window.months", "this is 25, and must be from 0 to 24"),
    (
        tiers(window=Window(WindowKind.CALENDAR, 4)),
        "tiers.window.months",
        "a calendar window has 1, 3, 6 or 12 months",
    ),
    (
        tiers(lasts=Lasts(LastsKind.PERIODS, 1), window=ROLLING),
        "tiers.lasts.kind",
        "the window has no periods, so a level cannot last for such",
    ),
    (tiers(lasts=Lasts(LastsKind.MONTHS, 0)), "tiers.lasts.count", "this is 0, and must be from 1 to 60"),
    (
        tiers(lasts=Lasts(LastsKind.PERIODS, 9), window=Window(WindowKind.CALENDAR, 12)),
        "tiers.lasts.count",
        "this is 9, and must be from 0 to 8",
    ),
    (
        tiers(lasts=Lasts(LastsKind.MONTHS, 12, grace_days=91)),
        "tiers.lasts.graceDays",
        "this is 91, and must be from 0 to 90",
    ),
    (
        tiers(starts=LevelStarts.NEXT_PERIOD, window=ROLLING),
        "tiers.starts",
        "the window has no periods, so there is no next one",
    ),
    (expiry(life=Span(months=121)), "expiry.life", "a span has no negative part and at most 10 years"),
    (expiry(idle=Span(days=40, months=119)), "expiry.idle", "a span has no negative part and at most 10 years"),
    (expiry(active_by=frozenset()), "expiry.activeBy", "say what keeps points alive"),
    (
        expiry(cycles=(Cycle(MonthDay(2, 30), MonthDay(3, 1)),)),
        "expiry.cycles.0.lastDay.day",
        "month 2 has no day 30",
    ),
    (
        expiry(cycles=(Cycle(MonthDay(2, 28), MonthDay(13, 1)),)),
        "expiry.cycles.0.expires.month",
        "this is 13, and must be from 1 to 12",
    ),
    (expiry(cycles=(YEARLY, YEARLY)), "expiry.cycles.1.lastDay", "two cycles end on this day"),
    (expiry(cycles=(YEARLY,) * 13), "expiry.cycles", "these are 13, and there can be 0 to 12"),
    (
        replace(DEFAULT_PROGRAM, release=Release(on_action=True), expiry=Expiry(starts=Starts.ACTIVATED)),
        "release.onAction",
        (
            "a life that is counted from becoming available needs a day that is known at the grant: name days too, or "
            "count from earning"
        ),
    ),
    (replace(DEFAULT_PROGRAM, release=Release(-1)), "release.days", "this is -1, and must be from 0 to 365"),
    (replace(DEFAULT_PROGRAM, remind_days=91), "remindDays", "this is 91, and must be from 0 to 90"),
    (
        replace(DEFAULT_PROGRAM, adjustment_limit=-1),
        "adjustmentLimit",
        "this is -1, and must be from 0 to 1000000000000",
    ),
    (
        replace(DEFAULT_PROGRAM, referral=Referral(referrer_points=-1)),
        "referral.referrerPoints",
        "this is -1, and must be from 0 to 1000000",
    ),
    (
        replace(DEFAULT_PROGRAM, referral=Referral(referred_points=1_000_001)),
        "referral.referredPoints",
        "this is 1000001, and must be from 0 to 1000000",
    ),
    (
        replace(DEFAULT_PROGRAM, referral=Referral(most_a_month=10_001)),
        "referral.mostAMonth",
        "this is 10001, and must be from 0 to 10000",
    ),
]


@pytest.mark.parametrize(("program", "field", "why"), REFUSED, ids=[f"{field} {why}" for _, field, why in REFUSED])
def test_what_cannot_be_meant_is_refused_with_its_place(program: Program, field: str, why: str) -> None:
    with pytest.raises(InvalidProgramError) as refused:
        check_program(program, LIVE)
    assert (refused.value.field, refused.value.message) == (field, f"The program is not right: {why}.")


MEANT: list[Callable[[], Program]] = [
    lambda: DEFAULT_PROGRAM,
    lambda: tiers(levels=(*LEVELS, Level("invited"))),
    lambda: tiers(window=Window(WindowKind.JOINING, 0)),
    lambda: tiers(
        window=Window(WindowKind.CALENDAR, 12),
        lasts=Lasts(LastsKind.PERIODS, 1, grace_days=30),
        starts=LevelStarts.NEXT_PERIOD,
    ),
    lambda: expiry(cycles=(Cycle(MonthDay(2, 29), MonthDay(2, 28)),), life=Span(months=120)),
    lambda: where(
        slots=(Slot(from_minute=22 * 60, until_minute=0),), condition="member.visits == 0", levels=frozenset({"gold"})
    ),
    lambda: replace(DEFAULT_PROGRAM, release=Release(3, on_action=True), expiry=Expiry(starts=Starts.ACTIVATED)),
]


@pytest.mark.parametrize("program", MEANT)
def test_what_can_be_meant_passes(program: Callable[[], Program]) -> None:
    check_program(program(), LIVE)


def test_a_level_may_go_when_no_program_is_live() -> None:
    check_program(tiers(levels=LEVELS[:2]), None)


def test_the_place_stands_below_what_was_sent() -> None:
    with pytest.raises(InvalidProgramError) as refused:
        check_program(rules(rule("base")), LIVE, at="program")
    assert refused.value.field == "program.earning.rules.1.code"


def test_a_rate_alone_is_enough() -> None:
    check_program(rules(rules=(rate(1, 100),)), LIVE)
