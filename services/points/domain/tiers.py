"""Tiers: what the levels ask for, what they bring, over which window they count, and how long they last."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from services.points.domain.calendar import NO_SPAN, Span, period_of
from services.points.domain.rules import ONE

MONTHS_KEPT = 25
"""Of counters: the longest window, of two years, and the month that it began in."""

FIRST_OF_ALL = date(1970, 1, 1)
"""Where calendar periods are counted from: months, quarters, halves and years all begin there."""


class Metric(StrEnum):
    """What a level may ask for."""

    SPEND = "spend"  # minor units
    POINTS = "points"  # earned, less what refunds took back
    VISITS = "visits"  # purchases
    BALANCE = "balance"  # available now, whatever the window


@dataclass(frozen=True, slots=True)
class Need:
    """At least so much of one thing."""

    metric: Metric
    at_least: int


class BenefitKind(StrEnum):
    """What a level brings besides points; others act on it."""

    COUPON_PACK = "coupon_pack"
    BIRTHDAY_PACK = "birthday_pack"
    EARLY_TASTING = "early_tasting"
    ACCOUNT_MANAGER = "account_manager"
    FREE_DELIVERY = "free_delivery"
    PRIORITY_BOOKING = "priority_booking"


@dataclass(frozen=True, slots=True)
class Benefit:
    """One benefit; `code` says which pack, where there are several."""

    kind: BenefitKind
    code: str = ""


@dataclass(frozen=True, slots=True)
class Level:
    """A level of the program."""

    code: str
    needs: tuple[Need, ...] = ()  # none: everybody's, when it is the first; else by invitation only
    any_of: int = 0  # so many of the needs are enough; 0: all of them
    keeps: tuple[Need, ...] | None = None  # what it takes to stay; None: the same
    earn_permille: int = ONE
    extends: Span = NO_SPAN  # the life of points that are earned at this level
    benefits: tuple[Benefit, ...] = ()


def by_spend(code: str, spend_minor: int, *, earn_permille: int = ONE, benefits: tuple[Benefit, ...] = ()) -> Level:
    """Return a level that is reached by spend alone."""
    return Level(code, (Need(Metric.SPEND, spend_minor),), earn_permille=earn_permille, benefits=benefits)


class WindowKind(StrEnum):
    """Over what the metrics are counted."""

    LIFETIME = "lifetime"
    ROLLING = "rolling"  # the last so many months
    CALENDAR = "calendar"  # months, quarters, halves or years
    JOINING = "joining"  # periods of so many months since the member joined; 0 months: everything since then


@dataclass(frozen=True, slots=True)
class Window:
    """Over what the metrics are counted."""

    kind: WindowKind = WindowKind.LIFETIME
    months: int = 0

    @property
    def has_periods(self) -> bool:
        """Tell whether time is cut into periods, each counted from nothing."""
        return self.kind is WindowKind.CALENDAR or (self.kind is WindowKind.JOINING and self.months > 0)

    def period(self, day: date, joined: date) -> tuple[date, date]:
        """Return the first day of the period that has `day`, and of the next."""
        return period_of(day, self.months, anchor=FIRST_OF_ALL if self.kind is WindowKind.CALENDAR else joined)

    def since(self, day: date, joined: date) -> date:
        """Return the first day that counts on `day`."""
        if self.has_periods:
            return self.period(day, joined)[0]
        if self.kind is WindowKind.ROLLING:
            return Span(days=1, months=-self.months).after(day)
        # The days of the month in which the member joined may have been put together.
        return joined.replace(day=1) if self.kind is WindowKind.JOINING else date.min


LIFETIME = Window()


class LastsKind(StrEnum):
    """How long a level lasts once it was reached."""

    FOREVER = "forever"
    WHILE_MET = "while_met"  # as long as its needs are met, to the day
    PERIODS = "periods"  # to the end of the period it was reached in, and so many more
    MONTHS = "months"  # so many months from the day it was reached or renewed


@dataclass(frozen=True, slots=True)
class Lasts:
    """How long a level lasts once it was reached; then it is renewed or lost."""

    kind: LastsKind = LastsKind.FOREVER
    count: int = 0
    grace_days: int = 0


FOREVER = Lasts()


class Starts(StrEnum):
    """When a level that was reached begins."""

    AT_ONCE = "at_once"
    NEXT_PERIOD = "next_period"


class Falls(StrEnum):
    """How far a member falls whose level is not renewed."""

    ONE_LEVEL = "one_level"
    TO_FIT = "to_fit"  # to the highest that is met


class Crossing(StrEnum):
    """At which rate the purchase earns that crosses a threshold."""

    OLD = "old"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class Tiers:
    """A program's levels, ascending: the first is everybody's."""

    levels: tuple[Level, ...]
    window: Window = LIFETIME
    lasts: Lasts = FOREVER
    starts: Starts = Starts.AT_ONCE
    falls: Falls = Falls.TO_FIT
    crossing: Crossing = Crossing.OLD
    counts_anew: bool = False  # at every change of level the counters begin at nothing

    def level(self, code: str) -> Level:
        """Return the level with this code; the first where there is none."""
        return self.levels[self.rank(code)]

    def rank(self, code: str) -> int:
        """Return which level it is, counted from 0; of one that there is not, 0."""
        return next((number for number, level in enumerate(self.levels) if level.code == code), 0)

    @property
    def by_balance(self) -> bool:
        """Tell whether a level asks for a balance, so that every posting may change it."""
        return any(need.metric is Metric.BALANCE for level in self.levels for need in level.needs)


@dataclass(frozen=True, slots=True)
class Measured:
    """The metrics over a window."""

    spend_minor: int = 0
    points: int = 0
    visits: int = 0
    balance: int = 0

    def of(self, metric: Metric) -> int:
        """Return one of them."""
        match metric:
            case Metric.SPEND:
                return self.spend_minor
            case Metric.POINTS:
                return self.points
            case Metric.VISITS:
                return self.visits
            case _:
                return self.balance


def meets(needs: Sequence[Need], any_of: int, measured: Measured) -> bool:
    """Tell whether enough of the needs are met."""
    met = sum(measured.of(need.metric) >= need.at_least for need in needs)
    return met >= (min(any_of, len(needs)) or len(needs))


def fitting(tiers: Tiers, measured: Measured) -> int:
    """Return the rank of the highest level whose needs are met; one by invitation only never fits."""
    return max(
        (
            rank
            for rank, level in enumerate(tiers.levels)
            if rank == 0 or (level.needs and meets(level.needs, level.any_of, measured))
        ),
        default=0,
    )


def stays(level: Level, measured: Measured) -> bool:
    """Tell whether a member may stay at a level that is to be renewed."""
    needs = level.needs if level.keeps is None else level.keeps
    return bool(needs) and meets(needs, level.any_of, measured)


def fallen(tiers: Tiers, rank: int, measured: Measured) -> int:
    """Return the rank to which a member falls whose level was not renewed."""
    below = max(rank - 1, 0)
    # Who meets what it takes to reach the level, though not what it takes to stay, falls all the same.
    return below if tiers.falls is Falls.ONE_LEVEL else min(fitting(tiers, measured), below)
