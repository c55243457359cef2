"""Looks at personal data in MongoDB: a document for each look, however many members it showed."""

from collections.abc import Sequence

from pymongo import ASCENDING, DESCENDING, IndexModel

from services.kit.mongo.collections import Document, Keyed
from services.kit.mongo.database import Database, Session, create_indexes
from services.members.domain.visibility import Role
from services.members.usecases.looks import Look

LOOKS = Keyed("looks", ("chain", "look"))

KEPT_S = 2 * 366 * 24 * 3600
"""Two years: longer than anybody is allowed to take before complaining of it."""


class MongoLooks:
    """Looks in one service's database."""

    def __init__(self, database: Database) -> None:
        self._looks = database.collection(LOOKS)

    async def note(self, chain: str, look: Look) -> None:
        """Keep a look before anything is shown."""
        await self._looks.insert_one(_document(chain, look))

    async def page(self, chain: str, member_ids: Sequence[str], *, before: str, first: int) -> Sequence[Look]:
        """Return up to `first` looks at these members, the latest first, older than the one with the id `before`."""
        condition: Document = {"chain": chain, "members": {"$in": list(member_ids)}}
        if before:
            condition["look"] = {"$lt": before}  # ids are in the order of time
        found = await self._looks.find(condition).sort("look", -1).limit(first).to_list(first)
        return [
            Look(one["look"], one["at"], one["by"], Role(one["role"]), tuple(one["members"]), tuple(one["fields"]))
            for one in found
        ]


async def insert(database: Database, chain: str, look: Look, *, session: Session) -> None:
    """Keep a look in the transaction in which it happens."""
    await database.collection(LOOKS).insert_one(_document(chain, look), session=session)


async def set_up(database: Database) -> None:
    """Create the collection and its indexes; safe to repeat."""
    by_member = [("chain", ASCENDING), ("members", ASCENDING), ("look", DESCENDING)]
    by_look = [("chain", ASCENDING), ("look", ASCENDING)]
    indexes = [
        IndexModel(by_look, name="by_look", unique=True),
        IndexModel(by_member, name="by_member"),
        IndexModel([("at", ASCENDING)], name="expiry", expireAfterSeconds=KEPT_S),
    ]
    await create_indexes(database, LOOKS, indexes)


def _document(chain: str, look: Look) -> Document:
    return {
        "chain": chain,
        "look": look.id,
        "at": look.at,
        "by": look.by,
        "role": look.role.value,
        "members": list(look.members),
        "fields": list(look.fields),
    }
