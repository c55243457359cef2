"""Copies of the chain's menu items, kept current by MenuItemSaved; a missing one is asked for at members."""

import logging
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Protocol

from pymongo import UpdateOne

from services.kit.clock import Clock
from services.kit.errors import Problem
from services.kit.mongo.database import Database, Session
from services.points.domain.items import Item
from services.points.store.collections import MENU_ITEMS
from services.points.store.documents import Document

CACHE_SIZE = 100_000
"""Codes that are remembered, those that are on no menu included: the whole menus of ten large chains."""

CACHE_LIFETIME = timedelta(minutes=1)
"""How long a replica may go on with an item's old category, or without a new item."""

AWAY_LIFETIME = timedelta(seconds=5)
"""How long it does without an item that members could not be asked about: a till does not wait again and again."""

MOST_BY_CODE = 1_000
"""Codes that are looked up one by one; for more, all of the chain's copies are read."""

MENU_SIZE = 10_000
"""Items that a chain can have at members."""

_log = logging.getLogger(__name__)


class ItemSource(Protocol):
    """Whoever owns the menu."""

    async def items(self, chain: str, codes: frozenset[str]) -> Mapping[str, Item]:
        """Return those of `codes` that are on the menu, by code. Raises `Problem` when that cannot be told."""


class ItemCopies:
    """Answers from memory, then from the copies, then from `source`."""

    def __init__(self, database: Database, *, source: ItemSource, clock: Clock) -> None:
        self._database, self._source, self._clock = database, source, clock
        self._fresh: OrderedDict[tuple[str, str], tuple[datetime, Item | None]] = OrderedDict()

    async def items(self, chain: str, codes: frozenset[str]) -> Mapping[str, Item]:
        """Return those of `codes` that are on the menu, by code, as far as that can be told now."""
        now = self._clock()
        known = {code: kept[1] for code in codes if (kept := self._fresh.get((chain, code))) and now < kept[0]}
        if missing := codes - known.keys():
            copied = await self._copied(chain, missing)
            self._remember(chain, copied, until=now + CACHE_LIFETIME)
            known |= copied
            if not_copied := missing - copied.keys():
                known |= await self._ask(chain, not_copied, now)
        return {code: item for code, item in known.items() if item is not None}

    async def save(self, items: Iterable[tuple[str, Item]], session: Session | None = None) -> None:
        """Keep (chain, item) pairs, the newest version of each; an older one changes nothing."""
        newest: dict[tuple[str, str], Item] = {}
        for chain, item in items:
            if (kept := newest.get((chain, item.code))) is None or kept.version < item.version:
                newest[chain, item.code] = item
        if newest:
            writes = [_keep(chain, item) for (chain, _), item in newest.items()]
            await self._database.collection(MENU_ITEMS).bulk_write(writes, ordered=False, session=session)

    async def _copied(self, chain: str, codes: frozenset[str]) -> dict[str, Item]:
        named: Document = {"code": {"$in": sorted(codes)}} if len(codes) <= MOST_BY_CODE else {}
        found = self._database.collection(MENU_ITEMS).find({"chain": chain, **named})
        return {one["code"]: _item_of(one) for one in await found.to_list(MENU_SIZE) if one["code"] in codes}

    async def _ask(self, chain: str, codes: frozenset[str], now: datetime) -> Mapping[str, Item]:
        """Ask the owner, and remember also what is on no menu: tills send whatever they please."""
        try:
            asked = await self._source.items(chain, codes)
        except Problem as problem:  # also of a members that has no such method yet: a paid sale is never refused
            _log.warning("menu items of %s cannot be asked for: %s", chain, problem.message)
            self._remember(chain, dict.fromkeys(codes), until=now + AWAY_LIFETIME)
            return {}
        await self.save((chain, item) for item in asked.values())
        self._remember(chain, {code: asked.get(code) for code in codes}, until=now + CACHE_LIFETIME)
        return asked

    def _remember(self, chain: str, items: Mapping[str, Item | None], *, until: datetime) -> None:
        for code, item in items.items():
            self._fresh[chain, code] = (until, item)
            self._fresh.move_to_end((chain, code))
        while len(self._fresh) > CACHE_SIZE:
            self._fresh.popitem(last=False)


def _keep(chain: str, item: Item) -> UpdateOne:
    """Write the copy unless it is newer already: in a pipeline, since the filter must be the key for the upsert."""
    launched_on = item.launched_on.isoformat() if item.launched_on else ""
    new = {"version": item.version, "category": item.category, "launched_on": launched_on}
    older = {"$lt": [{"$ifNull": ["$version", 0]}, item.version]}
    update: list[Document] = [
        {"$set": {name: {"$cond": [older, {"$literal": value}, f"${name}"]} for name, value in new.items()}}
    ]
    return UpdateOne({"chain": chain, "code": item.code}, update, upsert=True)


def _item_of(document: Document) -> Item:
    return Item(
        code=document["code"],
        version=document["version"],
        category=document["category"],
        launched_on=date.fromisoformat(document["launched_on"]) if document["launched_on"] else None,
    )
