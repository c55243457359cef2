"""In what two versions of a program differ, term by term, as people read it."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from datetime import date
from typing import Any

from services.points.domain.calendar import Span
from services.points.domain.expiries import MonthDay
from services.points.domain.program_places import Place
from services.points.domain.programs import Program
from services.points.domain.rule_checks import EFFECTS
from services.points.domain.rules import Rule
from services.points.domain.tiers import Level

HEAD = frozenset({"version", "effective_from"})
"""What of a version is no term."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs; rules and levels stand in the path by their codes. Empty: it is not there."""

    path: str
    before: str
    after: str


NOTHING = frozenset({"", "0", "no"})
"""What need not be said of a rule or level that is new, or gone."""


def terms(program: Program) -> dict[str, str]:
    """Return each term's text by its path: the same texts mean the same program."""
    return dict(_terms(program, Place()))


def diff(before: Program, after: Program) -> tuple[Change, ...]:
    """Return what differs, in the order of the terms."""
    was, will = terms(before), terms(after)
    changes = [Change(path, was.get(path, ""), will.get(path, "")) for path in {**will, **was}]
    both = was.keys() & will.keys()
    return tuple(one for one in changes if one.before != one.after and (one.path in both or _says(one)))


def _says(change: Change) -> bool:
    return not {change.before, change.after} <= NOTHING


def _terms(value: Any, at: Place) -> Iterator[tuple[str, str]]:
    """Yield each term's path and text. The order of rules and levels is a term of its own: it has a meaning."""
    if isinstance(value, tuple) and value and isinstance(value[0], Rule | Level):
        yield at.path, ", ".join(one.code for one in value)
        for one in value:
            yield from _terms(one, at / one.code)
    elif isinstance(value, tuple):
        if not value and at.path.endswith(".keeps"):
            yield at.path, "never"  # not the same as what it takes to reach it, which is no term
        for number, one in enumerate(value):
            yield from _terms(one, at / number)
    elif is_dataclass(value) and not isinstance(value, Span | MonthDay):
        for one in fields(value):
            if one.name in HEAD and isinstance(value, Program):
                continue
            place = at / _camel(one.name)
            part = getattr(value, one.name)
            yield from _terms(part, place / EFFECTS[type(part)] if one.name == "effect" else place)
    else:
        yield at.path, _text(value)


def _text(value: Any) -> str:
    if isinstance(value, Span):
        parts = [f"{value.months} months"] * bool(value.months) + [f"{value.days} days"] * bool(value.days)
        return " and ".join(parts)
    if isinstance(value, MonthDay):
        return f"{value.month:02}-{value.day:02}"
    if isinstance(value, frozenset):
        return ", ".join(str(one) for one in sorted(value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, date):
        return value.isoformat()
    return "" if value is None else str(value)


def _camel(name: str) -> str:
    first, *more = name.split("_")
    return first + "".join(part.title() for part in more)
