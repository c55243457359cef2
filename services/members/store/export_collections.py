"""The collections of exports and their indexes; and what an erasure and a chunk that is written fight over."""

from collections.abc import Collection

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from services.kit.mongo.collections import Keyed
from services.kit.mongo.database import Conflict, Database, Session, create_indexes
from services.members.domain.exports import ExportState
from services.members.store.vault import Vault

EXPORTS = Keyed("exports", ("chain", "export"))
EXPORT_CHUNKS = Keyed("export_chunks", ("chain", "export"))
"""Sealed pieces of files. `members` are whose rows are in one, `first` and `last` the least and greatest of them."""

EXPORT_TURNS = Keyed("export_turns", ("chain",))
"""A count for each chain that erasures and chunks raise: what makes the two notice each other."""


async def take_turn(database: Database, chain: str, *, session: Session) -> None:
    """Make this transaction fail when another of the chain's that takes a turn commits before it.

    An erasure could otherwise miss a chunk that is being written, and the chunk the erasure. Taken at the end of a
    transaction, as it is in each other's way from then on.
    """
    try:
        await database.collection(EXPORT_TURNS).update_one(
            {"chain": chain}, {"$inc": {"turns": 1}}, upsert=True, session=session
        )
    except DuplicateKeyError as error:  # the chain's first turn, by two at once
        raise Conflict from error


async def destroy_with(
    database: Database, vault: Vault, chain: str, members: Collection[str], *, session: Session
) -> None:
    """Destroy the keys of all files that hold one of the members, within the transaction of its erasure.

    The chunks, which nobody can open any more, are deleted by a job.
    """
    await take_turn(database, chain, session=session)
    exports: set[str] = set()
    chunks = database.collection(EXPORT_CHUNKS)
    for member in members:
        # The bounds narrow it down to one chunk of a file by the index; the list settles it.
        holding = {"chain": chain, "first": {"$gt": "", "$lte": member}, "last": {"$gte": member}, "members": member}
        shown = {"_id": False, "export": True}
        found = chunks.find(holding, shown, session=session).hint("by_members")
        exports |= {one["export"] for one in await found.to_list()}
    if not exports:
        return
    await vault.discard(chain, sorted(exports), session=session)
    condition = {"chain": chain, "export": {"$in": sorted(exports)}}
    gone = {"state": ExportState.DESTROYED.value, "open": False, "sweep": True}
    await database.collection(EXPORTS).update_many(condition, {"$set": gone, "$inc": {"version": 1}}, session=session)


async def set_up(database: Database) -> None:
    """Create the collections and their indexes; safe to repeat."""
    by_export = [("chain", ASCENDING), ("export", ASCENDING)]
    indexes = [
        IndexModel(by_export, name="by_export", unique=True),
        IndexModel([("open", ASCENDING)], name="open", partialFilterExpression={"open": True}),
        IndexModel([("sweep", ASCENDING)], name="sweep", partialFilterExpression={"sweep": True}),
        IndexModel([("expires_at", ASCENDING)], name="age"),
    ]
    await create_indexes(database, EXPORTS, indexes)
    by_chunk = IndexModel([*by_export, ("chunk", ASCENDING)], name="by_chunk", unique=True)
    by_members = IndexModel(
        [("chain", ASCENDING), ("first", ASCENDING), ("last", DESCENDING)],
        name="by_members",
        partialFilterExpression={"first": {"$gt": ""}},
    )
    await create_indexes(database, EXPORT_CHUNKS, [by_chunk, by_members])
    by_chain = IndexModel([("chain", ASCENDING)], name="by_chain", unique=True)
    await create_indexes(database, EXPORT_TURNS, [by_chain])
