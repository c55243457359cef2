"""A chain's receipts of a span, for trying programs on them."""

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime

import pymongo
from pymongo import ASCENDING
from pymongo.asynchronous.cursor import AsyncCursor

from services.kit.mongo.collections import Document
from services.kit.mongo.database import Database
from services.points.domain.receipts import BookedPurchase
from services.points.store.collections import RECEIPTS
from services.points.store.documents.receipts import receipt_of

AT_ONCE = 500
"""Receipts in a chunk, during whose work the process answers nobody."""

WITHIN_S = 600.0
"""For the first chunk: a month of a large chain is sorted on disk before."""

UNUSED = ("refunds", "waiting", "redeemed", "unknown_holds")


class MongoPastReceipts:
    """Receipts of one service's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def count(self, chain: str, *, since: datetime, until: datetime) -> int:
        """Return how many occurred in [since, until): a count over the index."""
        with pymongo.timeout(WITHIN_S):
            which = await self._which(chain, since, until)
            return await self._database.collection(RECEIPTS).count_documents(which)

    async def occurred(
        self, chain: str, *, since: datetime, until: datetime, by_member: bool
    ) -> AsyncGenerator[Sequence[BookedPurchase], None]:
        """Yield those that occurred in [since, until); sorted on disk where a member's must stand together."""
        which = await self._which(chain, since, until)
        wanted = {"_id": False, **dict.fromkeys(UNUSED, False)}
        cursor = self._database.collection(RECEIPTS).find(which, wanted)
        if by_member:
            order = [("member", ASCENDING), ("occurred_at", ASCENDING), ("booked_at", ASCENDING)]
            cursor = cursor.sort(order).allow_disk_use(True)  # noqa: FBT003 - pymongo's own signature
        try:
            while documents := await self._next(cursor):
                receipts = [receipt_of(document) for document in documents]
                yield [receipt.booked for receipt in receipts if receipt.booked is not None]
        finally:
            await cursor.close()

    async def _which(self, chain: str, since: datetime, until: datetime) -> Document:
        """Return the condition by which the index (chain, store, occurred_at) finds them: it needs the stores."""
        stores = await self._database.collection(RECEIPTS).distinct("store", {"chain": chain})
        named = [store for store in stores if store is not None]
        return {"chain": chain, "store": {"$in": named}, "occurred_at": {"$gte": since, "$lt": until}}

    async def _next(self, cursor: AsyncCursor[Document]) -> list[Document]:
        with pymongo.timeout(WITHIN_S):
            documents: list[Document] = await cursor.to_list(AT_ONCE)
        return documents
