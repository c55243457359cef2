"""Read the source's files into a staging file."""

import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from infra.cli.importing import documents
from infra.cli.importing.balances import Balances
from infra.cli.importing.documents import Documents
from infra.cli.importing.fields import BadCellError
from infra.cli.importing.mapping import Mapping
from infra.cli.importing.matching import match
from infra.cli.importing.people import MemberFields, MemberRecord, member_of
from infra.cli.importing.progress import Progress
from infra.cli.importing.records import (
    LineRecord,
    account_of,
    is_kept,
    line_of,
    opening_of,
    receipt_key,
    refund_of,
)
from infra.cli.importing.rows import BadRow, Row, RowReader
from infra.cli.importing.sections import OpeningFields, PurchaseFields, RefundFields
from infra.cli.importing.staging import SCHEMA
from services.kit.errors import Kind, Problem

ROWS_READ, ROWS_FILTERED, ROWS_REPEATED, ROWS_EMPTY = "rows_read", "rows_filtered", "rows_repeated", "rows_empty"
REFUND_ROWS, REFUND_ROWS_MATCHED = "refund_rows", "refund_rows_matched"
FACTS = (ROWS_READ, ROWS_FILTERED, ROWS_REPEATED, ROWS_EMPTY, REFUND_ROWS, REFUND_ROWS_MATCHED)

REPORT_EVERY = 1_000
"""Rows between two looks at how far a file has been read."""

MANY_ROWS = 1_000_000
"""From here on, to put them in order takes long enough to be told."""

INDEXES = (
    "CREATE INDEX waiting_purchases ON purchases (at, row) WHERE state = 0",
    "CREATE INDEX waiting_refunds ON refunds (due, id) WHERE state = 0",
    "CREATE INDEX waiting_members ON members (row) WHERE state = 0",
    "CREATE INDEX waiting_levels ON members (row) WHERE level_state = 0",
    "CREATE INDEX waiting_openings ON openings (row) WHERE state = 0",
)


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
        pragmas = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA temp_store = FILE;"
        db.executescript(pragmas + SCHEMA + documents.SCHEMA)
        db.execute("BEGIN")
        loader = _Loader(db, progress)
        loader.read(mapping, files)
        if loader.rows_read > MANY_ROWS:
            progress.note("putting the purchases in order")
        for index in INDEXES:
            db.execute(index)
        db.execute("COMMIT")
    finally:
        db.close()
    partial.replace(path)


_Section = MemberFields | OpeningFields | PurchaseFields | RefundFields


class _Loader:
    def __init__(self, db: sqlite3.Connection, progress: Progress) -> None:
        self._db, self._progress = db, progress
        self._facts = dict.fromkeys(FACTS, 0)

    @property
    def rows_read(self) -> int:
        return self._facts[ROWS_READ]

    def read(self, mapping: Mapping, files: dict[str, Path]) -> None:
        """Read everything that the mapping names, and match what is taken back."""
        if mapping.members:
            self._read_members(mapping.members, files[mapping.members.source.name])
        if mapping.openings:
            self._read_openings(mapping.openings, files[mapping.openings.source.name])
        if (bought := mapping.purchases) is not None:
            self._read_documents(bought, files[bought.source.name], lambda row: line_of(row, bought))
        if (back := mapping.refunds) is not None:
            self._read_documents(back, files[back.source.name], lambda row: refund_of(row, back))
        reject = self._reject_in
        self._facts[REFUND_ROWS], self._facts[REFUND_ROWS_MATCHED] = match(
            self._db, reject=reject, progress=self._progress
        )
        self._db.executemany("INSERT INTO facts VALUES (?, ?)", self._facts.items())

    def _read_members(self, fields: MemberFields, path: Path) -> None:
        for row in self._kept(fields, path):
            try:
                self._add_member(member_of(row, fields), fields, path)
            except BadCellError as bad:
                self._reject(path, row.number, bad.column, bad.reason)

    def _read_documents(
        self, fields: PurchaseFields | RefundFields, path: Path, convert: Callable[[Row], LineRecord]
    ) -> None:
        reject = partial(self._reject, path)
        found = Documents(self._db, file=path.name, group_by=fields.group_by, reject=reject)
        for row in self._kept(fields, path):
            try:
                record = convert(row)
            except BadCellError as bad:
                reject(row.number, bad.column, bad.reason)
                record = None
            found.add(row.number, receipt_key(row, fields), record)
        found.close(fields.labels)

    def _read_openings(self, fields: OpeningFields, path: Path) -> None:
        reject = partial(self._reject, path)
        found = Balances(self._db, reject=reject)
        for row in self._kept(fields, path):
            try:
                record = opening_of(row, fields)
            except BadCellError as bad:
                reject(row.number, bad.column, bad.reason)
                found.spoil(row.number, account_of(row, fields))
                continue
            if record.amount:
                found.add(record)
            else:
                self._facts[ROWS_EMPTY] += 1
        found.close(fields.labels)

    def _kept(self, fields: _Section, path: Path) -> Iterator[Row]:
        reader = RowReader(
            path, fields.source, columns=fields.columns if fields.source.format != "jsonl" else frozenset()
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
        facts = record.content, record.store, record.level_key if record.level else ""
        query = "SELECT row, content, store, level_key FROM members WHERE external_id = ?"
        if (known := self._db.execute(query, (record.external_id,)).fetchone()) is None:
            names = "row, external_id, content, store, level_key, level, level_until, level_state"
            values = (
                record.row,
                record.external_id,
                *facts,
                record.level,
                record.level_until,
                0 if record.level else None,
            )
            self._db.execute(f"INSERT INTO members ({names}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)  # noqa: S608 - our own names
        elif known[1:] == facts:
            self._facts[ROWS_REPEATED] += 1
        else:
            column = fields.labels["external_id"]
            self._reject(path, record.row, column, f"stands in row {known[0]} already, with other facts")

    def _reject(self, path: Path, row: int, column: str, reason: str) -> None:
        self._reject_in(path.name, row, column, reason)

    def _reject_in(self, file: str, row: int, column: str, reason: str) -> None:
        self._db.execute("INSERT INTO rejects VALUES (?, ?, ?, ?, 0)", (file, row, column, reason))
