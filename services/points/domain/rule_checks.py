"""Checking how a program earns: its rules, what counts, and the caps."""

from collections.abc import Collection, Sequence

from services.points.domain.condition_words import InvalidConditionError
from services.points.domain.conditions import compile_condition
from services.points.domain.program_places import MAX_AMOUNT, Place
from services.points.domain.purchases import Channel
from services.points.domain.rules import (
    CURRENCIES,
    MINUTES_A_DAY,
    ONE,
    POINTS,
    Cap,
    Earning,
    Effect,
    Factor,
    Fixed,
    LineMatch,
    PerPiece,
    PerVisit,
    Rate,
    Rule,
    Slot,
    Where,
)

MAX_RULES = 200
MAX_SLOTS = 20
MAX_CAPS = 10
MAX_POINTS = 10**9
"""That one step of a rule gives."""

MAX_FACTOR = 100_000
"""A hundredfold, in thousandths."""

MAX_LAUNCHED_DAYS = 3_650
DAYS_A_WEEK = 7

EFFECTS = {Rate: "rate", PerVisit: "perVisit", PerPiece: "perPiece", Factor: "factor", Fixed: "fixed"}
"""How the graph names each effect."""


def check_earning(earning: Earning, levels: Collection[str], at: Place) -> None:
    """Refuse what cannot be meant; `levels` are the codes of the program's levels."""
    rules = at / "rules"
    rules.at_most(earning.rules, MAX_RULES, least=1)
    codes: set[str] = set()
    for number, rule in enumerate(earning.rules):
        place = rules / number / "code"
        place.code(rule.code)
        if rule.code.startswith("tier:"):
            raise place.refuse("codes that begin with `tier:` are the levels' own")
        if rule.code in codes:
            raise place.refuse(f"there are two rules {rule.code}")
        codes.add(rule.code)
        _check_rule(rule, levels, rules / number)
    bases = [rule for rule in earning.rules if isinstance(rule.effect, Rate | PerVisit | PerPiece)]
    if not any(rule.currency == POINTS for rule in bases):
        raise rules.refuse("no rule gives points for money, visits or pieces, which the others build on")
    _check_lines(earning.excluded, at / "excluded")
    if earning.excluded.not_items or earning.excluded.not_categories or earning.excluded.launched_within_days:
        raise (at / "excluded").refuse("what is excluded is named by items and categories alone")
    (at / "excludedPaymentKinds").words(earning.excluded_payment_kinds)
    (at / "minSpendMinor").within(earning.min_spend_minor, 0, MAX_AMOUNT)
    _check_caps(earning.caps, at / "caps")


def _check_rule(rule: Rule, levels: Collection[str], at: Place) -> None:
    if rule.currency not in CURRENCIES:
        raise (at / "currency").refuse(f"there is no currency {rule.currency}: choose one of {', '.join(CURRENCIES)}")
    _check_effect(rule.effect, at / "effect" / EFFECTS[type(rule.effect)])
    _check_lines(rule.lines, at / "lines")
    _check_where(rule.where, levels, at / "where")
    _check_caps(rule.caps, at / "caps")


def _check_effect(effect: Effect, at: Place) -> None:
    if isinstance(effect, Factor):
        (at / "permille").within(effect.permille, ONE, MAX_FACTOR)
        return
    (at / "points").within(effect.points, 1, MAX_POINTS)
    if isinstance(effect, Rate):
        (at / "perMinor").within(effect.per_minor, 1, MAX_AMOUNT)
        (at / "stepMinor").within(effect.step_minor, 0, MAX_AMOUNT)


def _check_lines(lines: LineMatch, at: Place) -> None:
    (at / "items").words(lines.items)
    (at / "categories").words(lines.categories)
    (at / "notItems").words(lines.not_items)
    (at / "notCategories").words(lines.not_categories)
    (at / "launchedWithinDays").within(lines.launched_within_days, 0, MAX_LAUNCHED_DAYS)


def _check_where(where: Where, levels: Collection[str], at: Place) -> None:
    if Channel.UNKNOWN in where.channels:
        raise (at / "channels").refuse("say which channel")
    (at / "stores").words(where.stores)
    (at / "partners").words(where.partners)
    (at / "paymentKinds").words(where.payment_kinds)
    if unknown := sorted(where.levels - set(levels)):
        raise (at / "levels").refuse(f"the program has no level {unknown[0]}")
    (at / "slots").at_most(where.slots, MAX_SLOTS)
    for number, slot in enumerate(where.slots):
        _check_slot(slot, at / "slots" / number)
    if where.first_day is not None and where.last_day is not None and where.first_day > where.last_day:
        raise (at / "lastDay").refuse("it lies before the first day")
    (at / "minSpendMinor").within(where.min_spend_minor, 0, MAX_AMOUNT)
    if where.condition:
        try:
            compile_condition(where.condition)
        except InvalidConditionError as error:
            said = error.message.removesuffix(".")
            raise (at / "condition").refuse(f"{said[0].lower()}{said[1:]}") from None


def _check_slot(slot: Slot, at: Place) -> None:
    for weekday in sorted(slot.weekdays):
        (at / "weekdays").within(weekday, 1, DAYS_A_WEEK)
    (at / "fromMinute").within(slot.from_minute, 0, MINUTES_A_DAY - 1)
    (at / "untilMinute").within(slot.until_minute, 0, MINUTES_A_DAY)
    if slot.from_minute == slot.until_minute:
        raise (at / "untilMinute").refuse("the slot ends when it begins; the whole day is from 0 until 1440")


def _check_caps(caps: Sequence[Cap], at: Place) -> None:
    at.at_most(caps, MAX_CAPS)
    named: set[str] = set()
    for number, cap in enumerate(caps):
        (at / number / "limit").within(cap.limit, 1, MAX_AMOUNT)
        if (name := cap.name("")) in named:
            raise (at / number).refuse("there are two caps of the same window and unit")
        named.add(name)
