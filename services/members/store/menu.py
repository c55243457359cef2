"""Menu items in MongoDB."""

from collections.abc import Sequence

from pymongo import UpdateOne

from services.kit.mongo.collections import Document
from services.kit.mongo.database import Database, Session
from services.kit.mongo.guards import insert_new, write_guarded
from services.members.domain.menu import MAX_ITEMS, MenuItem, SavedItems, save_items
from services.members.store.collections import MENU_ITEMS
from services.members.store.turns import read_turn, take_turn

NO_ID = {"_id": False}


class MongoMenu:
    """Menus of one service's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, wanted: Sequence[MenuItem], *, chain: str) -> SavedItems:
        """Fold `wanted` over what is there, and keep what changed."""

        async def once(session: Session) -> SavedItems:
            turn = await read_turn(self._database, chain=chain, of="menu", session=session)
            codes = {"chain": chain, "code": {"$in": [item.code for item in wanted]}}
            known = {item.code: item for item in await self._find(codes, session=session)}
            saved = save_items(wanted, known=known, count=turn.count)
            if saved.changed:
                new = [_document(chain, item) for item in saved.changed if item.code not in known]
                updates = [_update(chain, item) for item in saved.changed if item.code in known]
                await take_turn(self._database, turn, chain=chain, of="menu", added=len(new), session=session)
                collection = self._database.collection(MENU_ITEMS)
                await insert_new(collection, new, session=session)
                await write_guarded(collection, updates, session=session)
            return saved

        return await self._database.in_transaction(once)

    async def every(self, chain: str) -> list[MenuItem]:
        """Return all items in the order of their codes."""
        return await self._find({"chain": chain})

    async def _find(self, condition: Document, *, session: Session | None = None) -> list[MenuItem]:
        found = self._database.collection(MENU_ITEMS).find(condition, NO_ID, session=session)
        return [_item_of(one) for one in await found.sort("code", 1).to_list(MAX_ITEMS)]


def _document(chain: str, item: MenuItem) -> Document:
    return {
        "chain": chain,
        "code": item.code,
        "name": item.name,
        "category": item.category,
        "price_minor": item.price_minor,
        "version": item.version,
    }


def _update(chain: str, item: MenuItem) -> UpdateOne:
    content = _document(chain, item)
    key = {name: content.pop(name) for name in MENU_ITEMS.shard_key}
    return UpdateOne({**key, "version": item.version - 1}, {"$set": content})


def _item_of(document: Document) -> MenuItem:
    return MenuItem(
        code=document["code"],
        name=document["name"],
        category=document["category"],
        price_minor=document["price_minor"],
        version=document["version"],
    )
