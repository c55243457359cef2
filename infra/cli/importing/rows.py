"""Rows of a file: CSV or JSON lines, plain or .gz, or an Excel workbook, one after the other, whatever its size.

A row's number is what an editor or a spreadsheet shows: the first line of the file is 1, so a CSV's header is row 1
and its first record row 2 (a record that holds line breaks counts once).
"""

import csv
import gzip
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, Literal, NoReturn, cast

from infra.cli.importing.sheets import SheetError, rows_of
from services.kit.errors import Kind, Problem

MOST_LINE_BYTES = 4_000_000
"""A line that is longer was not meant as one record."""

csv.field_size_limit(MOST_LINE_BYTES)


class MissingFileError(Problem):
    """{path} is not there. Its name comes from `file` in the mapping; SOURCE is the folder it lies in, or the file
    itself."""

    kind = Kind.NOT_FOUND
    code = "MISSING_FILE"


class DamagedFileError(Problem):
    """{path} cannot be read beyond row {row}: {why}. Get the file again, then run the same command."""

    kind = Kind.INVALID
    code = "DAMAGED_FILE"


class WrongHeaderError(Problem):
    """{path} {why}."""

    kind = Kind.INVALID
    code = "WRONG_HEADER"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """How a file is written, and which of its rows count: those whose columns in `keep` have one of the values."""

    name: str
    format: Literal["csv", "jsonl", "xlsx"]
    encoding: str
    delimiter: str
    keep: Mapping[str, frozenset[str]]
    skip_without: tuple[str, ...]  # columns without which a row does not count

    @property
    def filtered(self) -> set[str]:
        """The columns that decide which rows count."""
        return {*self.keep, *self.skip_without}


@dataclass(frozen=True, slots=True)
class Row:
    """A row and its cells. A name with dots finds a value within objects: "value.amount"."""

    number: int
    cells: Mapping[str, Any]

    def cell(self, name: str) -> object:
        """Return the value, None where there is none."""
        if name in self.cells:
            return cast("object", self.cells[name])
        found: object = self.cells
        for step in name.split("."):
            if not isinstance(found, dict):
                return None
            found = found.get(step)
        return found


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be read at all."""

    number: int
    reason: str


class RowReader:
    """Iterates over the rows of a file; `columns` must be there, checked before the first row of a CSV or sheet."""

    def __init__(self, path: Path, source: SourceFile, *, columns: frozenset[str]) -> None:
        self._path, self._source, self._columns = path, source, columns
        self._raw: BinaryIO | None = None
        self._at = 0

    @property
    def position(self) -> int:
        """How many bytes of the file have been read."""
        return self._raw.tell() if self._raw and not self._raw.closed else 0

    def __iter__(self) -> Iterator[Row | BadRow]:
        """Yield every row. Raises `MissingFileError`, `WrongHeaderError`, `DamagedFileError`."""
        try:
            self._raw = self._path.open("rb")
        except (FileNotFoundError, IsADirectoryError):
            raise MissingFileError(path=self._path) from None
        with self._raw:
            rows = self._sheet(self._raw) if self._source.format == "xlsx" else self._lines(self._raw)
            try:
                yield from rows
            except (OSError, EOFError, UnicodeError, SheetError) as error:  # gzip's own errors are OSErrors
                raise DamagedFileError(path=self._path, row=self._at, why=str(error)) from error

    def _lines(self, raw: BinaryIO) -> Iterator[Row | BadRow]:
        # Closing the packed file is closing the one below it.
        stream = cast("BinaryIO", gzip.open(raw)) if self._path.suffix == ".gz" else raw  # noqa: SIM115
        yield from self._csv(stream) if self._source.format == "csv" else self._json_lines(stream)

    def _json_lines(self, stream: BinaryIO) -> Iterator[Row | BadRow]:
        while line := stream.readline(MOST_LINE_BYTES):
            self._at += 1
            if len(line) == MOST_LINE_BYTES and not line.endswith(b"\n"):
                while (rest := stream.readline(MOST_LINE_BYTES)) and not rest.endswith(b"\n"):
                    pass
                yield BadRow(self._at, f"is longer than {MOST_LINE_BYTES} bytes")
            elif not line.isspace():
                yield self._parsed(line)

    def _parsed(self, line: bytes) -> Row | BadRow:
        try:
            content = _JSON.decode(line.decode(self._source.encoding))
        except UnicodeDecodeError:
            return BadRow(self._at, f"is not {self._source.encoding}; set `encoding` in the mapping")
        except (ValueError, RecursionError):
            return BadRow(self._at, "is not JSON")
        return Row(self._at, content) if isinstance(content, dict) else BadRow(self._at, "is not a JSON object")

    def _csv(self, stream: BinaryIO) -> Iterator[Row | BadRow]:
        # A byte that does not belong to the encoding becomes a sign that no text has, and only its row is rejected.
        coding = self._source.encoding
        with io.TextIOWrapper(stream, encoding=coding, errors="surrogateescape", newline="") as decoded:
            yield from self._records(csv.reader(decoded, delimiter=self._source.delimiter, strict=True))

    def _records(self, reader: Iterator[list[str]]) -> Iterator[Row | BadRow]:
        header = [name.strip() for name in next(reader, [])]
        self._check(header)
        self._at = 1
        while True:
            self._at += 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield BadRow(self._at, f"is not CSV: {error}")
                continue
            if cells and len(cells) != len(header):
                yield BadRow(self._at, f"has {len(cells)} cells and the header {len(header)}")
            elif cells:
                yield Row(self._at, dict(zip(header, cells, strict=True)))

    def _sheet(self, raw: BinaryIO) -> Iterator[Row | BadRow]:
        rows = rows_of(raw)
        _, names = next(rows, (0, []))
        header = [str(name).strip() for name in names]
        self._check(header)
        for self._at, cells in rows:
            if len(cells) > len(header):
                yield BadRow(self._at, f"has {len(cells)} cells and the header {len(header)}")
            else:
                empty = [""] * (len(header) - len(cells))
                yield Row(self._at, dict(zip(header, cells + empty, strict=True)))

    def _check(self, header: list[str]) -> None:
        if twice := sorted({name for name in header if name and header.count(name) > 1}):
            raise WrongHeaderError(path=self._path, why=f"has two columns named {twice[0]}")
        if missing := sorted(self._columns - set(header)):
            why = f"has no column {missing[0]}; it has {', '.join(header) or 'no header'}"
            raise WrongHeaderError(path=self._path, why=why)


def _refuse(constant: str) -> NoReturn:
    """Refuse NaN and the infinities, which Python's parser takes though JSON has no such thing."""
    raise ValueError(constant)


_JSON = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse)
"""Numbers with a point stay exactly what is written."""
