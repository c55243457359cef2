"""A statement: an account's journal as lines of a CSV file (RFC 4180) that a spreadsheet can open without harm."""

from collections.abc import Iterable
from datetime import UTC, datetime

from services.kit.csv_cells import csv_lines, text_cell
from services.points.domain.journal import Entry

COLUMNS = (
    *("version", "occurred_at", "booked_at", "kind", "currency", "amount"),
    *("available", "pending", "held", "debt", "lifetime", "reference", "booked_by", "entry"),
)


def head_line() -> str:
    """Return the first line."""
    return csv_lines([COLUMNS])


def statement_lines(entries: Iterable[Entry]) -> str:
    """Return a line for each entry."""
    return csv_lines(_cells(entry) for entry in entries)


def _cells(entry: Entry) -> tuple[object, ...]:
    posting = entry.postings[0]
    held = posting.balances
    return (
        posting.version,
        _moment(entry.occurred_at),
        _moment(entry.booked_at),
        entry.kind.value,
        text_cell(posting.currency),
        posting.amount,
        *(held.available, held.pending, held.held, held.debt, held.lifetime),
        text_cell(entry.reference),
        text_cell(entry.booked_by),
        text_cell(entry.id),
    )


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"
