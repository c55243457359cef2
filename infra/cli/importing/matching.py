"""Refunds matched with what they take back: by the receipt that they name, else with the newest earlier purchases.

What has been bought and not been taken back yet stands line by line in a temporary table on disk, only for members and
receipts of which something is taken back; so memory does not grow with the files. Refunds are gone through in the order
of time, and each line finds all of what it takes back or is reported, and then takes nothing.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

import orjson

from infra.cli.importing.progress import Progress

LOOK_BACK = 5_000
"""Lines of receipts in memory for one line of a refund, the newest first. What is older is not looked at: who bought
the same item more often than that is no person but a till's own account, and each look would take as much time."""

REPORT_EVERY = 200

# Wanted is what somebody takes back; only that is kept of what was bought.
PREPARE = """
CREATE INDEX purchase_numbers ON purchases (store, receipt_number);
CREATE TEMP TABLE wanted (member TEXT, item TEXT, PRIMARY KEY (member, item)) WITHOUT ROWID;
INSERT OR IGNORE INTO wanted SELECT member, item FROM returned WHERE receipt = '';
CREATE TEMP TABLE bought (
    purchase INTEGER, line INTEGER, store TEXT, receipt TEXT, member TEXT, item TEXT, at INTEGER,
    pieces INTEGER, paid INTEGER, pieces_left INTEGER, paid_left INTEGER, PRIMARY KEY (purchase, line)
) WITHOUT ROWID;
INSERT OR IGNORE INTO bought
    SELECT p.row, line.key + 1, p.store, p.receipt_number, p.member, line.value ->> 0, p.at,
           line.value ->> 1, (line.value ->> 2) - (line.value ->> 3),
           line.value ->> 1, (line.value ->> 2) - (line.value ->> 3)
    FROM purchases p, json_each(CAST(p.lines AS TEXT)) line
    WHERE EXISTS (SELECT 1 FROM wanted w WHERE w.member = p.member AND w.item = line.value ->> 0);
INSERT OR IGNORE INTO bought
    SELECT p.row, line.key + 1, p.store, p.receipt_number, p.member, line.value ->> 0, p.at,
           line.value ->> 1, (line.value ->> 2) - (line.value ->> 3),
           line.value ->> 1, (line.value ->> 2) - (line.value ->> 3)
    FROM (SELECT DISTINCT receipt_store, receipt FROM returned WHERE receipt <> '') named
    CROSS JOIN purchases p ON p.store = named.receipt_store AND p.receipt_number = named.receipt,
    json_each(CAST(p.lines AS TEXT)) line;
CREATE INDEX temp.bought_items ON bought (member, item, at, purchase, line);
CREATE INDEX temp.bought_receipts ON bought (receipt, store);
DROP INDEX purchase_numbers;
"""
INSERT = """INSERT INTO refunds
    (file, row, store, number, receipt_store, receipt_number, purchase, member, at, due, lines)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
COLUMNS = "purchase, line, store, receipt, member, at, pieces, paid, pieces_left, paid_left"


class Reject(Protocol):
    """Reports a row of a file."""

    def __call__(self, file: str, row: int, column: str, reason: str) -> None:
        """`column` is the input field of the platform."""


@dataclass(frozen=True, slots=True)
class Bought:
    """A line of a receipt, and what is left of it."""

    purchase: int
    line: int
    store: str
    receipt: str
    member: str
    at: int
    pieces: int
    paid: int
    pieces_left: int
    paid_left: int


@dataclass(frozen=True, slots=True)
class Returned:
    """A line of a refund. `amount` None: the pieces' share; no `item`: all that is left of the receipt it names."""

    file: str
    doc: int
    row: int
    store: str
    number: str
    mixed: bool  # the document has lines that sell, too
    member: str
    at: int
    item: str
    pieces: int
    amount: int | None
    receipt_store: str
    receipt: str


@dataclass(frozen=True, slots=True)
class Take:
    """What is taken back of a line."""

    of: Bought
    pieces: int
    amount: int


def match(db: sqlite3.Connection, *, reject: Reject, progress: Progress) -> tuple[int, int]:
    """Fill `refunds` from `returned`; return how many lines there were, and how many of them matched."""
    lines, documents = db.execute("SELECT count(*), count(DISTINCT file || doc) FROM returned").fetchone()
    if not lines:
        return 0, 0
    progress.start("matching refunds", total=documents)
    for statement in PREPARE.split(";"):
        db.execute(statement)
    matched = 0
    found = db.execute("SELECT * FROM returned ORDER BY at, file, doc, row")
    for count, (_, rows) in enumerate(groupby(found, key=lambda row: row[:2]), start=1):
        matched += _match(db, [Returned(*row) for row in rows], reject)
        if count % REPORT_EVERY == 0:
            progress.advance(REPORT_EVERY)
    progress.advance(documents % REPORT_EVERY)
    progress.finish()
    return lines, matched


