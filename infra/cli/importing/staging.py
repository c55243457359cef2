"""The staging file: every row of one import, in the order in which it goes in, and what has become of it.

A SQLite file holds it, so memory stays small whatever the source's size, and an import that was stopped, by kill -9
too, goes on where it was. Nothing in it is precious: without it the platform's own keys keep everything from being
booked twice. It is written in one go by `loading` and appears under its name only when it is whole.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson

from infra.cli.importing.records import Rejected
from infra.cli.importing.staged import (
    Document,
    Outcome,
    StagedJob,
    StagedLevel,
    StagedMember,
    StagedOpening,
    StagedPurchase,
    StagedRefund,
    State,
    Waiting,
)

PAGE = 2_000
"""Rows in memory at a time, besides those in the lanes."""

# `state` below is a `State`; `source` of a reject is 0 for our own conversion, else 1: those get a second chance.
SCHEMA = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE members (
    row INTEGER PRIMARY KEY, external_id TEXT NOT NULL UNIQUE, content BLOB NOT NULL, store TEXT NOT NULL,
    state INTEGER NOT NULL DEFAULT 0, member_id TEXT,
    level_key TEXT NOT NULL, level TEXT NOT NULL, level_until INTEGER, level_state INTEGER
);
CREATE TABLE job (key TEXT NOT NULL, id TEXT NOT NULL, sent INTEGER NOT NULL, sending TEXT NOT NULL);
CREATE TABLE purchases (
    row INTEGER PRIMARY KEY, store TEXT NOT NULL, receipt_number TEXT NOT NULL, member TEXT NOT NULL,
    at INTEGER NOT NULL, lines BLOB NOT NULL,
    state INTEGER NOT NULL DEFAULT 0, points INTEGER NOT NULL DEFAULT 0, reached TEXT
);
CREATE TABLE refunds (
    id INTEGER PRIMARY KEY, file TEXT NOT NULL, row INTEGER NOT NULL, store TEXT NOT NULL, number TEXT NOT NULL,
    receipt_store TEXT NOT NULL, receipt_number TEXT NOT NULL, purchase INTEGER NOT NULL, member TEXT NOT NULL,
    at INTEGER NOT NULL, due INTEGER NOT NULL, lines BLOB NOT NULL,
    state INTEGER NOT NULL DEFAULT 0, points INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE openings (
    row INTEGER PRIMARY KEY, key TEXT NOT NULL, kind TEXT NOT NULL, member TEXT NOT NULL, member_id TEXT NOT NULL,
    currency TEXT NOT NULL, lots BLOB NOT NULL, state INTEGER NOT NULL DEFAULT 0, points INTEGER NOT NULL
);
CREATE TABLE rejects (
    file TEXT NOT NULL, row INTEGER NOT NULL, col TEXT NOT NULL, reason TEXT NOT NULL, source INTEGER NOT NULL
);
"""


