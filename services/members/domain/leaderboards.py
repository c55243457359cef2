"""Targets, and who in a store has brought in how much in a month."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from services.kit.errors import Kind, Problem
from services.members.domain.credits import Counts

MAX_TARGET = 1_000_000

_MONTH = re.compile(r"20\d\d-(0[1-9]|1[0-2])")


class InvalidTargetError(Problem):
    """The target is not right: {why}."""

    kind = Kind.INVALID
    code = "INVALID_TARGET"


@dataclass(frozen=True, slots=True)
class Target:
    """What is wanted in a month of the store's calendar. `subject`: a staff member's id, or a store's."""

    subject: str
    month: str
    enrollments: int
    repeat_visits: int


@dataclass(frozen=True, slots=True)
class Place:
    """Somebody on the board. Who is equal in both counts has the same rank, and leaves out as many after it."""

    rank: int
    staff: str
    counts: Counts
    target: Target | None


@dataclass(frozen=True, slots=True)
class Board:
    """A part of a store's board, and the sums of all of it."""

    places: tuple[Place, ...]
    total: Counts
    target: Target | None
    end_cursor: str  # empty: there is no more


def check_month(month: str, *, field: str) -> None:
    """Refuse what is no month."""
    if not _MONTH.fullmatch(month):
        raise InvalidTargetError(field=field, why='a month is like "2026-03"')


def check_targets(targets: Sequence[Target]) -> None:
    """Refuse, with the field at fault, what no target can be, and one that is given twice."""
    seen: set[tuple[str, str]] = set()
    for number, target in enumerate(targets):
        path = f"targets.{number}"
        check_month(target.month, field=f"{path}.month")
        if not (0 <= target.enrollments <= MAX_TARGET and 0 <= target.repeat_visits <= MAX_TARGET):
            raise InvalidTargetError(field=path, why=f"a target is 0 to {MAX_TARGET}")
        if (target.subject, target.month) in seen:
            raise InvalidTargetError(field=path, why="it stands twice in this call")
        seen.add((target.subject, target.month))


def ranked(counts: Mapping[str, Counts], *, staff: Collection[str], targets: Mapping[str, Target]) -> tuple[Place, ...]:
    """Return everybody of the store and whoever was credited there: by enrollments, then repeat visits, then id."""
    everybody = {one: counts.get(one, Counts()) for one in {*staff, *counts}}
    measures = {one: (-found.enrollments, -found.repeat_visits) for one, found in everybody.items()}
    order = sorted(everybody, key=lambda one: (*measures[one], one))
    ranks: dict[tuple[int, int], int] = {}
    for position, one in enumerate(order, start=1):
        ranks.setdefault(measures[one], position)
    return tuple(Place(ranks[measures[one]], one, everybody[one], targets.get(one)) for one in order)


def part_of(places: Sequence[Place], *, first: int, after: str, target: Target | None) -> Board:
    """Return up to `first` of the board behind the cursor `after`, a place's number from 1 on; empty: from the top."""
    if after and not (after.isdecimal() and len(after) <= len(str(MAX_TARGET))):
        raise InvalidTargetError(field="after", why="it is no cursor of an earlier answer")
    start = int(after or "0")
    some = tuple(places[start : start + first])
    end = start + len(some)
    total = Counts(sum(one.counts.enrollments for one in places), sum(one.counts.repeat_visits for one in places))
    return Board(some, total, target, str(end) if some and end < len(places) else "")
