from datetime import datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from infra.cli.importing import sheets
from infra.cli.importing.convert import text
from infra.cli.importing.rows import BadRow, DamagedFileError, Row, RowReader, SourceFile
from infra.cli.importing.rows import WrongHeaderError as HeaderError

XLSX = SourceFile(name="f.xlsx", format="xlsx", encoding="utf-8-sig", delimiter=",", keep={}, skip_without=())


def workbook(*rows: list[Any]) -> bytes:
    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in rows:
        sheet.append(row)
    book.save(file := BytesIO())
    return file.getvalue()


def read(folder: Path, content: bytes, *columns: str) -> list[Row | BadRow]:
    path = folder / "f.xlsx"
    path.write_bytes(content)
    return list(RowReader(path, XLSX, columns=frozenset(columns)))


def changed(content: bytes, name: str, old: bytes, new: bytes) -> bytes:
    """Return the workbook with `old` replaced in one of its parts."""
    with ZipFile(BytesIO(content)) as was, ZipFile(packed := BytesIO(), "w", ZIP_DEFLATED) as now:
        for part in was.namelist():
            now.writestr(part, was.read(part).replace(old, new) if part == name else was.read(part))
    return packed.getvalue()


def test_cells_are_what_a_person_sees(tmp_path: Path) -> None:
    header = ["card ", "phone", "joined", "paid", "vip"]
    seen = ["C-1", 13800138000.0, datetime(2019, 3, 8), 0.1, True]  # noqa: DTZ001 - a sheet knows no zone
    later = ["C-2", "0138", datetime(2019, 3, 8, 12, 5), 2.0]  # noqa: DTZ001
    rows = read(tmp_path, workbook(header, seen, [], later, [1, 2, 3, 4, 5, 6]), "card", "phone")
    first = {"card": "C-1", "phone": 13800138000, "joined": "2019-03-08", "paid": Decimal("0.1"), "vip": "true"}
    second = {"card": "C-2", "phone": "0138", "joined": "2019-03-08T12:05:00", "paid": 2, "vip": ""}
    assert rows == [Row(2, first), Row(4, second), BadRow(5, "has 6 cells and the header 5")]
    assert isinstance(rows[0], Row)
    assert text(rows[0].cell("phone")) == "13800138000"


def test_a_number_with_a_point_is_a_phone_all_the_same(tmp_path: Path) -> None:
    content = workbook(["phone"], [13800138000])
    pointed = changed(content, "xl/worksheets/sheet1.xml", b"<v>13800138000</v>", b"<v>13800138000.0</v>")
    assert pointed != content
    [row] = read(tmp_path, pointed)
    assert isinstance(row, Row)
    assert text(row.cell("phone")) == "13800138000"


def test_a_formula_is_what_it_came_to_and_an_error_is_no_text(tmp_path: Path) -> None:
    content = workbook(["sum", "name"], ["=1+2", "#N/A"])
    come_to = changed(content, "xl/worksheets/sheet1.xml", b"<v></v>", b"<v>3</v>")
    come_to = changed(come_to, "xl/worksheets/sheet1.xml", b"<v />", b"<v>3</v>")
    assert read(tmp_path, come_to) == [Row(2, {"sum": 3, "name": ["#N/A"]})]


def test_a_header_must_have_the_columns_of_the_mapping(tmp_path: Path) -> None:
    with pytest.raises(HeaderError, match="has no column cost; it has a, b"):
        read(tmp_path, workbook(["a", "b"]), "cost")
    with pytest.raises(HeaderError, match="it has no header"):
        read(tmp_path, workbook(), "cost")


@pytest.mark.parametrize("bound", ["MOST_SHEET_BYTES", "MOST_OTHER_BYTES"])
def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str) -> None:
    monkeypatch.setattr(sheets, bound, 100)
    with pytest.raises(DamagedFileError, match=r"unpacked it has \d+ bytes"):
        read(tmp_path, workbook(["a"], [1]))


def test_a_row_of_a_made_up_number_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "MOST_ROWS", 3)
    with pytest.raises(DamagedFileError, match="beyond row 3: it has more than 3 rows"):
        read(tmp_path, workbook(["a"], [1], [2], [3]))


def test_a_file_that_is_none_or_cut(tmp_path: Path) -> None:
    for content in (b"", b"a,b\n1,2\n", workbook(["a"], [1])[:-30]):
        with pytest.raises(DamagedFileError, match="no whole Excel workbook"):
            read(tmp_path, content)


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), min_size=1, max_size=20).filter(
    lambda word: not word.startswith(("=", "#"))  # a formula or an error
)
CELLS = WORDS | st.integers(-(10**14), 10**14) | st.decimals(-(10**6), 10**6, places=2).filter(lambda one: one % 1 != 0)


@given(rows=st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=8))
def test_any_rows_survive(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Any, Any, Any]]) -> None:
    found = read(tmp_path_factory.getbasetemp(), workbook(["a", "b", "c"], *(list(row) for row in rows)))
    assert found == [Row(number, dict(zip("abc", row, strict=True))) for number, row in enumerate(rows, start=2)]
