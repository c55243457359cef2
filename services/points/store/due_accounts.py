"""Accounts by when something in them falls due."""

from datetime import UTC, datetime

from pymongo import ASCENDING

from services.kit.mongo.database import Database
from services.points.store.collections import ACCOUNTS


class MongoDueAccounts:
    """Accounts of one service's database."""

    def __init__(self, database: Database) -> None:
        self._accounts = database.collection(ACCOUNTS)

    async def next_due(self, chain: str, after: datetime) -> datetime | None:
        """Return the earliest moment after `after` at which something in an account of `chain` falls due."""
        # The type as the index has it, which holds accounts with a due time and nothing else.
        which = {"chain": chain, "due_at": {"$gt": after, "$type": "date"}}
        found = await self._accounts.find_one(which, {"_id": False, "due_at": True}, sort=[("due_at", ASCENDING)])
        return None if found is None else found["due_at"].astimezone(UTC)
