"""Cohorts: of the members who first came in one month, how many come in each of the months after.

Counts are kept by cell (month of the first visit, months since), a member once in each; `cell_changes` says what a
change of one member's history adds and takes out, so that cells are right without counting anew.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from services.members.domain.insight.history import History
from services.members.domain.insight.proportions import Share, share_of

MONTHS = 12

MOST_OFFSET = 60
"""Five years after the first visit nobody asks for single months."""

Cell = tuple[int, int]
"""(month of the first visit as year * 12 + month - 1, months since)."""


@dataclass(frozen=True, slots=True)
class Cohort:
    """Who first came in `month`, and which share of them came `offset` months later, of months that are over."""

    month: int
    members: int
    retained: tuple[Share, ...]


@dataclass(frozen=True, slots=True)
class Repeats:
    """Of the members who bought in a period, those who had bought before it; and what of the spend (minor units) was
    theirs."""

    members: Share
    spend_share: float | None


def month_of(day: int) -> int:
    """Return the month of a day's ordinal."""
    found = date.fromordinal(day)
    return found.year * MONTHS + found.month - 1


def cells_of(history: History) -> frozenset[Cell]:
    """Return the cells that a member counts in. Days that are no longer kept one by one count in none."""
    if history.first_day is None:
        return frozenset()
    first = month_of(history.first_day)
    months = {month_of(one.day) - first for one in history.bought}
    return frozenset((first, offset) for offset in months if offset <= MOST_OFFSET)


def cell_changes(before: History, after: History) -> dict[Cell, int]:
    """Return what to add to the cells when a member's history changes."""
    was, becomes = cells_of(before), cells_of(after)
    changed = Counter(dict.fromkeys(becomes - was, 1))
    changed.subtract(dict.fromkeys(was - becomes, 1))
    return dict(sorted(changed.items()))


def retention(cells: Mapping[Cell, int], *, this_month: int) -> tuple[Cohort, ...]:
    """Return each cohort, the oldest first; `this_month` is not over yet, so it is in none."""
    months = sorted({month for month, offset in cells if offset == 0 and month < this_month})
    return tuple(
        Cohort(
            month,
            cells[month, 0],
            tuple(
                share_of(cells.get((month, offset), 0), cells[month, 0])
                for offset in range(min(this_month - month, MOST_OFFSET + 1))
            ),
        )
        for month in months
        if cells[month, 0] > 0
    )


def repeats(*, members: int, returning: int, spend_minor: int, returning_spend_minor: int) -> Repeats:
    """Return how much of a period was bought by members who had bought before it."""
    return Repeats(share_of(returning, members), returning_spend_minor / spend_minor if spend_minor > 0 else None)
