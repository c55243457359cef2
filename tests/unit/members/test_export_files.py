"""Files of rows come out of any chunks alike, and say what was put in."""

import csv
import re
import zipfile
from io import BytesIO, StringIO
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from services.kit.csv_cells import FORMULA
from services.members.domain.export_files import (
    MOST_OF_CELL,
    Cell,
    Format,
    Line,
    Place,
    Table,
    next_chunk,
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
CELLS = st.one_of(TEXTS, st.none(), st.booleans(), st.integers(-(10**14), 10**14))
LINES = st.lists(st.tuples(CELLS, CELLS), max_size=12)
HEAD = ("first", "second")
KIND_OF_TEXT = "s"
NASTY = [("=1+1", "\uff1dcmd"), ("a\r\nb", 'q"u,o'), ("_x000D_\r", "\x00\x1b\ufffe"), ("-1", " <&> "), ("'=", "_x0")]


def file_of(table: Table, chunks: list[list[Line]]) -> bytes:
    """Write chunks one after another, each from no more than the place that was kept."""
    content, place = b"", Place()
    for number, lines in enumerate(chunks):
        some, place = next_chunk(table, place, lines, last=number == len(chunks) - 1)
        content += some
        assert place.size == len(content)
    return content


def sheets_in(content: bytes) -> list[list[tuple[Any, ...]]]:
    with zipfile.ZipFile(BytesIO(content)) as archive:
        assert archive.testzip() is None
    book = load_workbook(BytesIO(content), read_only=True)
    return [[tuple(map(read, row)) for row in sheet.iter_rows(values_only=True)] for sheet in book.worksheets]


def read(value: Any) -> Any:
    """Undo what ECMA-376 (part 1, 22.9.2.19) has for characters that XML cannot hold; the library leaves it to us."""
    if not isinstance(value, str):
        return value
    return re.sub("_x([0-9A-Fa-f]{4})_", lambda found: chr(int(found.group(1), 16)), value)


def in_csv(cell: Cell) -> str:
    if isinstance(cell, str):
        return "'" + cell if cell.startswith(FORMULA) else cell
    return {True: "true", False: "false"}[cell] if isinstance(cell, bool) else "" if cell is None else str(cell)


@given(LINES)
@example(NASTY)
def test_any_text_survives_csv(lines: list[Line]) -> None:
    content = file_of(Table(Format.CSV, HEAD), [lines])
    assert content.startswith(b"\xef\xbb\xbf")
    found = list(csv.reader(StringIO(content.decode("utf-8-sig"), newline="")))
    assert found == [list(HEAD), *([in_csv(cell) for cell in line] for line in lines)]
    assert not any(cell.startswith(FORMULA) for row in found[1:] for cell in row if not re.fullmatch(r"-\d+", cell))


@settings(deadline=None)
@given(LINES)
@example(NASTY)
def test_any_text_survives_xlsx(lines: list[Line]) -> None:
    [rows] = sheets_in(file_of(Table(Format.XLSX, HEAD), [lines]))
    wanted = [tuple(None if cell == "" else cell for cell in line) for line in lines]
    assert [row + (None,) * (2 - len(row)) for row in rows] == [HEAD, *wanted]
    assert [[type(cell) for cell in row] for row in rows[1:]] == [[type(cell) for cell in line] for line in wanted]


@settings(deadline=None)
@given(st.lists(LINES, min_size=1, max_size=5), st.integers(2, 6))
def test_sheets_follow_one_another_whatever_the_chunks(chunks: list[list[Line]], rows_of_sheet: int) -> None:
    table = Table(Format.XLSX, HEAD, rows_of_sheet=rows_of_sheet)
    sheets = sheets_in(file_of(table, chunks))
    lines = [line for chunk in chunks for line in chunk]
    assert all(sheet[0] == HEAD and len(sheet) <= rows_of_sheet for sheet in sheets)
    rest = [row + (None,) * (2 - len(row)) for sheet in sheets for row in sheet[1:]]
    assert rest == [tuple(None if cell == "" else cell for cell in line) for line in lines]
    assert len(sheets) == max(1, -(-len(lines) // (rows_of_sheet - 1)))


def test_a_formula_is_text_in_both() -> None:
    lines: list[Line] = [("=HYPERLINK(1)", "@SUM")]
    assert b"'=HYPERLINK(1),'@SUM\r\n" in file_of(Table(Format.CSV, HEAD), [lines])
    book = load_workbook(BytesIO(file_of(Table(Format.XLSX, HEAD), [lines])))
    row = book.worksheets[0][2]
    assert [(cell.value, cell.data_type) for cell in row] == [("=HYPERLINK(1)", KIND_OF_TEXT), ("@SUM", KIND_OF_TEXT)]


def test_a_text_that_no_cell_can_hold_is_cut() -> None:
    [[_, (cut, number)]] = sheets_in(file_of(Table(Format.XLSX, HEAD), [[("𝄞" * MOST_OF_CELL, 10**16)]]))
    assert len(cut.encode("utf-16-le")) <= 2 * MOST_OF_CELL
    assert cut.endswith("𝄞…")
    assert number == str(10**16)
