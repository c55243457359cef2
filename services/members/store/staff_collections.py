"""The collections of staff, their targets and credits, and their indexes."""

from pymongo import ASCENDING, IndexModel

from services.kit.mongo.collections import Keyed
from services.kit.mongo.database import Database, create_indexes

STAFF = Keyed("staff", ("chain", "code"))
"""Keyed by the chain's own code, so that the unique index is what gives a code to one person."""

STAFF_SETTINGS = Keyed("staff_settings", ("chain",))
STAFF_TARGETS = Keyed("staff_targets", ("chain", "subject"))
STAFF_CREDITS = Keyed("staff_credits", ("chain", "staff"))
STAFF_BROUGHT = Keyed("staff_brought", ("chain", "member"))
"""Members whom staff enrolled, with the days that were counted: what makes each of them count once."""


def _index(*fields: str, unique: bool = False) -> IndexModel:
    return IndexModel([(field, ASCENDING) for field in fields], name=f"by_{fields[-1]}", unique=unique)


INDEXES = {
    STAFF: [_index("chain", "code", unique=True), _index("chain", "staff"), _index("chain", "stores")],
    STAFF_SETTINGS: [_index("chain", unique=True)],
    STAFF_TARGETS: [_index("chain", "subject", "month", unique=True)],
    STAFF_CREDITS: [
        _index("chain", "staff", "store", "month", unique=True),
        IndexModel([("chain", ASCENDING), ("store", ASCENDING), ("month", ASCENDING)], name="by_board"),
    ],
    STAFF_BROUGHT: [_index("chain", "member", unique=True)],
}


async def set_up(database: Database) -> None:
    """Create the collections and their indexes; safe to repeat."""
    for keyed, indexes in INDEXES.items():
        await create_indexes(database, keyed, indexes)
