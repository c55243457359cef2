"""The collections of exports and their indexes; and what an erasure and a chunk that is written fight over."""

from collections.abc import Collection
from zlib import crc32

from pymongo import ASCENDING, DESCENDING, IndexModel, UpdateOne
from pymongo.errors import BulkWriteError

from services.kit.mongo.collections import Keyed
from services.kit.mongo.database import Conflict, Database, Session, create_indexes
from services.kit.mongo.guards import DUPLICATE_KEY, write_guarded
from services.members.domain.exports import ExportState
from services.members.store.vault import Vault

EXPORTS = Keyed("exports", ("chain", "export"))
EXPORT_CHUNKS = Keyed("export_chunks", ("chain", "export"))
"""Sealed pieces of files. `members` are whose rows are in one, `first` and `last` the least and greatest of them."""

EXPORT_TURNS = Keyed("export_turns", ("chain",))
"""Counts, some for each chain, that erasures and chunks raise: what makes the two notice each other."""

TURNS = 16
"""Counts of a chain. A chunk raises all of them, an erasure its member's, so that erasures rarely meet each other."""


async def take_turns(
    database: Database, chain: str, *, members: Collection[str] | None = None, session: Session
) -> None:
    """Make this transaction fail when another of the chain's that takes one of the same turns commits before it.

    An erasure, of `members`, could otherwise miss a chunk that is being written, and the chunk the erasure. Taken at
    the end of a transaction, as it is in each other's way from then on.
    """
    turns = range(TURNS) if members is None else sorted({crc32(one.encode()) % TURNS for one in members})
    raised = [UpdateOne({"chain": chain, "turn": turn}, {"$inc": {"count": 1}}, upsert=True) for turn in turns]
    try:
        await write_guarded(database.collection(EXPORT_TURNS), raised, session=session)
    except BulkWriteError as error:
        # The first of all, by two at once.
        if any(failed["code"] == DUPLICATE_KEY for failed in (error.details or {}).get("writeErrors", [])):
            raise Conflict from error
        raise


async def destroy_with(
    database: Database, vault: Vault, chain: str, members: Collection[str], *, session: Session
) -> None:
    """Destroy the keys of all files that hold one of the members, within the transaction of its erasure.

    The chunks, which nobody can open any more, are deleted by a job.
    """
    await take_turns(database, chain, members=members, session=session)
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
    by_turn = IndexModel([("chain", ASCENDING), ("turn", ASCENDING)], name="by_turn", unique=True)
    await create_indexes(database, EXPORT_TURNS, [by_turn])
