"""Sums of sales in MongoDB, added to within the transaction of whoever counts: the roll, or a rebuild.

Consumers only insert news, so that none of them ever conflicts over the same store's day; one replica at a time adds
the news of many batches up, and so writes each document once for all of them.
"""

from collections.abc import Mapping, Sequence

from pymongo import ASCENDING, UpdateOne
from pymongo.errors import BulkWriteError

from services.kit.mongo.collections import Document, Keyed
from services.kit.mongo.database import Database, Session
from services.kit.mongo.guards import DUPLICATE_KEY
from services.kit.mongo.transactions import Conflict
from services.points.domain.sales import Additions, GuestMonth, Item, Place, Sold, Turned, merged, turned, within_bound
from services.points.store.collections import GUEST_MONTHS, ITEM_SALES, SALES, SALES_GENERATIONS, SALES_NEWS
from services.points.store.documents.sales import cell_name, increments, item_name, item_of, sold_document, sold_of
from services.points.usecases.record_sales import Generation, additions_of

FULL_BYTES = 1_000_000
"""Items of one store's day or month: about 10,000. What is new after that is counted as one other item."""

ALL = "all"
"""Beside the cells stands their sum, for reports that ask for neither weekday, hour nor channel."""


NOTED_AT_ONCE = 100
"""Purchases and refunds in one document: with 500 lines each about 6 MB, of the 16 that it may have."""

ADDED_AT_ONCE = 5
"""News of one transaction: a second or two of writes where each purchase is of another store."""


class MongoSalesNews:
    """What waits to be added, within one transaction."""

    def __init__(self, database: Database, session: Session) -> None:
        self._database, self._session = database, session

    async def note(self, chain: str, sold: Sequence[Sold]) -> None:
        """Keep it until it is added."""
        documents: list[Document] = [
            {"chain": chain, "sold": [sold_document(one) for one in sold[start : start + NOTED_AT_ONCE]]}
            for start in range(0, len(sold), NOTED_AT_ONCE)
        ]
        await self._database.collection(SALES_NEWS).insert_many(documents, session=self._session)


class MongoSalesRoll:
    """What takes news into the sums of one service's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_some(self, chain: str) -> int:
        """Add the oldest news to the sums and forget them, in one transaction; return how many there were."""
        if await self._database.collection(SALES_NEWS).find_one({"chain": chain}, {"_id": True}) is None:
            return 0

        async def once(session: Session) -> int:
            news = self._database.collection(SALES_NEWS)
            found = news.find({"chain": chain}, session=session).sort("_id", ASCENDING).limit(ADDED_AT_ONCE)
            documents = await found.to_list(ADDED_AT_ONCE)
            state = await self._database.collection(SALES_GENERATIONS).find_one({"chain": chain}, session=session)
            sold = [sold_of(one) for document in documents for one in document["sold"]]
            book = MongoSalesBook(self._database, session)
            for number, additions in additions_of(sold, generations_of(state)).items():
                await book.add(chain, number, additions)
            ids = [document["_id"] for document in documents]
            await news.delete_many({"chain": chain, "_id": {"$in": ids}}, session=session)
            return len(documents)

        return await self._database.in_transaction(once)


class MongoSalesBook:
    """Sums in one service's database, within one transaction."""

    def __init__(self, database: Database, session: Session) -> None:
        self._database, self._session = database, session

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


def generations_of(document: Document | None) -> list[Generation]:
    """Return the generations of a chain that are counted: the one that reports read first."""
    if document is None:
        return [Generation()]
    states = [document["current"], *([document["next"]] if "next" in document else [])]
    return [Generation(state["number"], state.get("since")) for state in states]
