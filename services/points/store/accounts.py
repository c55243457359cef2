"""Reading accounts and entries from MongoDB."""

import asyncio
from collections.abc import Mapping, Sequence

from pymongo import DESCENDING

from services.kit.mongo.database import Database
from services.points.domain.accounts import Account
from services.points.domain.journal import Entry
from services.points.store.collections import ACCOUNTS, ENTRIES
from services.points.store.documents import Document, account_of, entry_of


class MongoAccounts:
    """Accounts and entries of one service's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def accounts(self, chain: str, members: Sequence[str]) -> Mapping[str, Account]:
        """Return those that exist, by member."""
        found = self._database.collection(ACCOUNTS).find({"chain": chain, "account": {"$in": list(members)}})
        return {one["account"]: account_of(one)[0] for one in await found.to_list(None)}

    async def journals(
        self, chain: str, members: Sequence[str], *, before: int | None, first: int
    ) -> Mapping[str, Sequence[Entry]]:
        """Return up to `first` entries of each account below version `before`, the newest first.

        One indexed query for each account, all under way at once: a $group over the journals of a page would read
        each journal whole. The callers bound the number of accounts.
        """
        pages = await asyncio.gather(*(self._journal(chain, member, before=before, first=first) for member in members))
        return dict(zip(members, pages, strict=True))

    async def _journal(self, chain: str, member: str, *, before: int | None, first: int) -> list[Entry]:
        wanted: Document = {"chain": chain, "account": member}
        if before is not None:
            wanted["version"] = {"$lt": before}
        found = self._database.collection(ENTRIES).find(wanted).sort("version", DESCENDING).limit(first)
        return [entry_of(one) for one in await found.to_list(first)]
