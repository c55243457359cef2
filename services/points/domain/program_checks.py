"""Checking a program before it is kept: whatever cannot be meant is told with its place."""

from datetime import date

from services.points.domain.expiries import Expiry, MonthDay, Release, Starts
from services.points.domain.level_checks import check_tiers
from services.points.domain.program_places import MAX_AMOUNT, InvalidProgramError, Place
from services.points.domain.programs import Program, Programs
from services.points.domain.referral_terms import Referral
from services.points.domain.rule_checks import check_earning

__all__ = ["InvalidProgramError", "check_program"]

MAX_CYCLES = 12
MAX_REMIND_DAYS = 90
MAX_RELEASE_DAYS = 365

MAX_REWARD = 1_000_000
"""Points for one side of one referral."""

MAX_REWARDS = 10_000
"""Of one referrer in a month, where there is a limit."""

MONTHS_A_YEAR = 12
A_LEAP_YEAR = 2000
LONGEST_MONTH = 31


def check_program(program: Program, live: Programs | None, *, at: str = "") -> None:
    """Refuse whatever cannot be meant in a new version of a chain's program; `live` are its versions so far.

    Raises `InvalidProgramError`, whose field is the place's path in GraphQL spelling, below `at`.
    """
    place = Place(at)
    check_tiers(program.tiers, live.latest.tiers if live else None, place / "tiers")
    check_earning(program.earning, [level.code for level in program.tiers.levels], place / "earning")
    _check_expiry(program.expiry, place / "expiry")
    _check_release(program.release, program.expiry, place / "release")
    (place / "remindDays").within(program.remind_days, 0, MAX_REMIND_DAYS)
    (place / "adjustmentLimit").within(program.adjustment_limit, 0, MAX_AMOUNT)
    _check_referral(program.referral, place / "referral")


def _check_referral(referral: Referral, at: Place) -> None:
    (at / "referrerPoints").within(referral.referrer_points, 0, MAX_REWARD)
    (at / "referredPoints").within(referral.referred_points, 0, MAX_REWARD)
    (at / "mostAMonth").within(referral.most_a_month, 0, MAX_REWARDS)


def _check_expiry(expiry: Expiry, at: Place) -> None:
    (at / "life").span(expiry.life)
    (at / "idle").span(expiry.idle)
    if not expiry.active_by:
        raise (at / "activeBy").refuse("say what keeps points alive")
    (at / "cycles").at_most(expiry.cycles, MAX_CYCLES)
    last_days: set[MonthDay] = set()
    for number, cycle in enumerate(expiry.cycles):
        place = at / "cycles" / number
        _check_day(cycle.last_day, place / "lastDay")
        _check_day(cycle.expires, place / "expires")
        if cycle.last_day in last_days:
            raise (place / "lastDay").refuse("two cycles end on this day")
        last_days.add(cycle.last_day)


def _check_day(day: MonthDay, at: Place) -> None:
    (at / "month").within(day.month, 1, MONTHS_A_YEAR)
    (at / "day").within(day.day, 1, LONGEST_MONTH)
    try:
        date(A_LEAP_YEAR, day.month, day.day)
    except ValueError:
        raise (at / "day").refuse(f"month {day.month} has no day {day.day}") from None


def _check_release(release: Release, expiry: Expiry, at: Place) -> None:
    (at / "days").within(release.days, 0, MAX_RELEASE_DAYS)
    if release.on_action and not release.days and expiry.starts is Starts.ACTIVATED:
        why = "a life that is counted from becoming available needs a day that is known at the grant"
        raise (at / "onAction").refuse(f"{why}: name days too, or count from earning")
