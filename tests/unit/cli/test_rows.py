import gzip
from decimal import Decimal
from pathlib import Path

import pytest

from infra.cli.importing.rows import BadRow, DamagedFileError, MissingFileError, Row, RowReader, SourceFile
from infra.cli.importing.rows import WrongHeaderError as HeaderError


def csv_file(**changes: str) -> SourceFile:
    given = {"name": "f", "encoding": "utf-8-sig", "delimiter": ","} | changes
    return SourceFile(format="csv", keep={}, skip_without=(), **given)


JSONL = SourceFile(name="f", format="jsonl", encoding="utf-8-sig", delimiter=",", keep={}, skip_without=())


def read(path: Path, content: bytes, source: SourceFile, *columns: str) -> list[Row | BadRow]:
    path.write_bytes(content)
    return list(RowReader(path, source, columns=frozenset(columns)))


def test_rows_of_a_csv_are_numbered_as_a_spreadsheet_does(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbfcard, paid\r\n1,2.50\r\n\r\n"3\n4",5\r\n6\r\n7,8,9\r\n10,11\r\n'
    assert read(tmp_path / "f.csv", content, csv_file(), "card", "paid") == [
        Row(2, {"card": "1", "paid": "2.50"}),
        Row(4, {"card": "3\n4", "paid": "5"}),
        BadRow(5, "has 1 cells and the header 2"),
        BadRow(6, "has 3 cells and the header 2"),
        Row(7, {"card": "10", "paid": "11"}),
    ]


def test_a_bad_byte_or_quote_spoils_its_own_row_only(tmp_path: Path) -> None:
    bad_quote, bad_byte, good = read(tmp_path / "f.csv", b'a;b\n"1"x;2\n\xff;4\n5;6\n', csv_file(delimiter=";"))
    assert isinstance(bad_quote, BadRow)
    assert bad_quote.number == 2
    assert bad_byte == Row(3, {"a": "\udcff", "b": "4"})
    assert good == Row(4, {"a": "5", "b": "6"})


def test_other_encodings(tmp_path: Path) -> None:
    content = "名,分\n李,1\n".encode("gb18030")
    assert read(tmp_path / "f", content, csv_file(encoding="gb18030"), "名") == [Row(2, {"名": "李", "分": "1"})]


def test_a_header_must_have_the_columns_of_the_mapping(tmp_path: Path) -> None:
    with pytest.raises(HeaderError, match="has no column cost; it has a, b"):
        read(tmp_path / "f", b"a,b\n", csv_file(), "a", "cost")
    with pytest.raises(HeaderError, match="has two columns named a"):
        read(tmp_path / "f", b"a,a\n", csv_file())
    with pytest.raises(HeaderError, match="it has no header"):
        read(tmp_path / "f", b"", csv_file(), "a")


def test_json_lines_keep_numbers_as_they_are_written(tmp_path: Path) -> None:
    content = b'{"value": {"amount": 0.10}, "a.b": 1}\n\n[1]\n{"x"\n{"n": NaN}\n\xff\n{"t": "\xe5\x9b\x9e"}'
    rows = read(tmp_path / "f.json", content, JSONL)
    assert rows[1:] == [
        BadRow(3, "is not a JSON object"),
        BadRow(4, "is not JSON"),
        BadRow(5, "is not JSON"),
        BadRow(6, "is not utf-8-sig; set `encoding` in the mapping"),
        Row(7, {"t": "回"}),
    ]
    first = rows[0]
    assert isinstance(first, Row)
    assert first.cell("value.amount") == Decimal("0.10")
    assert str(first.cell("value.amount")) == "0.10"
    assert (first.cell("a.b"), first.cell("value.none"), first.cell("a.b.c")) == (1, None, None)


def test_packed_files_are_read_and_a_cut_one_is_noticed(tmp_path: Path) -> None:
    whole = gzip.compress(b'{"a": 1}\n' * 100_000)
    assert len(read(tmp_path / "f.gz", whole, JSONL)) == 100_000
    with pytest.raises(DamagedFileError, match=r"cannot be read beyond row \d+"):
        read(tmp_path / "f.gz", whole[:-20], JSONL)
    with pytest.raises(DamagedFileError, match="beyond row 0: Not a gzipped file"):
        read(tmp_path / "f.gz", b'{"a": 1}', JSONL)


def test_a_line_without_end_is_not_taken_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.cli.importing.rows.MOST_LINE_BYTES", 20)
    content = b'{"a": "' + b"x" * 100 + b'"}\n{"a": 1}\n'
    assert read(tmp_path / "f", content, JSONL) == [BadRow(1, "is longer than 20 bytes"), Row(2, {"a": 1})]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        list(RowReader(tmp_path / "none", JSONL, columns=frozenset()))
