"""Checking a program's levels: what they ask for, over which window, and how long they last."""

from collections.abc import Sequence

from services.points.domain.program_places import MAX_AMOUNT, MAX_CODE_LENGTH, Place
from services.points.domain.rules import ONE
from services.points.domain.tiers import Lasts, LastsKind, Level, Metric, Need, Starts, Tiers, Window, WindowKind

MAX_LEVELS = 20
MAX_BENEFITS = 20
MAX_FACTOR = 100_000
"""A hundredfold, in thousandths."""

MAX_GRACE_DAYS = 90
CALENDAR_MONTHS = (1, 3, 6, 12)
MONTHS = {WindowKind.LIFETIME: (0, 0), WindowKind.ROLLING: (1, 24), WindowKind.JOINING: (0, 24)}
"""How many months each kind of window can have; calendars have those above."""

COUNTS = {
    LastsKind.FOREVER: (0, 0),
    LastsKind.WHILE_MET: (0, 0),
    LastsKind.PERIODS: (0, 8),
    LastsKind.MONTHS: (1, 60),
}
"""How many periods or months a level can last."""


def check_tiers(tiers: Tiers, live: Tiers | None, at: Place) -> None:
    """Refuse what cannot be meant; every level of `live` must stay, since members hold it."""
    levels = at / "levels"
    levels.at_most(tiers.levels, MAX_LEVELS, least=1)
    codes: set[str] = set()
    for rank, level in enumerate(tiers.levels):
        place = levels / rank
        (place / "code").code(level.code)
        if level.code in codes:
            raise (place / "code").refuse(f"there are two levels {level.code}")
        codes.add(level.code)
        _check_level(level, rank, place)
    for kept in live.levels if live else ():
        if kept.code not in codes:
            raise levels.refuse(f"level {kept.code} is missing: members hold it, so it must stay")
    _check_window(tiers.window, at / "window")
    _check_lasts(tiers.lasts, tiers.window, at / "lasts")
    if tiers.starts is Starts.NEXT_PERIOD and not tiers.window.has_periods:
        raise (at / "starts").refuse("the window has no periods, so there is no next one")


def _check_level(level: Level, rank: int, at: Place) -> None:
    if rank == 0:
        if any(need != Need(Metric.SPEND, 0) for need in level.needs) or level.keeps:
            raise (at / "needs").refuse("the first level is everybody's, so it asks for nothing")
    else:
        _check_needs(level.needs, at / "needs")
        _check_needs(level.keeps or (), at / "keeps")
    (at / "anyOf").within(level.any_of, 0, len(level.needs))
    (at / "earnPermille").within(level.earn_permille, ONE, MAX_FACTOR)
    (at / "extends").span(level.extends)
    (at / "benefits").at_most(level.benefits, MAX_BENEFITS)
    for number, benefit in enumerate(level.benefits):
        if len(benefit.code) > MAX_CODE_LENGTH:
            raise (at / "benefits" / number / "code").refuse(f"a code has at most {MAX_CODE_LENGTH} characters")


def _check_needs(needs: Sequence[Need], at: Place) -> None:
    metrics: set[Metric] = set()
    for number, need in enumerate(needs):
        (at / number / "atLeast").within(need.at_least, 1, MAX_AMOUNT)
        if need.metric in metrics:
            raise (at / number / "metric").refuse(f"there are two needs of {need.metric}")
        metrics.add(need.metric)


def _check_window(window: Window, at: Place) -> None:
    place = at / "months"
    if window.kind is WindowKind.CALENDAR:
        if window.months not in CALENDAR_MONTHS:
            raise place.refuse("a calendar window has 1, 3, 6 or 12 months")
        return
    place.within(window.months, *MONTHS[window.kind])


def _check_lasts(lasts: Lasts, window: Window, at: Place) -> None:
    if lasts.kind is LastsKind.PERIODS and not window.has_periods:
        raise (at / "kind").refuse("the window has no periods, so a level cannot last for such")
    (at / "count").within(lasts.count, *COUNTS[lasts.kind])
    (at / "graceDays").within(lasts.grace_days, 0, MAX_GRACE_DAYS)
