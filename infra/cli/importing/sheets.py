"""Rows of the first sheet of an Excel workbook (.xlsx), one after the other, whatever its size.

A formula counts as what it last came to. Text is text; a number is the shortest decimal that is that number, a whole
one without a point: a phone in a number cell is 13800138000. Dates are ISO 8601, midnights without their time.
"""

import warnings
import zlib
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, BinaryIO
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile, ZipFile

from openpyxl import load_workbook

MOST_SHEET_BYTES = 4_000_000_000
"""Of all sheets, unpacked: 1,048,576 rows, the most there can be, of 4 kB each."""

MOST_OTHER_BYTES = 400_000_000
"""Of everything else, unpacked: texts that cells share are kept in memory."""

MOST_ROWS = 1_048_576
"""As Excel has it: a row of a higher number was made up, and all those before it would be gone through."""

_DAMAGE = (BadZipFile, zlib.error, ParseError, KeyError, ValueError, IndexError, TypeError, ArithmeticError)
"""What the parser raises over files that are none or are cut, besides OSError and EOFError."""


class SheetError(Exception):
    """The workbook cannot be read, or not further; the message says why."""


def rows_of(stream: BinaryIO) -> Iterator[tuple[int, list[Any]]]:
    """Yield the number and the cells of every row that has any, without empty ones at its end; "" where one is empty.

    A cell that shows an error, like #N/A, is a list of it: no text and no number. Raises `SheetError` and what reading
    raises.
    """
    try:
        _check_sizes(stream)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and extensions that are not read
            workbook = load_workbook(stream, read_only=True, data_only=True, keep_links=False)
            if not workbook.worksheets:
                raise SheetError("it has no sheet")
            sheet = workbook.worksheets[0]
            # What the file says of its own size may be wrong; the rows themselves are counted.
            sheet.reset_dimensions()
            for number, row in enumerate(sheet.iter_rows(), start=1):
                if number > MOST_ROWS:
                    raise SheetError(f"it has more than {MOST_ROWS} rows")
                cells = [_value(cell.value, is_error=cell.data_type == "e") for cell in row]
                while cells and cells[-1] == "":
                    cells.pop()
                if cells:
                    yield number, cells
    except _DAMAGE as error:
        raise SheetError(f"it is no whole Excel workbook: {error}") from error


def _check_sizes(stream: BinaryIO) -> None:
    """Refuse a small file that would become a huge one. Nothing is unpacked beyond the size that the directory says."""
    with ZipFile(stream) as packed:
        sheets, others = 0, 0
        for part in packed.infolist():
            if part.filename.startswith("xl/worksheets/"):
                sheets += part.file_size
            else:
                others += part.file_size
    if sheets > MOST_SHEET_BYTES or others > MOST_OTHER_BYTES:
        raise SheetError(f"unpacked it has {sheets + others} bytes, which is more than is read")


def _value(value: object, *, is_error: bool) -> Any:
    if value is None:
        return ""
    if is_error:
        return [value]
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return int(value) if value.is_integer() else Decimal(repr(value))
    if isinstance(value, datetime) and value.time() == time():
        value = value.date()
    if isinstance(value, date | time):  # or a datetime, which is a date
        return value.isoformat()
    return str(value) if isinstance(value, timedelta) else value
