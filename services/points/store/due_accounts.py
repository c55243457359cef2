"""Accounts by when something in them falls due."""

from collections.abc import Sequence
from datetime import UTC, datetime

from pymongo import ASCENDING

from services.kit.mongo.database import Database
from services.points.store.collections import ACCOUNTS


class MongoDueAccounts:
    """Accounts of one service's database."""

    def __init__(self, database: Database) -> None:
        self._accounts = database.collection(ACCOUNTS)

    async def due(self, chain: str, *, by: datetime, first: int) -> Sequence[str]:
        """Return the ids of up to `first` accounts in which something fell due by `by`, the longest due first."""
        which = {"chain": chain, "due_at": {"$lte": by, "$type": "date"}}
        found = self._accounts.find(which, {"_id": False, "account": True}).sort("due_at", ASCENDING).limit(first)
        return [one["account"] for one in await found.to_list(None)]

    async def next_due(self, chain: str, after: datetime) -> datetime | None:
        """Return the earliest moment after `after` at which something in an account of `chain` falls due."""
        # The type as the index has it, which holds accounts with a due time and nothing else.
        which = {"chain": chain, "due_at": {"$gt": after, "$type": "date"}}
        found = await self._accounts.find_one(which, {"_id": False, "due_at": True}, sort=[("due_at", ASCENDING)])
        return None if found is None else found["due_at"].astimezone(UTC)
