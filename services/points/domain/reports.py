"""What reports say: sums over the journal by day, and balances at a past moment."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from services.kit.errors import Kind, Problem
from services.points.domain.accounts import EMPTY, Balances
from services.points.domain.journal import ADJUSTED, DEBT, EXPIRED, ISSUED, REDEEMED, Entry

MOST_MONTHS = 36


class InvalidMonthsError(Problem):
    """The months are not right: {why}."""

    kind = Kind.INVALID
    code = "INVALID_MONTHS"


@dataclass(frozen=True, slots=True)
class Sums:
    """What happened in a span, in one currency. `owed` is the change of all accounts' balances together."""

    issued: int = 0
    redeemed: int = 0
    expired: int = 0
    adjusted: int = 0
    debt: int = 0
    owed: int = 0

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(
            self.issued + other.issued,
            self.redeemed + other.redeemed,
            self.expired + other.expired,
            self.adjusted + other.adjusted,
            self.debt + other.debt,
            self.owed + other.owed,
        )


NOTHING = Sums()


def sums_of(legs: Mapping[str, int]) -> Sums:
    """Return the sums of a span, given those of its postings' legs by account. What moved between members is zero."""
    return Sums(
        issued=-legs.get(ISSUED, 0),
        redeemed=legs.get(REDEEMED, 0),
        expired=legs.get(EXPIRED, 0),
        adjusted=-legs.get(ADJUSTED, 0),
        debt=-legs.get(DEBT, 0),
        owed=-sum(legs.values()),
    )


@dataclass(frozen=True, slots=True)
class Month:
    """One line of the report; `outstanding` is what the program owed at the month's end."""

    month: str  # "2026-01"
    sums: Sums
    outstanding: int


def months_between(first: str, last: str) -> list[str]:
    """Return the months from `first` to `last`, both included; InvalidMonthsError when that is none, or too many."""
    begin, end = _number(first, "fromMonth"), _number(last, "untilMonth")
    if not 0 <= end - begin < MOST_MONTHS:
        raise InvalidMonthsError(field="untilMonth", why=f"ask for 1 to {MOST_MONTHS} months, the first one first")
    return [_name(number) for number in range(begin, end + 1)]


def month_after(month: str) -> str:
    """Return the next one."""
    return _name(_number(month, "month") + 1)


def _number(month: str, field: str) -> int:
    try:
        year, _, number = month.partition("-")
        moment = datetime(int(year), int(number), 1)  # noqa: DTZ001 - only checks that there is such a month
    except ValueError:
        moment = None
    if moment is None or month != f"{moment:%Y-%m}":
        raise InvalidMonthsError(field=field, why='a month is like "2026-01"')
    return moment.year * 12 + moment.month - 1


def _name(number: int) -> str:
    return f"{number // 12:04}-{number % 12 + 1:02}"


def running(months: Iterable[str], by_month: Mapping[str, Sums], before: int) -> list[Month]:
    """Return a line for each month, given what was outstanding before the first."""
    lines: list[Month] = []
    for month in months:
        sums = by_month.get(month, NOTHING)
        before += sums.owed
        lines.append(Month(month, sums, before))
    return lines


class Effects:
    """The sum of what postings did to an account's balances, of those that occurred by a moment."""

    def __init__(self, until: datetime) -> None:
        self.balances: dict[str, Balances] = {}
        self._until = until
        self._last: dict[str, Balances] = {}

    def take(self, entry: Entry) -> None:
        """Take the next posting in the order of versions."""
        posting = entry.postings[0]
        before, after = self._last.get(posting.currency, EMPTY), posting.balances
        self._last[posting.currency] = after
        if entry.occurred_at > self._until:
            return
        sums = self.balances.get(posting.currency, EMPTY)
        self.balances[posting.currency] = Balances(
            sums.available + after.available - before.available,
            sums.pending + after.pending - before.pending,
            sums.held + after.held - before.held,
            sums.debt + after.debt - before.debt,
            sums.lifetime + after.lifetime - before.lifetime,
        )
