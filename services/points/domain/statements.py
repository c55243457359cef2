"""A statement: an account's journal as lines of a CSV file (RFC 4180) that a spreadsheet can open without harm."""

import csv
from collections.abc import Iterable
from datetime import UTC, datetime
from io import StringIO

from services.points.domain.journal import Entry

COLUMNS = (
    *("version", "occurred_at", "booked_at", "kind", "currency", "amount"),
    *("available", "pending", "held", "debt", "lifetime", "reference", "booked_by", "entry"),
)

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""How a cell begins that a spreadsheet would compute; full-width forms count in East Asian editions."""


def head_line() -> str:
    """Return the first line."""
    return csv_lines([COLUMNS])


def statement_lines(entries: Iterable[Entry]) -> str:
    """Return a line for each entry."""
    return csv_lines(_cells(entry) for entry in entries)


def text_cell(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula: behind an apostrophe where it might."""
    return f"'{text}" if text.startswith(FORMULA) else text


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


def csv_lines(rows: Iterable[tuple[object, ...]]) -> str:
    """Return a line for each row; its texts are those of `text_cell`."""
    written = StringIO()
    csv.writer(written, lineterminator="\r\n").writerows(rows)
    return written.getvalue()
