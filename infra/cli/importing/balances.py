"""Lots joined to opening balances: rows of one account and currency are one balance."""

import sqlite3
from collections.abc import Callable, Mapping

import orjson

from infra.cli.importing.records import OpeningRecord

MOST_LOTS = 200
"""Of one balance; the platform takes no more."""

Reject = Callable[[int, str, str], None]
"""Takes row, column and reason."""

SCHEMA = """CREATE TEMP TABLE lots (
    key TEXT NOT NULL, row INTEGER NOT NULL, account TEXT NOT NULL, kind TEXT NOT NULL, member TEXT NOT NULL,
    member_id TEXT NOT NULL, currency TEXT NOT NULL, amount INTEGER NOT NULL, earned_at INTEGER NOT NULL,
    expires_at INTEGER, PRIMARY KEY (key, row)
) WITHOUT ROWID"""

LOTS = "SELECT amount, earned_at, expires_at FROM lots WHERE key = ? ORDER BY earned_at, expires_at, amount"
INSERT = """INSERT INTO openings (row, key, kind, member, member_id, currency, lots, points)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""


class Balances:
    """Takes the lots of one file. The balances are in `openings` after `close`."""

    def __init__(self, db: sqlite3.Connection, *, reject: Reject) -> None:
        self._db, self._reject = db, reject
        db.execute(SCHEMA)
        db.execute("CREATE TEMP TABLE spoilt (account TEXT PRIMARY KEY, row INTEGER NOT NULL) WITHOUT ROWID")

    def add(self, lot: OpeningRecord) -> None:
        """Keep a lot."""
        who = (lot.kind, lot.member, lot.member_id)
        values = (lot.key, lot.row, lot.account, *who, lot.currency, lot.amount, lot.earned_at, lot.expires_at)
        self._db.execute("INSERT INTO lots VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)

    def spoil(self, row: int, account: str) -> None:
        """Note that a row of the account was rejected: no balance of it is opened, since none could be completed."""
        self._db.execute("INSERT OR IGNORE INTO spoilt VALUES (?, ?)", (account, row))

    def close(self, labels: Mapping[str, str]) -> None:
        """Make balances of lots."""
        heads = self._db.execute("""
            SELECT key, min(row), count(*), kind, min(member), max(member), min(member_id), max(member_id), currency,
                   sum(amount), (SELECT s.row FROM spoilt s WHERE s.account = lots.account)
            FROM lots GROUP BY key ORDER BY min(row)
        """)
        for key, row, count, *who, currency, amount, spoilt in heads:
            kind, member, other, member_id, other_id = who
            if (member, member_id) != (other, other_id):
                self._reject(row, labels["member"], f"{key} is not opened: its rows name different members")
            elif spoilt is not None:
                self._reject(row, labels["account"], f"{key} is not opened: row {spoilt} was rejected")
            elif count > MOST_LOTS:
                why = f"it has {count:,} lots and may have {MOST_LOTS}: join those that expire together"
                self._reject(row, labels["account"], f"{key} is not opened: {why}")
            else:
                # Not as the rows stand: the same lots in another order are the same command.
                lots = orjson.dumps(self._db.execute(LOTS, (key,)).fetchall())
                self._db.execute(INSERT, (row, key, kind, member, member_id, currency, lots, amount))
        self._db.execute("DROP TABLE lots")
        self._db.execute("DROP TABLE spoilt")
