"""Rows joined to documents: receipts for the purchases, and what they take back for the matching."""

import sqlite3
from collections.abc import Callable, Mapping
from itertools import groupby
from typing import Any

import orjson

from infra.cli.importing.fields import Field
from infra.cli.importing.records import LineRecord

AT_ONCE = 1_000
"""Documents written together: a third faster than one by one."""

# What is still to be matched; `doc` is the document's first row. `pieces` and `amount` as in a `Line`.
SCHEMA = """
CREATE TEMP TABLE lines (row INTEGER PRIMARY KEY, store TEXT NOT NULL, doc TEXT NOT NULL, content BLOB);
CREATE TEMP TABLE returned (
    file TEXT NOT NULL, doc INTEGER NOT NULL, row INTEGER NOT NULL, store TEXT NOT NULL, number TEXT NOT NULL,
    mixed INTEGER NOT NULL, member TEXT NOT NULL, at INTEGER NOT NULL, item TEXT NOT NULL, pieces INTEGER NOT NULL,
    amount INTEGER, receipt_store TEXT NOT NULL, receipt TEXT NOT NULL
);
"""

Reject = Callable[[int, str, str], None]
"""Takes row, column and reason."""


class Documents:
    """Takes the lines of one file. The documents are in `purchases` and `returned` after `close`."""

    def __init__(self, db: sqlite3.Connection, *, file: str, group_by: Field[str] | None, reject: Reject) -> None:
        self._db, self._file, self._group_by, self._reject = db, file, group_by, reject
        self._purchases: list[tuple[object, ...]] = []
        self._returned: list[tuple[object, ...]] = []

    def add(self, row: int, key: tuple[str, str] | None, record: LineRecord | None) -> None:
        """Keep a line; None: the row was rejected, and so will be its whole document, which `key` names."""
        if self._group_by is None:
            if record is not None:
                self._add_document([record])
        elif key is not None:
            content = record and orjson.dumps(
                [record.number, record.member, record.at, record.line, record.takes_back, record.receipt]
            )
            self._db.execute("INSERT INTO lines VALUES (?, ?, ?, ?)", (row, *key, content))
        elif record is not None:
            self._reject(row, self._group_by.origin.label, "is empty or no text")

    def close(self, labels: Mapping[str, str]) -> None:
        """Make documents of lines. One with a bad line goes in not at all: it could never be completed afterwards.

        `labels` says what a report calls the fields that all lines of a document must agree on.
        """
        if self._group_by is not None:
            found = self._db.execute("SELECT store, doc, row, content FROM lines ORDER BY store, doc, row")
            for (store, doc), rows in groupby(found, key=lambda line: (line[0], line[1])):
                lines = [(row, content and orjson.loads(content)) for _, _, row, content in rows]
                self._join(store, doc, lines, labels)
            self._db.execute("DELETE FROM lines")
        self._write()

    def _join(self, store: str, doc: str, lines: list[tuple[int, Any]], labels: Mapping[str, str]) -> None:
        if reason := _flaw(lines, labels):
            assert self._group_by is not None  # noqa: S101 - rows are joined by something
            for row, content in lines:
                if content is not None:
                    kind = "refund" if all(content is None or content[4] for _, content in lines) else "receipt"
                    self._reject(row, self._group_by.origin.label, f"its {kind} {doc} is not booked: {reason}")
            return
        number, member, at = lines[0][1][:3]
        self._add_document(
            [
                LineRecord(row, store, number, member, at, line, takes_back=takes_back, receipt=tuple(receipt))
                for row, (_, _, _, line, takes_back, receipt) in lines
            ]
        )

    def _add_document(self, lines: list[LineRecord]) -> None:
        bought = [one for one in lines if not one.takes_back]
        if bought:
            row, store, number, member, at = _head(bought[0])
            content = orjson.dumps([one.line for one in bought])
            self._purchases.append((row, store, number, member, at, content))
        for one in lines:
            if one.takes_back:
                row, store, number, member, at = _head(one)
                item, pieces, amount, _ = one.line
                head = (self._file, lines[0].row, row, store, number, bool(bought), member, at)
                self._returned.append((*head, item, pieces, amount, *one.receipt))
        if len(self._purchases) >= AT_ONCE or len(self._returned) >= AT_ONCE:
            self._write()

    def _write(self) -> None:
        query = "INSERT INTO purchases (row, store, receipt_number, member, at, lines) VALUES (?, ?, ?, ?, ?, ?)"
        self._db.executemany(query, self._purchases)
        self._db.executemany("INSERT INTO returned VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", self._returned)
        self._purchases.clear()
        self._returned.clear()


def _head(one: LineRecord) -> tuple[int, str, str, str, int]:
    return one.row, one.store, one.number, one.member, one.at


def _flaw(lines: list[tuple[int, Any]], labels: Mapping[str, str]) -> str:
    """Return why the lines are not one document, "" when they are."""
    first_row, first = lines[0]
    for row, content in lines:
        if content is None:
            return f"row {row} was rejected"
        for place, name in ((1, "member"), (2, "occurred_at")):
            if content[place] != first[place]:
                return f"rows {first_row} and {row} differ in {labels[name]}"
    return ""
