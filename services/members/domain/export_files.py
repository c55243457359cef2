"""Files of rows, written chunk by chunk: what was written so far says how the next chunk begins.

A chunk follows from the place that the file has reached and its rows alone, so a writer that was killed goes on at the
last chunk that was kept, and the file comes out byte for byte the same. CSV is UTF-8 with a byte order mark (RFC 4180).
XLSX is a ZIP archive (APPNOTE 6.3.3) of SpreadsheetML parts (ECMA-376, part 1): the rows of each chunk are compressed
by themselves (RFC 1951, flushed to a byte's border), so that they can be laid one after another.
"""

import re
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from xml.sax.saxutils import escape

from services.kit.csv_cells import csv_lines, text_cell

Cell = str | int | bool | None
Line = Sequence[Cell]

MOST_ROWS_OF_SHEET = 1_048_576
"""The format's own limit, its head included; what comes after it goes to a further sheet."""

MOST_BYTES_OF_SHEET = 2_000_000_000
"""Before compression: a ZIP without the 64-bit extension counts to 4 GiB."""

MOST_OF_CELL = 32_767
"""Characters in a cell of a sheet; a longer text is cut, and ends in an ellipsis."""

MOST_EXACT = 10**15
"""A sheet's numbers are doubles with 15 digits: greater ones are written as text."""

BYTE_ORDER_MARK = "\ufeff"


class Format(StrEnum):
    """How a file is written."""

    CSV = "csv"
    XLSX = "xlsx"


@dataclass(frozen=True, slots=True)
class Part:
    """One file in the archive: where it begins, its CRC-32, its bytes before and after compression, and its rows."""

    name: str
    offset: int
    crc: int = 0
    plain: int = 0
    packed: int = 0
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """How far a file is written: its bytes so far, and of an archive its parts, the last of which is open."""

    size: int = 0
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """What is written: how, and under which head."""

    format: Format
    head: tuple[str, ...]
    rows_of_sheet: int = MOST_ROWS_OF_SHEET


def next_chunk(table: Table, place: Place, lines: Sequence[Line], *, last: bool) -> tuple[bytes, Place]:
    """Return the bytes that follow, with these rows in them, and the place after them; `last`: the file is complete."""
    if table.format is Format.CSV:
        head = BYTE_ORDER_MARK + csv_lines([table.head]) if not place.size else ""
        content = (head + csv_lines([_csv_cell(cell) for cell in line] for line in lines)).encode()
        return content, Place(place.size + len(content))
    archive = _Archive(place)
    _write_sheets(table, archive, lines)
    if last:
        archive.close_sheet()
        archive.finish()
    return bytes(archive.content), archive.place


def _csv_cell(cell: Cell) -> object:
    if isinstance(cell, str):
        return text_cell(cell)
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return "" if cell is None else cell


# --- sheets ---

_SHEET = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
)
_SHEET_END = "</sheetData></worksheet>"

