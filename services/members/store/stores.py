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
from services.members.domain.places import Position
from services.members.domain.stores import MAX_STORES, SavedStores, Store, WantedStore, save_stores
from services.members.store.coded import named_of
from services.members.store.collections import STORES
from services.members.store.places import (
    address_document,
    address_of,
    hours_document,
    hours_of,
    position_document,
    position_of,
)
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
            named = await named_of(self._database, chain.id, session=session)
            saved = save_stores(wanted, known=known, count=turn.count, chain=chain, new_id=new_id, named=named)
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

    async def nearest(self, chain: str, to: Position, *, most: int, within_m: int) -> list[Store]:
        """Return the stores with a position that are not closed for good, the nearest first."""
        # Not $geoNear, which would tell the distance: it must be a pipeline's first stage, and hides the chain there.
        near = {"$nearSphere": {"$geometry": position_document(to), "$maxDistance": within_m}}
        condition = {"chain": chain, "position": near, "closed": {"$ne": True}}
        found = self._database.collection(STORES).find(condition, NO_ID)
        return [_store_of(one) for one in await found.limit(most).to_list(most)]

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
        "brand": store.brand,
        "address": address_document(store.address),
        "position": position_document(store.position),
        "hours": hours_document(store.hours),
        "closed": store.closed,
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
        region=document.get("region", ""),  # stores from before there were regions, brands … have none
        brand=document.get("brand", ""),
        address=address_of(document.get("address")),
        position=position_of(document.get("position")),
        hours=hours_of(document.get("hours")),
        closed=document.get("closed", False),
    )
