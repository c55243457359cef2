"""The collection that events are written to in their fact's transaction, and read from by the relay."""

from collections.abc import Sequence
from dataclasses import fields
from zlib import crc32

from pymongo import IndexModel, ReturnDocument
from pymongo.read_concern import ReadConcern

from services.kit.mongo.collections import Document, Keyed, Session
from services.kit.mongo.database import Database, create_indexes
from services.kit.outbox.events import Event
from services.kit.outbox.told import note_told

OUTBOX = Keyed("outbox", ("chain", "partition"))
CHAINS = Keyed("outbox_chains", ())
"""A document for each chain that ever had an event: the relay's list of where to look."""

FIELDS = tuple(field.name for field in fields(Event) if field.name != "id")

MOST_CHAINS = 100_000
CHAINS_AT_ONCE = 500
"""Chains that one question of the sweep names: an index seek for each."""


class Outbox:
    """Events on their way out, spread over `partitions` by aggregate. Their number holds for a chain's whole life:
    with another one, an aggregate's older and newer events could lie in two partitions and overtake each other."""

    def __init__(self, database: Database, *, partitions: int = 8) -> None:
        self.partitions = partitions
        self._database = database
        self._rows = database.collection(OUTBOX)
        self._chains = database.collection(CHAINS)
        self._known: set[str] = set()

    async def write(self, events: Sequence[Event], session: Session) -> None:
        """Add events to the transaction of `session`; they are published soon after it commits."""
        if not events:
            return
        for chain in {event.chain for event in events} - self._known:
            await self._introduce(chain)
        await self._rows.insert_many(rows_of(events, self.partitions), session=session)
        await note_told(self._database, events, session)

    async def chains(self) -> list[str]:
        """Return every chain that ever had an event."""
        return [row["_id"] for row in await self._chains.find({}, {"_id": 1}).to_list(MOST_CHAINS)]

    async def waiting_chains(self, partition: int, chains: Sequence[str]) -> list[str]:
        """Return those of `chains` that have events waiting in `partition`."""
        waiting: list[str] = []
        for start in range(0, len(chains), CHAINS_AT_ONCE):
            some = list(chains[start : start + CHAINS_AT_ONCE])
            waiting += await self._rows.distinct("chain", {"chain": {"$in": some}, "partition": partition})
        return waiting

    async def first(self, chain: str, partition: int, *, most: int) -> list[Event]:
        """Return the oldest waiting events of a lane in order, at most `most`.

        From one snapshot: a plain query reads on while others commit, and could find an aggregate's second event
        after having passed the place where its first one has appeared meanwhile.
        """
        rows = self._rows.with_options(read_concern=ReadConcern("snapshot"))
        lane = {"chain": chain, "partition": partition}
        found = await rows.find(lane).sort([("at", 1), ("sequence", 1)]).limit(most).to_list(most)
        return [_event(row) for row in found]

    async def delete(self, events: Sequence[Event], *, partition: int) -> None:
        """Remove events of one lane that the broker has confirmed."""
        ids: dict[str, list[str]] = {}
        for event in events:
            ids.setdefault(event.chain, []).append(event.id)
        for chain, some in ids.items():
            await self._rows.delete_many({"chain": chain, "partition": partition, "_id": {"$in": some}})

    async def _introduce(self, chain: str) -> None:
        # Not in the transaction: it must be there before the first event can be, and stays if that one is undone.
        noted = await self._chains.find_one_and_update(
            {"_id": chain},
            {"$setOnInsert": {"partitions": self.partitions}},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        if noted is None or noted["partitions"] != self.partitions:
            message = f"the outbox of {chain} has not {self.partitions} partitions: {noted}"
            raise ValueError(message)
        self._known.add(chain)


def partition_of(aggregate: str, partitions: int) -> int:
    """Return where the aggregate's events lie, the same in every process and for ever."""
    return crc32(aggregate.encode()) % partitions


def rows_of(events: Sequence[Event], partitions: int) -> list[Document]:
    """Return the documents to insert; the last one of each lane wakes its relay, once for the whole transaction."""
    rows: list[Document] = [
        {
            "_id": event.id,
            "partition": partition_of(event.aggregate, partitions),
            **{name: getattr(event, name) for name in FIELDS},  # asdict copies deeply, at ten times the cost
        }
        for event in events
    ]
    for row in {(row["chain"], row["partition"]): row for row in rows}.values():
        row["wakes"] = True
    return rows


def _event(row: Document) -> Event:
    return Event(id=row["_id"], **{name: row[name] for name in FIELDS})


async def set_up(database: Database) -> None:
    """Create the collections and their indexes; safe to repeat."""
    in_order = IndexModel([("chain", 1), ("partition", 1), ("at", 1), ("sequence", 1)], name="in_order")
    await create_indexes(database, OUTBOX, [in_order])
