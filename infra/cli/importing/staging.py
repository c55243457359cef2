"""The staging file: every row of one import, in the order in which it goes in, and what has become of it.

A SQLite file holds it, so memory stays small whatever the source's size, and an import that was stopped, by kill -9
too, goes on where it was. Nothing in it is precious: without it the platform's own keys keep everything from being
booked twice. It is written in one go by `loading` and appears under its name only when it is whole.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from infra.cli.importing.records import Rejected

PAGE = 2_000
"""Rows in memory at a time, besides those in the lanes."""

# `state` below is a `State`; `source` of a reject is 0 for our own conversion, else 1: those get a second chance.
SCHEMA = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE members (
    row INTEGER PRIMARY KEY, external_id TEXT NOT NULL UNIQUE, content BLOB NOT NULL,
    state INTEGER NOT NULL DEFAULT 0, member_id TEXT
);
CREATE TABLE lines (
    row INTEGER PRIMARY KEY, store TEXT NOT NULL, receipt TEXT NOT NULL, content BLOB
);
CREATE TABLE purchases (
    row INTEGER PRIMARY KEY, store TEXT NOT NULL, receipt_number TEXT NOT NULL, member TEXT NOT NULL,
    at INTEGER NOT NULL, lines BLOB NOT NULL,
    state INTEGER NOT NULL DEFAULT 0, points INTEGER NOT NULL DEFAULT 0, reached TEXT
);
CREATE TABLE rejects (
    file TEXT NOT NULL, row INTEGER NOT NULL, col TEXT NOT NULL, reason TEXT NOT NULL, source INTEGER NOT NULL
);
"""


class State(IntEnum):
    """What has become of a row."""

    WAITING = 0
    DONE = 1
    THERE_ALREADY = 2
    REJECTED = 3


@dataclass(frozen=True, slots=True)
class StagedMember:
    """A member that waits for its enrollment."""

    row: int
    external_id: str
    content: bytes


