"""The collections of the chain's lists and codes, and their indexes."""

from pymongo import ASCENDING, GEOSPHERE, IndexModel

from services.kit.mongo.collections import Keyed
from services.kit.mongo.database import Database, create_indexes
from services.members.store.collections import STORES

BRANDS = Keyed("brands", ("chain", "code"))
REGIONS = Keyed("regions", ("chain", "code"))
PARTNERS = Keyed("partners", ("chain", "code"))
QR_CODES = Keyed("qr_codes", ("chain", "code"))

_BY_CODE = IndexModel([("chain", ASCENDING), ("code", ASCENDING)], name="by_code", unique=True)

INDEXES = {
    BRANDS: [_BY_CODE],
    REGIONS: [_BY_CODE],
    PARTNERS: [_BY_CODE],
    QR_CODES: [_BY_CODE],
    # Behind the chain, so that no search walks through another's stores; one without a position is not in it.
    STORES: [IndexModel([("chain", ASCENDING), ("position", GEOSPHERE)], name="by_position")],
}


async def index_codes(database: Database) -> None:
    """Create the index by which a store's codes are found; safe to repeat."""
    order = [("chain", ASCENDING), ("store", ASCENDING), ("code", ASCENDING)]
    await create_indexes(database, QR_CODES, [IndexModel(order, name="by_store")])


async def set_up(database: Database) -> None:
    """Create the collections and their indexes; safe to repeat."""
    for keyed, indexes in INDEXES.items():
        await create_indexes(database, keyed, indexes)
