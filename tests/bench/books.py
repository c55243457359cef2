"""The books behind a run: accounts laid in before it, what it stored, and whether all of it is right."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pymongo import MongoClient
from pymongo.database import Database

from tests.bench import composed
from tests.bench.receipts import CHAIN, member_name

DATABASE = "huitou_points"
MEDICI = "medici"
AT_A_TIME = 10_000

Document = dict[str, Any]


class WrongBooksError(Exception):
    """The run does not count: the books and what was acknowledged differ."""


@contextmanager
def opened(mongo_url: str, name: str = DATABASE) -> Iterator[Database[Document]]:
    """Open a database for as long as the block lasts."""
    with MongoClient[Document](mongo_url) as client:
        yield client[name]


def lay_in_accounts(database: Database[Document], count: int) -> None:
    """Write `count` empty accounts as the service opens them, many at a time."""
    for first in range(0, count, AT_A_TIME):
        names = (member_name(number) for number in range(first, min(first + AT_A_TIME, count)))
        database[composed.ACCOUNT_DOCUMENTS].insert_many(composed.account_documents(names), ordered=False)


def check(database: Database[Document], *, acknowledged: int) -> None:
    """Raise unless there is a receipt, an entry and a purchase's event for each acknowledged purchase, and the points
    of all accounts are those of all entries."""
    events = {"chain": CHAIN, "type": {"$regex": r"\.PurchaseBooked$"}}
    entries = database[composed.ENTRY_DOCUMENTS]
    levels = entries.count_documents({"chain": CHAIN, "kind": "level"})  # that were reached on the way
    counts = {
        "acknowledged": acknowledged,
        "receipts": database[composed.RECEIPT_DOCUMENTS].count_documents({"chain": CHAIN}),
        "entries": entries.count_documents({"chain": CHAIN}) - levels,
        "versions": _sum(database, composed.ACCOUNT_DOCUMENTS, "$version") - levels,
        "events": database[composed.EVENT_DOCUMENTS].count_documents(events),
    }
    points = {
        "posted": _sum(database, composed.ENTRY_DOCUMENTS, composed.POSTED),
        "held": _sum(database, composed.ACCOUNT_DOCUMENTS, composed.HELD),
    }
    if len(set(counts.values())) > 1 or len(set(points.values())) > 1:
        raise WrongBooksError(f"{database.name}: {counts}, points {points}")


def check_medici(database: Database[Document], *, acknowledged: int) -> None:
    """Raise unless medici has a journal of two balancing transactions for each acknowledged purchase."""
    journals = database["medici_journals"].count_documents({})
    transactions = database["medici_transactions"].count_documents({})
    debit, credit = (_sum(database, "medici_transactions", side) for side in ("$debit", "$credit"))
    if (journals, transactions, debit) != (acknowledged, 2 * acknowledged, credit):
        raise WrongBooksError(f"medici: {acknowledged=} {journals=} {transactions=} {debit=} {credit=}")


def stored(database: Database[Document]) -> Mapping[str, Mapping[str, int]]:
    """Return bytes by collection: of the documents, on disk (after a checkpoint), and of the indexes."""
    database.client.admin.command("fsync")
    return {
        name: {
            "documents": found["size"],
            "disk": found["storageSize"],
            "indexes": found["totalIndexSize"],
        }
        for name in (*composed.STAYS, composed.EVENT_DOCUMENTS, composed.ACCOUNT_DOCUMENTS)
        if (found := database.command("collStats", name))
    }


def _sum(database: Database[Document], collection: str, amount: str | Document) -> int:
    found = database[collection].aggregate([{"$group": {"_id": None, "sum": {"$sum": amount}}}])
    return int(next(found, {"sum": 0})["sum"])
