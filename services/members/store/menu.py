"""Menu items in MongoDB: what changed and its event are one transaction."""

from collections.abc import Sequence
from datetime import datetime

from pymongo import UpdateOne

from services.kit.mongo.collections import Document
from services.kit.mongo.database import Database, Session
from services.kit.mongo.guards import insert_new, write_guarded
from services.kit.outbox.events import EventCursor
from services.kit.outbox.outbox import Outbox
from services.members import events
from services.members.domain.menu import MAX_ITEMS, MenuItem, SavedItems, WantedItem, save_items, with_stock
from services.members.store.coded import named_of
from services.members.store.collections import MENU_ITEMS
from services.members.store.turns import read_turn, take_turn

NO_ID = {"_id": False}


class MongoMenu:
    """Menus of one service's database."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database, self._outbox = database, outbox

    async def save(self, wanted: Sequence[WantedItem], *, chain: str, now: datetime, traceparent: str) -> SavedItems:
        """Fold `wanted` over what is there, and keep and tell what changed."""

        async def once(session: Session) -> SavedItems:
            turn = await read_turn(self._database, chain=chain, of="menu", session=session)
            codes = {"chain": chain, "code": {"$in": [item.code for item in wanted]}}
            found = {one["code"]: one for one in await self._find(codes, session=session)}
            known = {code: _item_of(one) for code, one in found.items()}
            named = await named_of(self._database, chain, session=session)
            saved = save_items(wanted, known=known, count=turn.count, named=named)
            if saved.changed:
                added = sum(item.code not in known for item in saved.changed)
                await take_turn(self._database, turn, chain=chain, of="menu", added=added, session=session)
                before = {code: _cursor_of(one) for code, one in found.items()}
                told = [(item, before.get(item.code, EventCursor()).next(now)) for item in saved.changed]
                await self._keep_and_tell(told, chain=chain, now=now, traceparent=traceparent, session=session)
            return saved

        return await self._database.in_transaction(once)

    async def set_stock(
        self, code: str, *, chain: str, store: str, in_stock: bool, now: datetime, traceparent: str
    ) -> MenuItem | None:
        """Note and tell whether the store, or without one the chain, has the item; None: there is no such item."""

        async def once(session: Session) -> MenuItem | None:
            found = await self._find({"chain": chain, "code": code}, session=session)
            if not found:
                return None
            before = _item_of(found[0])
            after = with_stock(before, store=store, in_stock=in_stock)
            if after != before:
                told = [(after, _cursor_of(found[0]).next(now))]
                await self._keep_and_tell(told, chain=chain, now=now, traceparent=traceparent, session=session)
            return after

        return await self._database.in_transaction(once)

    async def every(self, chain: str) -> list[MenuItem]:
        """Return all items in the order of their codes."""
        return [_item_of(one) for one in await self._find({"chain": chain})]

    async def find(self, chain: str, codes: frozenset[str]) -> list[MenuItem]:
        """Return those of `codes` that are on the menu, in the order of their codes."""
        return [_item_of(one) for one in await self._find({"chain": chain, "code": {"$in": sorted(codes)}})]

    async def _find(self, condition: Document, *, session: Session | None = None) -> list[Document]:
        found = self._database.collection(MENU_ITEMS).find(condition, NO_ID, session=session)
        return await found.sort("code", 1).to_list(MAX_ITEMS)

    async def _keep_and_tell(
        self,
        told: Sequence[tuple[MenuItem, EventCursor]],
        *,
        chain: str,
        now: datetime,
        traceparent: str,
        session: Session,
    ) -> None:
        await self._write(chain, told, session)
        saved = [
            events.menu_item_saved(item, cursor, chain=chain, now=now, traceparent=traceparent) for item, cursor in told
        ]
        await self._outbox.write(saved, session)

    async def _write(self, chain: str, changed: Sequence[tuple[MenuItem, EventCursor]], session: Session) -> None:
        new: list[Document] = []
        updates: list[UpdateOne] = []
        for item, cursor in changed:
            key: Document = {"chain": chain, "code": item.code}
            if item.version == 1:
                new.append({**key, **_content(item, cursor)})
            else:
                updates.append(UpdateOne({**key, "version": item.version - 1}, {"$set": _content(item, cursor)}))
        collection = self._database.collection(MENU_ITEMS)
        await insert_new(collection, new, session=session)
        await write_guarded(collection, updates, session=session)


def _content(item: MenuItem, cursor: EventCursor) -> Document:
    return {
        "name": item.name,
        "category": item.category,
        "price_minor": item.price_minor,
        "launched_on": item.launched_on,
        "cost_minor": item.cost_minor,
        "on_sale": item.on_sale,
        "in_stock": item.in_stock,
        "stock_exceptions": list(item.stock_exceptions),
        "brand": item.brand,
        "version": item.version,
        "events": {"sequence": cursor.sequence, "at": cursor.at},
    }


def _cursor_of(document: Document) -> EventCursor:
    return EventCursor(**document.get("events", {}))  # items saved before they were told of have none


def _item_of(document: Document) -> MenuItem:
    return MenuItem(
        code=document["code"],
        name=document["name"],
        category=document["category"],
        price_minor=document["price_minor"],
        version=document["version"],
        launched_on=document.get("launched_on", ""),
        cost_minor=document.get("cost_minor"),
        on_sale=document.get("on_sale", True),
        in_stock=document.get("in_stock", True),
        stock_exceptions=tuple(document.get("stock_exceptions", ())),
        brand=document.get("brand", ""),
    )
