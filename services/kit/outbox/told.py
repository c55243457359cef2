"""How far each aggregate of a sandbox has told its events, kept beside the outbox, whose rows go when they are relayed.

With the cursors of whoever hears them (`kit.rabbit.cursors`) it tells whether anything is still on its way: both count
an aggregate's events of a stream from 1, so where the sums are equal, all have arrived. Sandboxes only: a real chain is
never waited for, and writes nothing here.
"""

from collections.abc import Mapping, Sequence

from pymongo import UpdateOne

from services.kit.chain_clocks import is_sandbox
from services.kit.mongo.collections import Document, Keyed, Session
from services.kit.mongo.database import Database, create_indexes
from services.kit.outbox.events import Event

TOLD = Keyed("outbox_told", ("chain", "aggregate"))


async def note_told(database: Database, events: Sequence[Event], session: Session) -> None:
    """Note the newest event of each sandbox's aggregate, in the transaction that writes them."""
    newest: dict[tuple[str, str, str], int] = {}
    for event in events:
        if is_sandbox(event.chain):
            name = event.chain, event.stream, event.aggregate
            newest[name] = max(event.sequence, newest.get(name, 0))
    writes = [
        UpdateOne(
            {"chain": chain, "aggregate": aggregate, "_id": f"{chain}/{stream}/{aggregate}"},
            {"$max": {"sequence": sequence}, "$setOnInsert": {"stream": stream}},
            upsert=True,
        )
        for (chain, stream, aggregate), sequence in newest.items()
    ]
    if writes:
        await database.collection(TOLD).bulk_write(writes, ordered=False, session=session)


async def count_told(database: Database, chain: str) -> Mapping[str, int]:
    """Return how many events of each stream the sandbox `chain` has told, relayed or not."""
    sums: list[Document] = [
        {"$match": {"chain": chain}},
        {"$group": {"_id": "$stream", "events": {"$sum": "$sequence"}}},
    ]
    return {row["_id"]: row["events"] for row in await database.aggregate(TOLD, sums)}


async def set_up(database: Database) -> None:
    """Create the collection and its index; safe to repeat."""
    await create_indexes(database, TOLD, [])
