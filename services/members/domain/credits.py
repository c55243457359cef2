"""Credits: what staff have brought in. Guests whom they enrolled, and the days on which these came again.

Facts may come twice and in any order: a member is enrolled by one person once, and a day of a member counts once, for
the store whose receipt was heard of first. An enrollment is this service's own fact and is known before any receipt can
name the member; a visit of somebody whom no staff member enrolled counts for nobody.
"""

from calendar import monthrange
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

InChain = tuple[str, str]
"""(chain, member)."""


@dataclass(frozen=True, slots=True)
class Enrollment:
    """A staff member enrolled somebody, on a day of the store's calendar."""

    chain: str
    staff: str
    store: str
    member: str
    day: date


@dataclass(frozen=True, slots=True)
class Visit:
    """A member paid in a store, on a day of the store's calendar."""

    chain: str
    store: str
    member: str
    day: date


@dataclass(frozen=True, slots=True)
class Brought:
    """A member whom a staff member enrolled, and the days that were counted, sorted."""

    staff: str
    day: date
    days: tuple[date, ...] = ()
    version: int = 1


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """What a staff member is credited with in one store and month, like "2026-03"."""

    chain: str
    staff: str
    store: str
    month: str


@dataclass(frozen=True, slots=True)
class Counts:
    """How much."""

    enrollments: int = 0
    repeat_visits: int = 0


@dataclass(frozen=True, slots=True)
class Credited:
    """What to write: members that are new or have another day, and what is added to the months."""

    brought: Mapping[InChain, Brought]
    added: Mapping[Month, Counts]


def credit(
    facts: Sequence[Enrollment | Visit], *, known: Mapping[InChain, Brought], months: Mapping[str, int]
) -> Credited:
    """Fold facts over what is known of their members; `months` says, by chain, for how long visits are credited."""
    now, added = dict(known), defaultdict[Month, Counts](Counts)
    for fact in facts:
        key = (fact.chain, fact.member)
        brought = now.get(key)
        if isinstance(fact, Enrollment):
            if brought is None:
                now[key] = Brought(fact.staff, fact.day)
                month = _month(fact, fact.staff)
                added[month] = replace(added[month], enrollments=added[month].enrollments + 1)
        elif brought is not None and _counts(fact, brought, months[fact.chain]):
            version = brought.version + 1 if brought is known.get(key) else brought.version
            now[key] = replace(brought, days=tuple(sorted((*brought.days, fact.day))), version=version)
            month = _month(fact, brought.staff)
            added[month] = replace(added[month], repeat_visits=added[month].repeat_visits + 1)
    return Credited({key: one for key, one in now.items() if one != known.get(key)}, dict(added))


def later(day: date, months: int) -> date:
    """Return the same day so many months later, or the last of a month that is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _counts(visit: Visit, brought: Brought, months: int) -> bool:
    return brought.day < visit.day <= later(brought.day, months) and visit.day not in brought.days


def _month(fact: Enrollment | Visit, staff: str) -> Month:
    return Month(fact.chain, staff, fact.store, f"{fact.day:%Y-%m}")
