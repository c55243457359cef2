"""Stores in MongoDB: what changed and its event are one transaction."""

from collections.abc import Callable, Sequence
from datetime import datetime

from pymongo import UpdateOne

from services.kit.mongo.collections import Document
from services.kit.mongo.database import Database, Session
from services.kit.mongo.guards import insert_new, write_guarded
from services.kit.outbox.events import EventCursor
from services.kit.outbox.outbox import Outbox
from services.members import events
from services.members.domain.chains import Chain
from services.members.domain.stores import MAX_STORES, SavedStores, Store, WantedStore, save_stores
from services.members.store.collections import STORES
from services.members.store.turns import read_turn, take_turn

NO_ID = {"_id": False}


class MongoStores:
    """Stores of one service's database."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database, self._outbox = database, outbox

    async def save(
        self, wanted: Sequence[WantedStore], *, chain: Chain, new_id: Callable[[], str], now: datetime, traceparent: str
    ) -> SavedStores:
        """Fold `wanted` over what is there, and keep and tell what changed."""

        async def once(session: Session) -> SavedStores:
            turn = await read_turn(self._database, chain=chain.id, of="stores", session=session)
            codes = {"chain": chain.id, "code": {"$in": [store.code for store in wanted]}}
            found = {one["code"]: one for one in await self._find(codes, session=session)}
            known = {code: _store_of(one) for code, one in found.items()}
            saved = save_stores(wanted, known=known, count=turn.count, chain=chain, new_id=new_id)
            if saved.changed:
                added = sum(store.version == 1 for store in saved.changed)
                await take_turn(self._database, turn, chain=chain.id, of="stores", added=added, session=session)
                before = {one["store"]: EventCursor(**one["events"]) for one in found.values()}
                told = [(store, before.get(store.id, EventCursor()).next(now)) for store in saved.changed]
                await self._write(chain.id, told, session)
                await self._outbox.write(
                    [
                        events.store_saved(store, cursor, chain=chain.id, now=now, traceparent=traceparent)
                        for store, cursor in told
                    ],
                    session,
                )
            return saved

        return await self._database.in_transaction(once)

    async def every(self, chain: str) -> list[Store]:
        """Return all stores in the order of their ids."""
        return [_store_of(one) for one in await self._find({"chain": chain})]

    async def find(self, chain: str, ids: frozenset[str]) -> list[Store]:
        """Return those of `ids` that exist, in the order of their ids."""
        return [_store_of(one) for one in await self._find({"chain": chain, "store": {"$in": sorted(ids)}})]

    async def _find(self, condition: Document, *, session: Session | None = None) -> list[Document]:
        found = self._database.collection(STORES).find(condition, NO_ID, session=session)
        return await found.sort("store", 1).to_list(MAX_STORES)

    async def _write(self, chain: str, changed: Sequence[tuple[Store, EventCursor]], session: Session) -> None:
        new: list[Document] = []
        updates: list[UpdateOne] = []
        for store, cursor in changed:
            key: Document = {"chain": chain, "store": store.id}
            if store.version == 1:
                new.append({**key, **_content(store, cursor)})
            else:
                updates.append(UpdateOne({**key, "version": store.version - 1}, {"$set": _content(store, cursor)}))
        collection = self._database.collection(STORES)
        await insert_new(collection, new, session=session)
        await write_guarded(collection, updates, session=session)


def _content(store: Store, cursor: EventCursor) -> Document:
    return {
        "code": store.code,
        "name": store.name,
        "time_zone": store.time_zone,
        "currency": store.currency,
        "version": store.version,
        "region": store.region,
        "events": {"sequence": cursor.sequence, "at": cursor.at},
    }


def _store_of(document: Document) -> Store:
    return Store(
        id=document["store"],
        code=document["code"],
        name=document["name"],
        time_zone=document["time_zone"],
        currency=document["currency"],
        version=document["version"],
        region=document.get("region", ""),  # stores from before regions have none
    )
