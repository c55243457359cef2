"""What was done to the database of points, in order; a step that has run anywhere is never changed."""

from services.kit.mongo.database import Database, create_indexes
from services.kit.mongo.migrations import Migration
from services.kit.outbox.outbox import Outbox
from services.points.store.collections import ACCOUNTS, INDEXES


async def _first(database: Database) -> None:
    for keyed, indexes in INDEXES.items():
        await create_indexes(database, keyed, indexes)


async def _second(database: Database) -> None:
    for chain in await Outbox(database).chains():
        old = {"chain": chain, "available_points": {"$exists": True}}
        if await database.collection(ACCOUNTS).find_one(old) is not None:
            message = "accounts from before the journal had lots. Start anew (`make fresh`), and import again."
            raise RuntimeError(message)
    await _first(database)


MIGRATIONS = (
    Migration(1, "accounts, entries, receipts and stores", _first),
    Migration(2, "lots, holds, refunds, adjustments, notes, payers, days and seals", _second),
    Migration(3, "copies of menu items", _first),
    Migration(4, "programs, their drafts, and the chains' zones", _first),
)
