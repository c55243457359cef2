"""What was done to the database of campaigns, in order; a step that has run anywhere is never changed."""

from services.campaigns.store.collections import INDEXES
from services.kit import erasures
from services.kit.mongo.database import Database, create_indexes
from services.kit.mongo.migrations import Migration
from services.kit.outbox import told


async def _first(database: Database) -> None:
    for keyed, indexes in INDEXES.items():
        await create_indexes(database, keyed, indexes)


MIGRATIONS = (
    Migration(1, "offers and coupons", _first),
    Migration(2, "what sandboxes have told", told.set_up),
    Migration(3, "who is one with whom, and erasures", _first),
    Migration(4, "how far members was asked for erasures", erasures.set_up),
)
