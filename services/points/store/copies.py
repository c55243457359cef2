"""What points keeps of others, written within the transaction of the consumer that heard of it."""

from collections.abc import Sequence

from pymongo import UpdateOne

from services.kit.mongo.database import Database, Session
from services.kit.outbox.events import EventCursor
from services.points.domain.accounts import Account
from services.points.domain.items import Item
from services.points.domain.standings import Counts
from services.points.store.collections import ACCOUNTS
from services.points.store.documents.accounts import account_document
from services.points.store.items import ItemCopies
from services.points.store.stores import StoreCopies
from services.points.usecases.keep_copies import Enrolled
from services.points.usecases.record_purchases import Store


class MongoCopies:
    """Copies in one service's database."""

    def __init__(self, database: Database, stores: StoreCopies, items: ItemCopies, session: Session) -> None:
        self._database, self._stores, self._items, self._session = database, stores, items, session

    async def open_accounts(self, members: Sequence[tuple[str, Enrolled]]) -> None:
        """Open an empty account for each (chain, member) that has none, so that booking finds it without asking."""
        writes = [
            UpdateOne(
                {"chain": chain, "account": one.member},
                {"$setOnInsert": account_document(_new(one), EventCursor())},
                upsert=True,
            )
            for chain, one in sorted(members, key=lambda named: (named[0], named[1].member))
        ]
        await self._database.collection(ACCOUNTS).bulk_write(writes, ordered=True, session=self._session)

    async def save_stores(self, stores: Sequence[tuple[str, Store]]) -> None:
        """Keep each (chain, store) unless a newer version is there."""
        await self._stores.save(stores, self._session)

    async def save_items(self, items: Sequence[tuple[str, Item]]) -> None:
        """Keep each (chain, item) unless a newer version is there."""
        await self._items.save(items, self._session)


def _new(enrolled: Enrolled) -> Account:
    return Account(enrolled.member, counts=Counts(joined_at=enrolled.at))
