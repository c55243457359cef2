"""Receipts and items of real and invented restaurants by day and hour, from data that is given by path."""

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from services.points.domain.forecasting import HISTORY_WEEKS, HOURS, WEEK, History

Hours = Mapping[tuple[date, int], float]


@dataclass(frozen=True, slots=True)
class Series:
    """One data set: how many receipts, and pieces, were in each hour."""

    receipts: Hours
    items: Hours


def takeaway_london(folder: Path) -> Series:
    """Read a line for each item of an order; the orders' moments are local."""
    moments: dict[str, datetime] = {}
    items: dict[tuple[date, int], float] = {}
    with (folder / "restaurant-1-orders.csv").open(encoding="utf-8-sig", newline="") as lines:
        for line in csv.DictReader(lines):
            at = datetime.strptime(line["Order Date"], "%d/%m/%Y %H:%M")  # noqa: DTZ007 - the restaurant's own clock
            moments[line["Order Number"]] = at
            _count(items, at, float(line["Quantity"]))
    return Series(_receipts(moments), items)


def pizza_place(folder: Path) -> Series:
    """Read orders, and their lines from a file of their own."""
    with (folder / "orders.csv").open(encoding="utf-8-sig", newline="") as lines:
        moments = {
            line["order_id"]: datetime.fromisoformat(f"{line['date']} {line['time']}") for line in csv.DictReader(lines)
        }
    items: dict[tuple[date, int], float] = {}
    with (folder / "order_details.csv").open(encoding="utf-8-sig", newline="") as lines:
        for line in csv.DictReader(lines):
            _count(items, moments[line["order_id"]], float(line["quantity"]))
    return Series(_receipts(moments), items)


READERS: Mapping[str, Callable[[Path], Series]] = {"takeaway_london": takeaway_london, "pizza_place": pizza_place}


def history(hours: Hours, *, last: date) -> History:
    """Return as many weeks as a forecast learns from, up to `last`."""
    first = last - timedelta(days=HISTORY_WEEKS * WEEK - 1)
    days = [first + timedelta(days=number) for number in range(HISTORY_WEEKS * WEEK)]
    return History(first.weekday(), [[hours.get((day, hour), 0.0) for hour in range(HOURS)] for day in days])


def _receipts(moments: Mapping[str, datetime]) -> Hours:
    receipts: dict[tuple[date, int], float] = {}
    for at in moments.values():
        _count(receipts, at, 1.0)
    return receipts


def _count(hours: dict[tuple[date, int], float], at: datetime, value: float) -> None:
    key = (at.date(), at.hour)
    hours[key] = hours.get(key, 0.0) + value
