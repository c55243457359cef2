"""What was done to the database of members, in order; a step that has run anywhere is never changed."""

from services.kit.mongo.database import Database, create_indexes
from services.kit.mongo.migrations import Migration
from services.kit.outbox import told
from services.members.store import chain_collections, staff_collections
from services.members.store.collections import INDEXES


async def _first(database: Database) -> None:
    for keyed, indexes in INDEXES.items():
        await create_indexes(database, keyed, indexes)


MIGRATIONS = (
    Migration(1, "chains, stores, menu items, API keys, members and identities", _first),
    Migration(2, "what sandboxes have told", told.set_up),
    Migration(3, "brands, regions, partners, QR codes, positions of stores", chain_collections.set_up),
    Migration(4, "staff, their settings, targets and credits", staff_collections.set_up),
)
