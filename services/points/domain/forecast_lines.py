"""Forecasts and staff as lines of a CSV file; nothing in them was written by anybody, so nothing is escaped."""

from collections.abc import Sequence
from datetime import UTC, datetime

from services.kit.csv_cells import csv_lines
from services.points.domain.expectations import Expected, ExpectedDay, StaffedHour

FORECAST_COLUMNS = (
    *("day", "hour", "begins_at"),
    *("covers", "covers_low", "covers_high", "covers_known"),
    *("items", "items_low", "items_high", "items_known"),
)
STAFFING_COLUMNS = ("day", "hour", "begins_at", "covers", "staff")
DIGITS = 2


def forecast_head() -> str:
    """Return the first line."""
    return csv_lines([FORECAST_COLUMNS])


def forecast_lines(day: ExpectedDay) -> str:
    """Return a line for each hour of the day."""
    return csv_lines(
        (day.day, one.hour, _moment(one.begins_at), *_cells(one.covers), *_cells(one.items)) for one in day.hours
    )


def staffing_lines(hours: Sequence[StaffedHour]) -> str:
    """Return the first line, and one for each hour."""
    lines = ((one.day, one.hour, _moment(one.begins_at), round(one.covers, DIGITS), one.staff) for one in hours)
    return csv_lines([STAFFING_COLUMNS, *lines])


def _cells(one: Expected) -> tuple[float, ...]:
    return tuple(round(value, DIGITS) for value in (one.expected, one.low, one.high, one.known))


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
