"""Read the source's files into a staging file."""

import sqlite3
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import orjson

from infra.cli.importing.fields import BadCellError
from infra.cli.importing.mapping import Mapping, MemberFields, PurchaseFields
from infra.cli.importing.progress import Progress
from infra.cli.importing.records import LineRecord, MemberRecord, is_kept, line_of, member_of, receipt_key
from infra.cli.importing.rows import BadRow, Row, RowReader
from infra.cli.importing.staging import SCHEMA
from services.kit.errors import Kind, Problem

ROWS_READ, ROWS_FILTERED, ROWS_REPEATED = "rows_read", "rows_filtered", "rows_repeated"

REPORT_EVERY = 1_000
"""Rows between two looks at how far a file has been read."""

MANY_ROWS = 1_000_000
"""From here on, to put them in order takes long enough to be told."""

AT_ONCE = 1_000
"""Purchases written together: a third faster than one by one."""


class TwoFilesError(Problem):
    """SOURCE {path} is one file, but the mapping names two: {names}. Give the folder that both lie in."""

    kind = Kind.INVALID
    code = "TWO_FILES"


def locate(source: Path, mapping: Mapping) -> dict[str, Path]:
    """Return where each of the mapping's files is. Raises `TwoFilesError`; whether they exist is seen on reading."""
    if source.is_dir() or not source.exists():
        return {name: source / name for name in mapping.files}
    if len(set(mapping.files)) > 1:
        raise TwoFilesError(path=source, names=" and ".join(mapping.files))
    return dict.fromkeys(mapping.files, source)


def stage(path: Path, *, mapping: Mapping, files: dict[str, Path], progress: Progress) -> None:
    """Write the staging file `path`. It is there when this returns, or not at all."""
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    db = sqlite3.connect(partial, isolation_level=None)
    try:
        # Nobody minds losing a half-read file, so nothing is paid for keeping it whole meanwhile.
        db.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA temp_store = FILE;" + SCHEMA)
        db.execute("BEGIN")
        loader = _Loader(db, progress)
        if mapping.members:
            loader.read_members(mapping.members, files[mapping.members.source.name])
        if mapping.purchases:
            loader.read_purchases(mapping.purchases, files[mapping.purchases.source.name])
        loader.note_facts()
        if loader.rows_read > MANY_ROWS:
            progress.note("putting the purchases in order")
        db.execute("CREATE INDEX waiting_purchases ON purchases (at, row) WHERE state = 0")
        db.execute("CREATE INDEX waiting_members ON members (row) WHERE state = 0")
        db.execute("COMMIT")
    finally:
        db.close()
    partial.replace(path)