@dataclass(frozen=True, slots=True)
class StagedPurchase:
    """A receipt that waits to be booked; `member_id` is "" when only the chain's own id of the member is known."""

    row: int
    store: str
    receipt_number: str
    member: str
    member_id: str
    at: int
    lines: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one row. A rejected one has `path` (the input's field, "" for none) and `reason`."""

    row: int
    state: State
    member_id: str = ""
    points: int = 0
    reached: str = ""
    path: str = ""
    reason: str = ""


class Staging:
    """An open staging file. Every change is committed when its method returns."""

    def __init__(self, path: Path) -> None:
        # Write-ahead log, not flushed on every commit: a crash of the machine may forget the latest outcomes, which
        # the platform then answers again.
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()

    def fact(self, name: str) -> int:
        """Return a number that was noted when the files were read; 0 when it was not."""
        found = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return int(found[0]) if found else 0

    def row_of_member(self, number: int) -> int | None:
        """Return the row of the `number`-th member, from 1; None when there are fewer."""
        query = "SELECT row FROM members ORDER BY row LIMIT 1 OFFSET ?"
        found = self._db.execute(query, (number - 1,)).fetchone()
        return int(found[0]) if found else None

    def forgive(self) -> None:
        """Let what the platform refused wait again: the reason may be gone."""
        with self._db:
            self._db.execute("BEGIN")
            for table in ("members", "purchases"):
                self._db.execute(f"UPDATE {table} SET state = 0 WHERE state = 3")  # noqa: S608 - two known names
            self._db.execute("DELETE FROM rejects WHERE source = 1")

    def waiting_members(self, *, up_to_row: int | None) -> Iterator[list[StagedMember]]:
        """Yield those to enroll, page by page, in the order of their rows."""
        after = -1
        columns = "row, external_id, content"
        query = f"SELECT {columns} FROM members WHERE state = 0 AND row > ? AND row <= ? ORDER BY row LIMIT ?"  # noqa: S608 - fixed
        while rows := self._db.execute(query, (after, _bound(up_to_row), PAGE)).fetchall():
            after = rows[-1][0]
            yield [StagedMember(*row) for row in rows]

    def waiting_purchases(self, *, up_to_row: int | None) -> Iterator[list[StagedPurchase]]:
        """Yield those to book, page by page, the oldest first, those of the same moment in the order of their rows.

        With a bound, only those of members that stand in the file of members up to that row.
        """
        join = "LEFT JOIN" if up_to_row is None else "JOIN"
        query = f"""
            SELECT p.row, p.store, p.receipt_number, p.member, coalesce(m.member_id, ''), p.at, p.lines
            FROM purchases p {join} members m ON m.external_id = p.member AND m.row <= ?
            WHERE p.state = 0 AND (p.at, p.row) > (?, ?) ORDER BY p.at, p.row LIMIT ?
        """  # noqa: S608 - one of two words
        at, row = -(2**62), -1
        while rows := self._db.execute(query, (_bound(up_to_row), at, row, PAGE)).fetchall():
            row, at = rows[-1][0], rows[-1][5]
            yield [StagedPurchase(*each) for each in rows]

    def settle_members(self, outcomes: Iterable[Outcome], *, file: str) -> None:
        """Note what became of members."""
        query = "UPDATE members SET state = ?, member_id = ? WHERE row = ?"
        self._settle(query, [(one.state, one.member_id, one.row) for one in outcomes], _rejects(outcomes, file))

    def settle_purchases(self, outcomes: Iterable[Outcome], *, file: str) -> None:
        """Note what became of purchases."""
        query = "UPDATE purchases SET state = ?, points = ?, reached = ? WHERE row = ?"
        values = [(one.state, one.points, one.reached or None, one.row) for one in outcomes]
        self._settle(query, values, _rejects(outcomes, file))

    def states(self, table: str) -> dict[State, int]:
        """Return how many rows of "members" or "purchases" are in each state."""
        found = self._db.execute(f"SELECT state, count(*) FROM {table} GROUP BY state")  # noqa: S608 - our own names
        counts = {State(state): int(count) for state, count in found}
        return {state: counts.get(state, 0) for state in State}

    def waiting(self, *, up_to_row: int | None) -> tuple[int, int]:
        """Return how many members and purchases are to be sent."""
        members = "SELECT count(*) FROM members WHERE state = 0 AND row <= ?"
        purchases = "SELECT count(*) FROM purchases p WHERE p.state = 0"
        if up_to_row is not None:
            purchases = (
                "SELECT count(*) FROM purchases p JOIN members m ON m.external_id = p.member "
                "WHERE p.state = 0 AND m.row <= ?"
            )
        bound = _bound(up_to_row)
        counted = [
            self._db.execute(members, (bound,)).fetchone(),
            self._db.execute(purchases, () if up_to_row is None else (bound,)).fetchone(),
        ]
        return int(counted[0][0]), int(counted[1][0])

    def points(self) -> int:
        """Return what was granted for all purchases that are booked."""
        return int(self._db.execute("SELECT coalesce(sum(points), 0) FROM purchases").fetchone()[0])

    def tiers(self) -> dict[str, int]:
        """Return how often each level was reached."""
        query = "SELECT reached, count(*) FROM purchases WHERE reached IS NOT NULL GROUP BY reached ORDER BY reached"
        return dict(self._db.execute(query).fetchall())

    def rejects(self) -> Iterator[Rejected]:
        """Yield the rows that did not go in, file by file, in their order."""
        query = "SELECT file, row, col, reason FROM rejects ORDER BY file, row"
        for row in self._db.execute(query):
            yield Rejected(*row)

    def reject_count(self) -> int:
        """Return how many reasons `rejects` has."""
        return int(self._db.execute("SELECT count(*) FROM rejects").fetchone()[0])

    def _settle(self, query: str, values: Sequence[tuple[object, ...]], rejects: Sequence[tuple[object, ...]]) -> None:
        with self._db:
            self._db.execute("BEGIN")
            self._db.executemany(query, values)
            self._db.executemany("INSERT INTO rejects VALUES (?, ?, ?, ?, 1)", rejects)


def _rejects(outcomes: Iterable[Outcome], file: str) -> list[tuple[object, ...]]:
    return [(file, one.row, one.path, one.reason) for one in outcomes if one.state is State.REJECTED]


def _bound(row: int | None) -> int:
    return 2**62 if row is None else row
