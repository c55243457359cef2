"""Definitions of attributes in MongoDB. Values lie with the members: sealed, and what is not personal in clear, too."""

from collections.abc import Collection, Mapping, Sequence

from pymongo import ASCENDING, IndexModel, UpdateOne

from services.kit.mongo.collections import Document, Keyed
from services.kit.mongo.database import Database, Session, create_indexes
from services.kit.mongo.guards import insert_new, write_guarded
from services.members.domain.attributes import (
    MAX_DEFINITIONS,
    AttributeDefinition,
    AttributeType,
    Choice,
    SavedDefinitions,
    save_definitions,
)
from services.members.domain.visibility import Role
from services.members.store.collections import MEMBERS
from services.members.store.turns import read_turn, take_turn

ATTRIBUTES = Keyed("attributes", ("chain", "code"))

LIST = "attributes"
"""What turns are taken by."""


class MongoAttributes:
    """Definitions of one service's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def every(self, chain: str) -> Mapping[str, AttributeDefinition]:
        """Return all that the chain has, in the order of their codes."""
        return await _every(self._database, chain)

    async def save(self, wanted: Sequence[AttributeDefinition], *, chain: str) -> SavedDefinitions:
        """Fold `wanted` over what is there, and keep what changed."""

        async def once(session: Session) -> SavedDefinitions:
            turn = await read_turn(self._database, chain=chain, of=LIST, session=session)
            known = await _every(self._database, chain, session=session)
            saved = save_definitions(wanted, known)
            if saved.changed:
                added = sum(one.version == 1 for one in saved.changed)
                await take_turn(self._database, turn, chain=chain, of=LIST, added=added, session=session)
                await self._write(chain, saved.changed, session)
            return saved

        return await self._database.in_transaction(once)

    async def _write(self, chain: str, changed: Sequence[AttributeDefinition], session: Session) -> None:
        collection = self._database.collection(ATTRIBUTES)
        new = [{"chain": chain, "code": one.code, **_content(one)} for one in changed if one.version == 1]
        await insert_new(collection, new, session=session)
        # Guarded by `used`, too: a first value at the same moment must not meet another type.
        updates = [
            UpdateOne(
                {"chain": chain, "code": one.code, "version": one.version - 1, "used": one.used},
                {"$set": _content(one)},
            )
            for one in changed
            if one.version > 1
        ]
        await write_guarded(collection, updates, session=session)


class MongoAttributeWork:
    """Definitions within one unit of work."""

    def __init__(self, database: Database, session: Session, *, chain: str) -> None:
        self._database, self._session, self._chain = database, session, chain

    async def defined(self) -> Mapping[str, AttributeDefinition]:
        """Return all that the chain has, by code."""
        return await _every(self._database, self._chain, session=self._session)

    async def use(self, definitions: Collection[AttributeDefinition]) -> None:
        """Note that members have values of them from now on; `Conflict` when one was changed meanwhile."""
        updates = [
            UpdateOne(
                {"chain": self._chain, "code": one.code, "version": one.version, "used": False},
                {"$set": {"used": True}},
            )
            for one in definitions
            if not one.used
        ]
        await write_guarded(self._database.collection(ATTRIBUTES), updates, session=self._session)


async def set_up(database: Database) -> None:
    """Create the collection and the indexes; safe to repeat."""
    by_code = IndexModel([("chain", ASCENDING), ("code", ASCENDING)], name="by_code", unique=True)
    await create_indexes(database, ATTRIBUTES, [by_code])
    by_value = [("chain", ASCENDING), ("attributes.k", ASCENDING), ("attributes.v", ASCENDING)]
    await create_indexes(database, MEMBERS, [IndexModel(by_value, name="by_attribute")])


async def _every(
    database: Database, chain: str, *, session: Session | None = None
) -> Mapping[str, AttributeDefinition]:
    found = database.collection(ATTRIBUTES).find({"chain": chain}, {"_id": False}, session=session)
    return {one["code"]: _definition_of(one) for one in await found.sort("code", 1).to_list(MAX_DEFINITIONS)}


def _content(one: AttributeDefinition) -> Document:
    return {
        "label": one.label,
        "type": one.type.value,
        "choices": [{"code": choice.code, "label": choice.label} for choice in one.choices],
        "personal": one.personal,
        "roles": sorted(role.value for role in one.roles),
        "retired": one.retired,
        "used": one.used,
        "version": one.version,
    }


def _definition_of(document: Document) -> AttributeDefinition:
    return AttributeDefinition(
        code=document["code"],
        label=document["label"],
        type=AttributeType(document["type"]),
        choices=tuple(Choice(one["code"], one["label"]) for one in document["choices"]),
        personal=document["personal"],
        roles=frozenset(Role(role) for role in document["roles"]),
        retired=document["retired"],
        used=document["used"],
        version=document["version"],
    )
