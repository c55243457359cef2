"""Copies of the chain's stores, kept current by StoreSaved; a missing one is asked for at members."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Protocol

from pymongo import UpdateOne

from services.kit.clock import Clock
from services.kit.mongo.database import Database, Session
from services.points.store.collections import STORES
from services.points.store.documents import Document
from services.points.usecases.record_purchases import Store

CACHE_SIZE = 20_000
MOST_STORES = 10_000
"""As many as members lets a chain have."""

CACHE_LIFETIME = timedelta(minutes=1)
"""How long another replica may go on with a store's old time zone or currency."""


class StoreSource(Protocol):
    """Whoever owns the stores."""

    async def stores(self, chain: str, ids: frozenset[str]) -> Mapping[str, Store]:
        """Return those of `ids` that exist, by id."""


class MongoStoreList:
    """The chain's stores that there are copies of."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def every(self, chain: str) -> list[Store]:
        """Return all that there are copies of, in the order of their ids."""
        found = self._database.collection(STORES).find({"chain": chain}).sort("store", 1)
        return [_store_of(one) for one in await found.to_list(MOST_STORES)]


class StoreCopies:
    """Answers from memory, then from the copies, then from `source`."""

    def __init__(self, database: Database, *, source: StoreSource, clock: Clock) -> None:
        self._database, self._source, self._clock = database, source, clock
        self._fresh: OrderedDict[tuple[str, str], tuple[datetime, Store]] = OrderedDict()

    async def stores(self, chain: str, ids: frozenset[str]) -> Mapping[str, Store]:
        """Return those of `ids` that exist, by id."""
        now = self._clock()
        known = {id_: kept[1] for id_ in ids if (kept := self._fresh.get((chain, id_))) and now < kept[0]}
        if missing := ids - known.keys():
            copied = await self._copied(chain, missing)
            if not_copied := missing - copied.keys():
                asked = await self._source.stores(chain, not_copied)
                await self.save((chain, store) for store in asked.values())
                copied = {**copied, **asked}
            self._remember(chain, copied, until=now + CACHE_LIFETIME)
            known |= copied
        return known

    async def save(self, stores: Iterable[tuple[str, Store]], session: Session | None = None) -> None:
        """Keep (chain, store) pairs, the newest version of each; an older one changes nothing."""
        newest: dict[tuple[str, str], Store] = {}
        for chain, store in stores:
            if (kept := newest.get((chain, store.id))) is None or kept.version < store.version:
                newest[chain, store.id] = store
        if newest:
            writes = [_keep(chain, store) for (chain, _), store in newest.items()]
            await self._database.collection(STORES).bulk_write(writes, ordered=False, session=session)

    async def _copied(self, chain: str, ids: frozenset[str]) -> dict[str, Store]:
        found = self._database.collection(STORES).find({"chain": chain, "store": {"$in": list(ids)}})
        return {one["store"]: _store_of(one) for one in await found.to_list(None)}

    def _remember(self, chain: str, stores: Mapping[str, Store], *, until: datetime) -> None:
        for store in stores.values():
            self._fresh[chain, store.id] = (until, store)
            self._fresh.move_to_end((chain, store.id))
        while len(self._fresh) > CACHE_SIZE:
            self._fresh.popitem(last=False)


def _keep(chain: str, store: Store) -> UpdateOne:
    """Write the copy unless it is newer already: in a pipeline, since the filter must be the key for the upsert."""
    new = {
        "version": store.version,
        "time_zone": store.time_zone,
        "currency": store.currency,
        # Taken as it is: what begins with a dollar would be looked up as a field.
        "region": {"$literal": store.region},
    }
    older = {"$lt": [{"$ifNull": ["$version", 0]}, store.version]}
    update: list[Document] = [{"$set": {name: {"$cond": [older, value, f"${name}"]} for name, value in new.items()}}]
    return UpdateOne({"chain": chain, "store": store.id}, update, upsert=True)


def _store_of(document: Document) -> Store:
    return Store(
        id=document["store"],
        version=document["version"],
        time_zone=document["time_zone"],
        currency=document["currency"],
        region=document.get("region", ""),  # copies from before regions have none
    )
