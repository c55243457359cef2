"""What is asked of the sums of sales, and the rows of the answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import NamedTuple

from services.kit.errors import Kind, Problem
from services.points.domain.sales import NOTHING, Sums

MOST_DAYS = 1_100
"""Three years and a quarter."""

MOST_ROWS = 5_000
MOST_SUMS, MOST_ITEM_SUMS = 100_000, 10_000
"""Sums of one store's day or month that one report reads: a month of 3,000 stores is 3,000, of items too."""

CELLS_OF_A_MONTH = 7
"""As many times those of a day has a month, where the parts of it are read: they are apart by weekday."""

MOST_NAMED = 500
"""Stores, regions, items or categories that a filter names."""

MOST_REGIONS = 200
DECEMBER = 12


class InvalidReportError(Problem):
    """The report cannot be made: {why}."""

    kind = Kind.INVALID
    code = "INVALID_REPORT"


class ReportTooLargeError(Problem):
    """The report is too large: {why}."""

    kind = Kind.REFUSED
    code = "REPORT_TOO_LARGE"


class Dimension(StrEnum):
    """By what rows are told apart."""

    STORE = "store"
    REGION = "region"
    CHANNEL = "channel"
    DAY = "day"
    MONTH = "month"
    WEEKDAY = "weekday"
    HOUR = "hour"
    CATEGORY = "category"
    ITEM = "item"


OF_ITEMS = frozenset({Dimension.CATEGORY, Dimension.ITEM})
OF_CELLS = frozenset({Dimension.CHANNEL, Dimension.HOUR})
"""What sums of items do not tell: by all of it they would be as many as the receipts."""


@dataclass(frozen=True, slots=True)
class Question:
    """Which sums, of the days from `since` to `until`, both included, in each store's own zone; empty filter: all."""

    since: date
    until: date
    by: tuple[Dimension, ...] = ()
    stores: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    items: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()

    @property
    def of_items(self) -> bool:
        """Tell whether the sums of items are needed."""
        return bool(OF_ITEMS & set(self.by) or self.items or self.categories)

    @property
    def of_cells(self) -> bool:
        """Tell whether the parts of a store's day or month are needed, not only its sum."""
        return bool(({Dimension.WEEKDAY} | OF_CELLS) & set(self.by) or self.channels)

    @property
    def by_day(self) -> bool:
        """Tell whether whole months will not do."""
        return Dimension.DAY in self.by or (self.of_items and Dimension.WEEKDAY in self.by)


class Row(NamedTuple):
    """A group, its values in the order of the question's dimensions, as texts; "" is what is not known."""

    group: tuple[str, ...]
    sums: Sums


class Spans(NamedTuple):
    """The days of a question as whole months ("2026-03"), where they will do, and single days."""

    months: tuple[str, ...]
    days: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.months) + len(self.days)


def check(question: Question) -> None:
    """Refuse, with the field at fault, what no report can be."""
    days = (question.until - question.since).days + 1
    if not 1 <= days <= MOST_DAYS:
        raise InvalidReportError(field="until", why=f"ask for 1 to {MOST_DAYS} days, the first one first")
    if len(set(question.by)) != len(question.by):
        raise InvalidReportError(field="by", why="name each dimension once")
    if question.of_items and (OF_CELLS & set(question.by) or question.channels):
        raise InvalidReportError(field="by", why="items are summed by store and day, not by channel or hour")
    for field, named in (
        ("storeIds", question.stores),
        ("regions", question.regions),
        ("itemCodes", question.items),
        ("categories", question.categories),
    ):
        if len(named) > MOST_NAMED:
            raise InvalidReportError(field=field, why=f"name at most {MOST_NAMED}")


def spans(question: Question) -> Spans:
    """Return which sums cover the question's days: whole months where they are asked for and will do."""
    months: list[str] = []
    days: list[str] = []
    day = question.since
    while day <= question.until:
        after = _month_after(day)
        if day.day == 1 and not question.by_day and after - timedelta(days=1) <= question.until:
            months.append(f"{day:%Y-%m}")
            day = after
        else:
            days.append(day.isoformat())
            day += timedelta(days=1)
    return Spans(tuple(months), tuple(days))


def check_size(question: Question, *, stores: int, wanted: Spans) -> None:
    """Refuse what would read too many sums."""
    in_parts = question.of_cells and not question.of_items
    spanned = len(wanted.days) + len(wanted.months) * (CELLS_OF_A_MONTH if in_parts else 1)
    count, most = stores * spanned, MOST_ITEM_SUMS if question.of_items else MOST_SUMS
    if count > most:
        raise ReportTooLargeError(
            field="from",
            why=f"it would read {count} sums of a store's day, and at most {most} are read: choose fewer "
            "stores, or whole months, or fewer days",
        )


def check_rows(count: int) -> None:
    """Refuse what has too many groups."""
    if count > MOST_ROWS:
        raise ReportTooLargeError(field="by", why=f"it has more than {MOST_ROWS} rows: choose fewer dimensions or days")


def rows(found: Mapping[tuple[str, ...], Sums]) -> list[Row]:
    """Return the rows in the order of their groups; those of nothing are left out."""
    return [Row(group, sums) for group, sums in sorted(found.items()) if sums != NOTHING]


def day_of(text: str, *, field: str) -> date:
    """Return the day that the text names."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or text != day.isoformat() or day.year >= date.max.year:
        raise InvalidReportError(field=field, why='a day is like "2026-03-01"')
    return day


def _month_after(day: date) -> date:
    return date(day.year + day.month // DECEMBER, day.month % DECEMBER + 1, 1)