TABLES = ("members", "openings", "purchases", "refunds")


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
            for table in TABLES:
                self._db.execute(f"UPDATE {table} SET state = 0 WHERE state = 3")  # noqa: S608 - known names
            self._db.execute("UPDATE members SET level_state = 0 WHERE level_state = 3")
            self._db.execute("DELETE FROM rejects WHERE source = 1")

    def next_members(self, most: int, *, up_to_row: int | None) -> tuple[int, ...]:
        """Return the rows of up to `most` members that wait, in their order."""
        query = "SELECT row FROM members WHERE state = 0 AND row <= ? ORDER BY row LIMIT ?"
        return tuple(row for (row,) in self._db.execute(query, (_bound(up_to_row), most)))

    def members_in(self, rows: Sequence[int]) -> list[StagedMember]:
        """Return the members in these rows, whatever has become of them, in the order of their rows."""
        places = ", ".join("?" * len(rows))
        query = f"SELECT row, external_id, content, store FROM members WHERE row IN ({places}) ORDER BY row"  # noqa: S608 - question marks
        return [StagedMember(*row) for row in self._db.execute(query, list(rows))]

    def waiting_levels(self, most: int) -> list[StagedLevel]:
        """Return up to `most` levels whose members are in."""
        query = """
            SELECT row, level_key, member_id, level, level_until FROM members
            WHERE level_state = 0 AND member_id <> '' ORDER BY row LIMIT ?
        """
        return [StagedLevel(*row) for row in self._db.execute(query, (most,))]

    def settle_levels(self, outcomes: Iterable[Outcome], *, file: str) -> None:
        """Note what became of levels."""
        query = "UPDATE members SET level_state = ? WHERE row = ?"
        self._settle(query, [(one.state, one.row) for one in outcomes], _rejects(outcomes, file))

    def job(self) -> StagedJob | None:
        """Return the import that members go into, None when none is under way."""
        found = self._db.execute("SELECT key, id, sent, sending FROM job").fetchone()
        return None if found is None else StagedJob(found[0], found[1], found[2], tuple(orjson.loads(found[3])))

    def keep_job(self, job: StagedJob | None) -> None:
        """Note the import as it is now; None: it has ended."""
        with self._db:
            self._db.execute("BEGIN")
            self._keep_job(job)

    def _keep_job(self, job: StagedJob | None) -> None:
        self._db.execute("DELETE FROM job")
        if job is not None:
            values = job.key, job.id, job.sent, orjson.dumps(job.sending).decode()
            self._db.execute("INSERT INTO job VALUES (?, ?, ?, ?)", values)

    def waiting_purchases(self, *, up_to_row: int | None) -> Iterator[list[StagedPurchase]]:
        """Yield those to book, page by page, the oldest first, those of the same moment in the order of their rows.

        With a bound, only those of members that stand in the file of members up to that row.
        """
        query = f"""
            SELECT p.row, p.store, p.receipt_number, p.member, coalesce(m.member_id, ''), p.at, p.lines
            FROM purchases p {_join("p", up_to_row)}
            WHERE p.state = 0 AND (p.at, p.row) > (?, ?) ORDER BY p.at, p.row LIMIT ?
        """  # noqa: S608 - our own names
        at, row = -(2**62), -1
        while rows := self._db.execute(query, (_bound(up_to_row), at, row, PAGE)).fetchall():
            row, at = rows[-1][0], rows[-1][5]
            yield [StagedPurchase(*each) for each in rows]

    def waiting_documents(self, *, up_to_row: int | None) -> Iterator[list[Document]]:
        """Yield purchases and refunds in one order of time; of the same moment the purchases come first."""
        purchases = ((one.at, 0, one.row, one) for page in self.waiting_purchases(up_to_row=up_to_row) for one in page)
        refunds = ((one.due, 1, one.id, one) for page in self.waiting_refunds(up_to_row=up_to_row) for one in page)
        both: Iterator[tuple[int, int, int, Document]] = merge(purchases, refunds, key=lambda each: each[:3])
        while page := [each[3] for each in islice(both, PAGE)]:
            yield page

    def waiting_refunds(self, *, up_to_row: int | None) -> Iterator[list[StagedRefund]]:
        """Yield those to book, page by page, with a bound as `waiting_purchases` does."""
        columns = ", ".join(f"r.{name}" for name in StagedRefund.__dataclass_fields__)
        query = f"""
            SELECT {columns} FROM refunds r {_join("r", up_to_row)}
            WHERE r.state = 0 AND (r.due, r.id) > (?, ?) ORDER BY r.due, r.id LIMIT ?
        """  # noqa: S608 - our own names
        due, id_ = -(2**62), -1
        while rows := self._db.execute(query, (_bound(up_to_row), due, id_, PAGE)).fetchall():
            page = [StagedRefund(*each) for each in rows]
            due, id_ = page[-1].due, page[-1].id
            yield page

    def waiting_openings(self, *, up_to_row: int | None) -> Iterator[list[StagedOpening]]:
        """Yield the balances to open, page by page, with a bound as `waiting_purchases` does."""
        after = -1
        # Without the platform's own id of who was enrolled just now: it is not known to every run, and a command must
        # say the same in each.
        query = f"""
            SELECT o.row, o.key, o.kind, o.member, o.member_id, o.currency, o.lots
            FROM openings o {_join("o", up_to_row)} AND o.kind = 'external'
            WHERE o.state = 0 AND o.row > ? ORDER BY o.row LIMIT ?
        """  # noqa: S608 - our own names
        while rows := self._db.execute(query, (_bound(up_to_row), after, PAGE)).fetchall():
            after = rows[-1][0]
            yield [StagedOpening(*each) for each in rows]

    def booked(self, purchases: Sequence[int]) -> set[int]:
        """Return which of the purchases in these rows are booked."""
        places = ", ".join("?" * len(purchases))
        found = self._db.execute(
            f"SELECT row FROM purchases WHERE row IN ({places}) AND state IN (1, 2)",  # noqa: S608 - question marks
            list(purchases),
        )
        return {int(row) for (row,) in found}

    def settle_members(self, outcomes: Iterable[Outcome], *, file: str, job: StagedJob) -> None:
        """Note what became of members, and how far their import is."""
        query = "UPDATE members SET state = ?, member_id = ? WHERE row = ?"
        with self._db:
            self._db.execute("BEGIN")
            self._db.executemany(query, [(one.state, one.member_id, one.row) for one in outcomes])
            self._reject(_rejects(outcomes, file))
            self._keep_job(job)

    def settle_purchases(self, outcomes: Iterable[Outcome], *, file: str) -> None:
        """Note what became of purchases."""
        query = "UPDATE purchases SET state = ?, points = ?, reached = ? WHERE row = ?"
        values = [(one.state, one.points, one.reached or None, one.row) for one in outcomes]
        self._settle(query, values, _rejects(outcomes, file))

    def settle_openings(self, outcomes: Iterable[Outcome], *, file: str) -> None:
        """Note what became of opening balances."""
        query = "UPDATE openings SET state = ? WHERE row = ?"
        self._settle(query, [(one.state, one.row) for one in outcomes], _rejects(outcomes, file))

    def settle_refunds(self, outcomes: Iterable[tuple[StagedRefund, Outcome]]) -> None:
        """Note what became of refunds."""
        query = "UPDATE refunds SET state = ?, points = ? WHERE id = ?"
        values = [(one.state, one.points, refund.id) for refund, one in outcomes]
        rejects = [reject for refund, one in outcomes for reject in _rejects([one], refund.file)]
        self._settle(query, values, rejects)

    def states(self, table: str) -> dict[State, int]:
        """Return how many rows of one of `TABLES` are in each state."""
        found = self._db.execute(f"SELECT state, count(*) FROM {table} GROUP BY state")  # noqa: S608 - our own names
        counts = {State(state): int(count) for state, count in found}
        return {state: counts.get(state, 0) for state in State}

    def waiting(self, *, up_to_row: int | None) -> Waiting:
        """Return how much is to be sent."""

        def count(table: str) -> int:
            join = _join("t", up_to_row) if table != "members" else ""
            where = "t.row <= ?" if table == "members" else "? IS NOT NULL"
            values = [_bound(up_to_row)] * (2 if join else 1)
            query = f"SELECT count(*) FROM {table} t {join} WHERE t.state = 0 AND {where}"  # noqa: S608 - our own names
            return int(self._db.execute(query, values).fetchone()[0])

        return Waiting(**{table: count(table) for table in TABLES})

    def points(self, table: str = "purchases") -> int:
        """Return what was granted for all purchases that are booked; of "refunds", what they took back."""
        return int(self._db.execute(f"SELECT coalesce(sum(points), 0) FROM {table}").fetchone()[0])  # noqa: S608 - our own names

    def opened(self) -> dict[str, tuple[int, int]]:
        """Return, for each currency, how many lots the balances have that were not refused, and how much that is."""
        query = """
            SELECT currency, sum(json_array_length(CAST(lots AS TEXT))), sum(points) FROM openings WHERE state <> 3
            GROUP BY currency ORDER BY currency
        """
        return {currency: (int(lots), int(amount)) for currency, lots, amount in self._db.execute(query)}

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
            self._reject(rejects)

    def _reject(self, rejects: Sequence[tuple[object, ...]]) -> None:
        self._db.executemany("INSERT INTO rejects VALUES (?, ?, ?, ?, 1)", rejects)


def _rejects(outcomes: Iterable[Outcome], file: str) -> list[tuple[object, ...]]:
    return [(file, one.row, one.path, one.reason) for one in outcomes if one.state is State.REJECTED]


def _join(table: str, up_to_row: int | None) -> str:
    """Return the join with members by the chain's own id; with a bound, of those up to a row only."""
    kind = "LEFT JOIN" if up_to_row is None else "JOIN"
    return f"{kind} members m ON m.external_id = {table}.member AND m.row <= ?"


def _bound(row: int | None) -> int:
    return 2**62 if row is None else row