_NOT_IN_XML = re.compile("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
"""What XML 1.0 has no place for or makes something else of, and the underscore that would read as an escape of such."""


def _write_sheets(table: Table, archive: "_Archive", lines: Sequence[Line]) -> None:
    if not archive.place.parts:
        archive.open_sheet()
        archive.add(_SHEET + _row(table.head), rows=1)
    rest = list(lines)
    while rest:
        sheet = archive.place.parts[-1]
        if sheet.rows >= table.rows_of_sheet or sheet.plain >= MOST_BYTES_OF_SHEET:
            archive.close_sheet()
            archive.open_sheet()
            archive.add(_SHEET + _row(table.head), rows=1)
        room = table.rows_of_sheet - archive.place.parts[-1].rows
        archive.add("".join(map(_row, rest[:room])), rows=len(rest[:room]))
        rest = rest[room:]


def _row(line: Line) -> str:
    return f"<row>{''.join(map(_cell, line))}</row>"


def _cell(cell: Cell) -> str:
    if cell is None or cell == "":
        return "<c/>"
    if isinstance(cell, bool):
        return f'<c t="b"><v>{int(cell)}</v></c>'
    if isinstance(cell, int) and abs(cell) < MOST_EXACT:
        return f"<c><v>{cell}</v></c>"
    text = str(cell)
    # The limit counts units of UTF-16, of which a character has two at most.
    if len(text) > MOST_OF_CELL // 2 and len(text.encode("utf-16-le", "surrogatepass")) > 2 * MOST_OF_CELL:
        text = text[: MOST_OF_CELL // 2 - 1] + "…"
    # A string's cell is never computed, however it begins.
    return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(_NOT_IN_XML.sub(_escaped, text))}</t></is></c>'


def _escaped(found: re.Match[str]) -> str:
    return f"_x{ord(found.group()):04X}_"


# --- archives ---

_LOCAL, _DESCRIPTOR, _CENTRAL, _END = b"PK\x03\x04", b"PK\x07\x08", b"PK\x01\x02", b"PK\x05\x06"
_VERSION, _DEFLATE, _DAY = 20, 8, 0x21  # ZIP 2.0; compressed; 1980-01-01, so that equal rows make equal bytes
_FLAGS = 0x808  # sizes come behind the content; names are UTF-8
_LEVEL = 6
_LAST_BLOCK = b"\x03\x00"  # an empty final block of RFC 1951: ends what was flushed


class _Archive:
    """Goes on from a place. `content` is what comes to the file."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.content = bytearray()

    def open_sheet(self) -> None:
        self._open(f"xl/worksheets/sheet{len(self.place.parts) + 1}.xml")

    def close_sheet(self) -> None:
        self.add(_SHEET_END, rows=0)
        self._close()

    def add(self, text: str, *, rows: int) -> None:
        """Add to the part that is open."""
        plain = text.encode()
        packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        packed = packer.compress(plain) + packer.flush(zlib.Z_FULL_FLUSH)
        part = self.place.parts[-1]
        self._changed(
            replace(
                part,
                crc=zlib.crc32(plain, part.crc),
                plain=part.plain + len(plain),
                packed=part.packed + len(packed),
                rows=part.rows + rows,
            )
        )
        self._write(packed)

    def finish(self) -> None:
        """Write what tells a spreadsheet of its sheets, and the directory."""
        sheets = [part.name.rpartition("/")[2] for part in self.place.parts]
        for name, text in _parts_about(sheets):
            self._open(name)
            self.add(text, rows=0)
            self._close()
        begins = self.place.size
        for part in self.place.parts:
            sizes = struct.pack("<III", part.crc, part.packed, part.plain)
            called = part.name.encode()
            head = struct.pack("<HHHHHH", _VERSION, _VERSION, _FLAGS, _DEFLATE, 0, _DAY)
            rest = struct.pack("<HHHHHII", len(called), 0, 0, 0, 0, 0, part.offset)
            self._write(_CENTRAL + head + sizes + rest + called)
        count, length = len(self.place.parts), self.place.size - begins
        self._write(_END + struct.pack("<HHHHIIH", 0, 0, count, count, length, begins, 0))

    def _open(self, name: str) -> None:
        offset = self.place.size
        self.place = replace(self.place, parts=(*self.place.parts, Part(name, offset)))
        written = name.encode()
        head = struct.pack("<HHHHHIIIHH", _VERSION, _FLAGS, _DEFLATE, 0, _DAY, 0, 0, 0, len(written), 0)
        self._write(_LOCAL + head + written)

    def _close(self) -> None:
        part = self.place.parts[-1]
        part = replace(part, packed=part.packed + len(_LAST_BLOCK))
        self._changed(part)
        self._write(_LAST_BLOCK + _DESCRIPTOR + struct.pack("<III", part.crc, part.packed, part.plain))

    def _changed(self, part: Part) -> None:
        self.place = replace(self.place, parts=(*self.place.parts[:-1], part))

    def _write(self, content: bytes) -> None:
        self.content += content
        self.place = replace(self.place, size=self.place.size + len(content))


_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_DOCUMENT = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"


def _parts_about(sheets: Iterable[str]) -> list[tuple[str, str]]:
    """Return name and text of what an archive needs beside its sheets: the least that the format asks for."""
    numbered = list(enumerate(sheets, 1))
    overrides = "".join(
        f'<Override PartName="/xl/worksheets/{name}" ContentType="{_TYPE}.worksheet+xml"/>' for _, name in numbered
    )
    types = (
        f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>{overrides}</Types>'
    )
    listed = "".join(f'<sheet name="{number}" sheetId="{number}" r:id="rId{number}"/>' for number, _ in numbered)
    related = "".join(
        f'<Relationship Id="rId{number}" Type="{_DOCUMENT}/worksheet" Target="worksheets/{name}"/>'
        for number, name in numbered
    )
    workbook = f'<workbook xmlns="{_MAIN}" xmlns:r="{_DOCUMENT}"><sheets>{listed}</sheets></workbook>'
    root = f'<Relationship Id="rId1" Type="{_DOCUMENT}/officeDocument" Target="xl/workbook.xml"/>'
    relationships = f'<Relationships xmlns="{_PACKAGE}/relationships">'
    return [
        ("xl/workbook.xml", _XML + workbook),
        ("xl/_rels/workbook.xml.rels", f"{_XML}{relationships}{related}</Relationships>"),
        ("_rels/.rels", f"{_XML}{relationships}{root}</Relationships>"),
        ("[Content_Types].xml", _XML + types),
    ]
