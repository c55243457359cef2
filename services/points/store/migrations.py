"""What was done to the database of points, in order; a step that has run anywhere is never changed."""

from services.kit import erasures
from services.kit.mongo.database import Database, create_indexes
from services.kit.mongo.migrations import Migration
from services.kit.outbox import told
from services.kit.outbox.outbox import Outbox
from services.kit.rabbit.cursors import seed_cursors
from services.kit.rabbit.sequencing import Origin
from services.points.events.told import STREAM
from services.points.store import referrals
from services.points.store.collections import ACCOUNTS, INDEXES

SEEDED_AT_ONCE = 1_000


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


async def _fourth(database: Database) -> None:
    await create_indexes(database, ACCOUNTS, INDEXES[ACCOUNTS])


async def _sixth(database: Database) -> None:
    """Hear the ledger's own events from here on: those told before are counted by a rebuild, from receipts."""
    await _first(database)
    for chain in await Outbox(database).chains():
        told = {"chain": chain, "events.sequence": {"$gt": 0}}
        accounts = database.collection(ACCOUNTS).find(told, {"account": True, "events.sequence": True})
        while some := await accounts.to_list(SEEDED_AT_ONCE):
            places = {Origin(chain, one["account"], STREAM): one["events"]["sequence"] for one in some}
            await seed_cursors(database, places)


MIGRATIONS = (
    Migration(1, "accounts, entries, receipts and stores", _first),
    Migration(2, "lots, holds, refunds, adjustments, notes, payers, days and seals", _second),
    Migration(3, "copies of menu items", _first),
    Migration(4, "what sandboxes have told", told.set_up),
    Migration(5, "accounts by when something falls due", _fourth),
    Migration(6, "sums of sales, and cursors for the ledger's own events", _sixth),
    Migration(7, "programs, their drafts, and the chains' zones", _first),
    Migration(8, "merges that wait, and erasures", _first),
    Migration(9, "how far members was asked for erasures", erasures.set_up),
    Migration(10, "rewards of referrals that wait", referrals.set_up),
    Migration(11, "receipts by who bought", _first),
)
