"""Lines of a CSV file (RFC 4180) that a spreadsheet can open without harm."""

import csv
from collections.abc import Iterable, Sequence
from io import StringIO

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""How a cell begins that a spreadsheet would compute; full-width forms count in East Asian editions."""


def text_cell(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula: behind an apostrophe where it might."""
    return f"'{text}" if text.startswith(FORMULA) else text


def csv_lines(rows: Iterable[Sequence[object]]) -> str:
    """Return a line for each row; its texts are those of `text_cell`."""
    written = StringIO()
    csv.writer(written, lineterminator="\r\n").writerows(rows)
    return written.getvalue()
