"""What the purchase model looks at: repeat visits, when the last one was, and since when the member is known.

Members who are alike in all three are one row with a count, so that ten million of them are far fewer rows. Times are
in weeks since the first visit; visits are days (two receipts of a day are one), as in the papers.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.members.domain.insight.history import NONE_GONE, History

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

WEEK = 7.0

Row = tuple[int, int, int]
"""(x, days from the first visit to the last, days from the first visit to now)."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Distinct rows: `x` repeat visits, the last at `recency`, in `age`, both in weeks; `members` of each. All of the
    same length, at least one row, 0 <= recency <= age, recency 0 exactly where x is 0."""

    x: Ints
    recency: Floats
    age: Floats
    members: Floats

    @property
    def total(self) -> float:
        """How many members there are."""
        return float(self.members.sum())


def row_of(history: History, *, today: int) -> Row | None:
    """Return a member's row as it was on `today` (ordinal), later days left out; None for one who had not bought yet,
    and where days around `today` are no longer kept one by one."""
    days = [one.day for one in history.bought if one.day <= today]
    if not days or (history.gone != NONE_GONE and history.gone.last >= days[-1]):
        return None
    return history.gone.visits + len(days) - 1, days[-1] - days[0], today - days[0]


def visits_after(history: History, *, day: int, until: int) -> int:
    """Return on how many days after `day`, up to and with `until`, the member bought: what really came next."""
    return sum(day < one.day <= until for one in history.bought)


def rows_of(counts: Mapping[Row, int]) -> Rows:
    """Return rows from members counted by row."""
    table = np.array(sorted((*row, count) for row, count in counts.items()), dtype=np.int64).reshape(-1, 4)
    return Rows(table[:, 0], table[:, 1] / WEEK, table[:, 2] / WEEK, table[:, 3].astype(np.float64))


def rows_from(x: Ints, recency_days: Ints, age_days: Ints) -> Rows:
    """Return rows from one entry for each member."""
    base = int(age_days.max(initial=0)) + 1
    keys, members = np.unique((x * base + recency_days) * base + age_days, return_counts=True)
    rest = keys // base
    return Rows(rest // base, rest % base / WEEK, keys % base / WEEK, members.astype(np.float64))