class _Loader:
    def __init__(self, db: sqlite3.Connection, progress: Progress) -> None:
        self._db, self._progress = db, progress
        self._facts = dict.fromkeys((ROWS_READ, ROWS_FILTERED, ROWS_REPEATED), 0)
        self._purchases: list[tuple[object, ...]] = []

    @property
    def rows_read(self) -> int:
        return self._facts[ROWS_READ]

    def read_members(self, fields: MemberFields, path: Path) -> None:
        for row in self._kept(fields, path):
            try:
                self._add_member(member_of(row, fields), fields, path)
            except BadCellError as bad:
                self._reject(path, row.number, bad.column, bad.reason)

    def read_purchases(self, fields: PurchaseFields, path: Path) -> None:
        for row in self._kept(fields, path):
            key = receipt_key(row, fields)
            try:
                record = line_of(row, fields)
            except BadCellError as bad:
                self._reject(path, row.number, bad.column, bad.reason)
                record = None
            if fields.group_by is None:
                if record is not None:
                    self._add_purchase(record, [record.line])
            elif key is not None:
                self._add_line(row.number, key, record)
            elif record is not None:
                self._reject(path, row.number, fields.group_by.origin.label, "is empty or no text")
        self._join_lines(fields, path)
        self._write_purchases()

    def note_facts(self) -> None:
        self._db.executemany("INSERT INTO facts VALUES (?, ?)", self._facts.items())

    def _kept(self, fields: MemberFields | PurchaseFields, path: Path) -> Iterator[Row]:
        reader = RowReader(
            path, fields.source, columns=fields.columns if fields.source.format == "csv" else frozenset()
        )
        size = path.stat().st_size if path.exists() else 0
        self._progress.start(f"reading {path.name}", total=size, unit="B")
        told = 0
        for count, row in enumerate(reader):
            self._facts[ROWS_READ] += 1
            if isinstance(row, BadRow):
                self._reject(path, row.number, "", row.reason)
            elif is_kept(row, fields.source):
                yield row
            else:
                self._facts[ROWS_FILTERED] += 1
            if count % REPORT_EVERY == 0:
                self._progress.advance(reader.position - told)
                told = reader.position
        self._progress.advance(size - told)
        self._progress.finish()

    def _add_member(self, record: MemberRecord, fields: MemberFields, path: Path) -> None:
        query = "SELECT row, content FROM members WHERE external_id = ?"
        if (known := self._db.execute(query, (record.external_id,)).fetchone()) is None:
            query = "INSERT INTO members (row, external_id, content) VALUES (?, ?, ?)"
            self._db.execute(query, (record.row, record.external_id, record.content))
        elif known[1] == record.content:
            self._facts[ROWS_REPEATED] += 1
        else:
            column = fields.labels["external_id"]
            self._reject(path, record.row, column, f"stands in row {known[0]} already, with other facts")

    def _add_purchase(self, record: LineRecord, lines: list[Any]) -> None:
        values = (record.row, record.store, record.receipt_number, record.member, record.at, orjson.dumps(lines))
        self._purchases.append(values)
        if len(self._purchases) == AT_ONCE:
            self._write_purchases()

    def _write_purchases(self) -> None:
        query = "INSERT INTO purchases (row, store, receipt_number, member, at, lines) VALUES (?, ?, ?, ?, ?, ?)"
        self._db.executemany(query, self._purchases)
        self._purchases.clear()

    def _add_line(self, row: int, key: tuple[str, str], record: LineRecord | None) -> None:
        """Keep a line for its receipt; None: the row was rejected, and so will be the whole receipt."""
        content = record and orjson.dumps([record.receipt_number, record.member, record.at, record.line])
        self._db.execute("INSERT INTO lines VALUES (?, ?, ?, ?)", (row, *key, content))

    def _join_lines(self, fields: PurchaseFields, path: Path) -> None:
        """Make receipts of lines. One with a bad line goes in not at all: it could never be completed afterwards."""
        if fields.group_by is None:
            return
        found = self._db.execute("SELECT store, receipt, row, content FROM lines ORDER BY store, receipt, row")
        for (store, receipt), rows in groupby(found, key=lambda line: (line[0], line[1])):
            lines = [(row, content and orjson.loads(content)) for _, _, row, content in rows]
            if reason := _flaw(lines, fields):
                for row, content in lines:
                    if content is not None:
                        why = f"its receipt {receipt} is not booked: {reason}"
                        self._reject(path, row, fields.group_by.origin.label, why)
                continue
            row, (number, member, at, _) = lines[0]
            first = LineRecord(row, store, number, member, at, ("", 0, 0, 0))
            self._add_purchase(first, [content[3] for _, content in lines])
        self._db.execute("DELETE FROM lines")

    def _reject(self, path: Path, row: int, column: str, reason: str) -> None:
        self._db.execute("INSERT INTO rejects VALUES (?, ?, ?, ?, 0)", (path.name, row, column, reason))


def _flaw(lines: list[tuple[int, Any]], fields: PurchaseFields) -> str:
    """Return why the lines are not one receipt, "" when they are."""
    first_row, first = lines[0]
    for row, content in lines:
        if content is None:
            return f"row {row} was rejected"
        for place, name in ((1, "member"), (2, "occurred_at")):
            if content[place] != first[place]:
                return f"rows {first_row} and {row} differ in {fields.labels[name]}"
    return ""