def _match(db: sqlite3.Connection, document: Sequence[Returned], reject: Reject) -> int:
    """Match one document; return how many of its lines found what they take back."""
    of_receipts: dict[int, list[Take]] = {}
    whole: set[int] = set()
    matched = 0
    for line in document:
        found = _candidates(db, line)
        takes = _all_left(line, found) if not line.item else taken(found, pieces=line.pieces, amount=line.amount)
        if not takes:
            reject(line.file, line.row, "itemCode" if line.item else "refundedReceipt", _reason(line, found))
            continue
        matched += 1
        whole |= {takes[0].of.purchase} if not line.item else set()
        for take in takes:
            of_receipts.setdefault(take.of.purchase, []).append(take)
            _keep(db, take)
    several = len(of_receipts) > 1 or document[0].mixed
    for place, (purchase, takes) in enumerate(of_receipts.items(), start=1):
        number = f"{document[0].number}:{place}" if several else document[0].number
        _add(db, document[0], number, [] if purchase in whole else takes, takes[0].of)
    return matched


def _candidates(db: sqlite3.Connection, line: Returned) -> list[Bought]:
    """Return the lines that this one may take back, the newest first, those of the same price before the others."""
    if line.receipt:
        item = "AND item = ?" if line.item else "AND ? = ''"
        where, values = f"receipt = ? AND store = ? {item}", (line.receipt, line.receipt_store, line.item)
    else:
        where, values = "member = ? AND item = ? AND at <= ?", (line.member, line.item, line.at)  # type: ignore[assignment]  # one is a number
    query = f"SELECT {COLUMNS} FROM bought WHERE {where} ORDER BY at DESC, purchase DESC, line LIMIT ?"  # noqa: S608 - fixed words
    found = [Bought(*row) for row in db.execute(query, (*values, LOOK_BACK))]
    if line.amount is None or not line.item:
        return found
    return sorted(found, key=lambda one: not _same_price(one, line.pieces, line.amount or 0))


def _same_price(one: Bought, pieces: int, amount: int) -> bool:
    # Each of the two amounts may be rounded by a half.
    return 2 * abs(amount * one.pieces - one.paid * pieces) <= one.pieces + pieces


def taken(found: Iterable[Bought], *, pieces: int, amount: int | None) -> list[Take]:
    """Return what to take of which line, in the order of `found`; nothing when all of it together is too little."""
    takes: list[Take] = []
    need, owed, slack = pieces, amount or 0, 0
    for one in found:
        same = amount is None or _same_price(one, pieces, amount)
        count = min(need, one.pieces_left)
        if amount and not same:
            count = min(count, one.paid_left * pieces // amount)
        if amount is None:
            part = one.paid_left * count // one.pieces_left if count else 0
        else:
            part = min(owed if count == need else amount * count // pieces, one.paid_left)
        if not count and (pieces or not part):
            continue
        takes.append(Take(one, count, part))
        need, owed = need - count, owed - part if amount is not None else 0
        # Where the price is the same, what lacks is what earlier shares of its pieces were rounded up by.
        slack += one.pieces if same else 1
        if not need and (pieces or not owed):
            break
    return takes if not need and owed <= (slack if pieces else 0) else []


def _all_left(line: Returned, found: Sequence[Bought]) -> list[Take]:
    """Return everything that is left of a receipt; nothing when the refund says another amount."""
    if line.amount is not None and line.amount != sum(one.paid_left for one in found):
        return []
    return [Take(one, one.pieces_left, one.paid_left) for one in found]


def _keep(db: sqlite3.Connection, take: Take) -> None:
    """Note what is left of the line after `take`; of what is gone altogether nothing is kept."""
    left, paid = take.of.pieces_left - take.pieces, take.of.paid_left - take.amount
    key = (take.of.purchase, take.of.line)
    if left or paid:
        query = "UPDATE bought SET pieces_left = ?, paid_left = ? WHERE purchase = ? AND line = ?"
        db.execute(query, (left, paid, *key))
    else:
        db.execute("DELETE FROM bought WHERE purchase = ? AND line = ?", key)


def _add(db: sqlite3.Connection, head: Returned, number: str, takes: Sequence[Take], of: Bought) -> None:
    sums: dict[int, tuple[int, int]] = {}
    for take in takes:
        pieces, amount = sums.get(take.of.line, (0, 0))
        sums[take.of.line] = (pieces + take.pieces, amount + take.amount)
    lines = orjson.dumps([(line, *sums[line]) for line in sorted(sums)])
    # Sent after its purchase, even where the file says that it came before.
    due = max(head.at, of.at)
    receipt = (of.store, of.receipt, of.purchase, of.member)
    db.execute(INSERT, (head.file, head.doc, head.store, number, *receipt, head.at, due, lines))


def _reason(line: Returned, found: Sequence[Bought]) -> str:
    """Say why nothing was taken; `found` is what there was."""
    what = f"takes back {_many(line.pieces, line.amount)} of {line.item}" if line.item else "takes back everything"
    if line.receipt:
        whose = f"receipt {line.receipt}"
        nothing = f"{what}, but {whose} is not among the purchases, or has nothing of it left"
    else:
        whose = "what this member bought before"
        nothing = f"{what}, which this member did not buy before, or took back already"
    if not found:
        return nothing
    pieces, paid = sum(one.pieces_left for one in found), sum(one.paid_left for one in found)
    newest = f" (the newest {LOOK_BACK:,} lines)" if len(found) == LOOK_BACK else ""
    return f"{what}; of {whose}{newest}, {_many(pieces, paid)} is left"


def _many(pieces: int, amount: int | None) -> str:
    return f"{pieces:,}" if amount is None else f"{pieces:,} for {amount:,} (minor units)"
