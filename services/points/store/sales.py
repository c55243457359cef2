"""Sums of sales in MongoDB, added to within the transaction of whoever counts: the consumer, or a rebuild.

Two consumers that add to the same store's day conflict, and one of them does its batch again; so all writes go in the
order of their keys, and a batch writes each document once.
"""

from collections.abc import Mapping, Sequence

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from services.kit.mongo.collections import Document, Keyed
from services.kit.mongo.database import Database, Session
from services.kit.mongo.guards import DUPLICATE_KEY
from services.kit.mongo.transactions import Conflict
from services.points.domain.sales import Additions, GuestMonth, Item, Place, Turned, merged, turned, within_bound
from services.points.store.collections import GUEST_MONTHS, ITEM_SALES, SALES, SALES_GENERATIONS
from services.points.store.documents.sales import cell_name, increments, item_name, item_of
from services.points.usecases.record_sales import Generation

FULL_BYTES = 1_000_000
"""Items of one store's day or month: about 10,000. What is new after that is counted as one other item."""

ALL = "all"
"""Beside the cells stands their sum, for reports that ask for neither weekday, hour nor channel."""


class MongoSalesBook:
    """Sums in one service's database, within one transaction."""

    def __init__(self, database: Database, session: Session) -> None:
        self._database, self._session = database, session

    async def generations(self, chains: frozenset[str]) -> Mapping[str, Sequence[Generation]]:
        """Return those that are counted now, by chain."""
        which = {"chain": {"$in": sorted(chains)}}
        found = self._database.collection(SALES_GENERATIONS).find(which, session=self._session)
        return {one["chain"]: generations_of(one) for one in await found.to_list(len(chains))}

    async def add(self, chain: str, generation: int, additions: Additions) -> None:
        """Add to the sums of one generation."""
        if not additions.cells:
            return
        turns = await self._turned(chain, generation, additions.guests)
        cells = {
            place: {
                **increments(merged(by_cell.values()), under=ALL),
                **{
                    path: value
                    for cell, sums in by_cell.items()
                    for path, value in increments(sums, under=f"cells.{cell_name(cell)}").items()
                },
                **_turns(turns.get(place)),
            }
            for place, by_cell in additions.cells.items()
        }
        await self._add(SALES, chain, generation, cells)
        full = await self._full(chain, generation, additions)
        items = {
            place: {
                path: value
                for item, sums in (within_bound(by_item, full[place]) if place in full else by_item).items()
                for path, value in increments(sums, under=f"items.{item_name(item)}").items()
            }
            for place, by_item in additions.items.items()
        }
        await self._add(ITEM_SALES, chain, generation, items)

    async def _add(self, keyed: Keyed, chain: str, generation: int, content: Mapping[Place, Mapping[str, int]]) -> None:
        writes = [
            UpdateOne(
                {"chain": chain, "store": place.store, "generation": generation, "span": place.span},
                {"$inc": dict(some)},
                upsert=True,
            )
            for place, some in sorted(content.items(), key=lambda item: item[0])
            if some
        ]
        await self._write(keyed, writes)

    async def _turned(
        self, chain: str, generation: int, guests: Mapping[GuestMonth, list[str]]
    ) -> Mapping[Place, Turned]:
        if not guests:
            return {}
        which: Document = {
            "chain": chain,
            "account": {"$in": sorted({guest.member for guest in guests})},
            "generation": generation,
            "month": {"$in": sorted({guest.month for guest in guests})},
        }
        # At most one for each member and month of the batch.
        found = await self._database.collection(GUEST_MONTHS).find(which, session=self._session).to_list(None)
        before = {GuestMonth(one["account"], one["month"]): one["purchases"] for one in found}
        writes = [
            UpdateOne(
                {"chain": chain, "account": guest.member, "generation": generation, "month": guest.month},
                {"$inc": {"purchases": len(stores)}},
                upsert=True,
            )
            for guest, stores in sorted(guests.items(), key=lambda item: item[0])
        ]
        await self._write(GUEST_MONTHS, writes)
        return turned(guests, before)

    async def _full(self, chain: str, generation: int, additions: Additions) -> Mapping[Place, set[Item]]:
        """Return the places that have as many items as they can, with these."""
        places = list(additions.items)
        which: Document = {
            "chain": chain,
            "store": {"$in": sorted({place.store for place in places})},
            "generation": generation,
            "span": {"$in": sorted({place.span for place in places})},
        }
        wide = {"$gte": [{"$bsonSize": "$$ROOT"}, FULL_BYTES]}
        pipeline: list[Document] = [
            {"$match": which},
            {"$match": {"$expr": wide}},
            {"$project": {"store": True, "span": True, "items": {"$objectToArray": "$items"}}},
            {"$project": {"store": True, "span": True, "items": "$items.k"}},
        ]
        found = await self._database.aggregate(ITEM_SALES, pipeline, session=self._session)
        return {Place(one["store"], one["span"]): {item_of(name) for name in one["items"]} for one in found}

    async def _write(self, keyed: Keyed, writes: Sequence[UpdateOne]) -> None:
        if not writes:
            return
        try:
            await self._database.collection(keyed).bulk_write(list(writes), session=self._session)
        except BulkWriteError as error:
            # Another one has just made the same document: to be found when this is done again.
            if any(failed["code"] == DUPLICATE_KEY for failed in (error.details or {}).get("writeErrors", [])):
                raise Conflict from error
            raise


def _turns(turned: Turned | None) -> Mapping[str, int]:
    if turned is None:
        return {}
    counts = {"guests": turned.guests, "repeaters": turned.repeaters}
    return {name: count for name, count in counts.items() if count}


def generations_of(document: Document) -> list[Generation]:
    """Return the generations of a chain that are counted: the one that reports read first."""
    states = [document["current"], *([document["next"]] if "next" in document else [])]
    return [Generation(state["number"], state.get("since")) for state in states]
