"""Leases: who may do a thing that only one may do at a time, for a while.

Times are the server's (`$$NOW`), so replicas with wrong clocks agree. A holder counts its own time from before it
asked, on a clock that only measures durations, so it stops before the server would give the lease to another.
Each change of holder raises `fence`: what a former holder still does can be told apart and refused.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pymongo import ReturnDocument

from services.kit.errors import Kind, Problem
from services.kit.mongo.collections import Document, Keyed, Session
from services.kit.mongo.database import Database

LEASES = Keyed("leases", ())

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
DAY_MS = 86_400_000
FREE: Document = {"$expr": {"$lte": ["$until", "$$NOW"]}}


class LeaseLostError(Problem):
    """The lease {name} has passed to another holder."""

    kind = Kind.UNAVAILABLE
    code = "LEASE_LOST"


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease that was granted. `good_until` is a time of the running event loop (`loop.time()`)."""

    name: str
    owner: str
    fence: int
    good_until: float


class Leases:
    """The leases that one owner, a name that no other process has, takes in a database."""

    def __init__(self, database: Database, *, owner: str, ttl_ms: int = 10_000) -> None:
        self._leases = database.collection(LEASES)
        self._owner, self._ttl_ms = owner, ttl_ms

    async def acquire(self, name: str) -> Lease | None:
        """Take the lease if it is free, else return None; also while this same owner holds it."""
        asked_at = asyncio.get_running_loop().time()
        taken = await self._take(name)
        if taken is None and await self._introduce(name):
            taken = await self._take(name)
        return self._lease(name, taken, asked_at)

    async def renew(self, lease: Lease) -> Lease | None:
        """Make the lease last for another `ttl_ms` from now; None when another has it since."""
        asked_at = asyncio.get_running_loop().time()
        return self._lease(lease.name, await self._change(_held(lease), {"until": self._until()}), asked_at)

    async def release(self, lease: Lease) -> None:
        """Give the lease back, if it is still held."""
        await self._change(_held(lease), {"until": "$$NOW"})

    async def confirm(self, lease: Lease, *, session: Session) -> None:
        """Make the transaction fail when the lease passes on before it commits; `LeaseLostError` when it has already.

        Writes the lease, so that a new holder and this transaction cannot both win.
        """
        confirmed = await self._leases.update_one(_held(lease), {"$inc": {"confirmed": 1}}, session=session)
        if confirmed.matched_count == 0:
            raise LeaseLostError(name=lease.name)

    async def holders(self, prefix: str) -> list[str]:
        """Return the names of the leases that begin with `prefix` and are held now, sorted, at most 1,000."""
        names = _beginning_with(prefix) | {"$expr": {"$gt": ["$until", "$$NOW"]}}
        found = await self._leases.find(names, {"_id": 1}).sort("_id", 1).to_list(1_000)
        return [row["_id"] for row in found]

    async def forget(self, prefix: str) -> None:
        """Delete the leases that begin with `prefix` and ran out a day ago. Their fences begin anew."""
        day_ago = {"$expr": {"$lt": ["$until", {"$subtract": ["$$NOW", DAY_MS]}]}}
        await self._leases.delete_many(_beginning_with(prefix) | day_ago)

    async def _take(self, name: str) -> Document | None:
        taken = {"owner": self._owner, "until": self._until(), "fence": {"$add": ["$fence", 1]}}
        return await self._change({"_id": name} | FREE, taken)

    async def _introduce(self, name: str) -> bool:
        # A filter with $expr cannot insert, so a lease that was never held is written first, free.
        unheld = {"owner": "", "until": NEVER, "fence": 0}
        made = await self._leases.update_one({"_id": name}, {"$setOnInsert": unheld}, upsert=True)
        return made.upserted_id is not None

    async def _change(self, which: Document, fields: Document) -> Document | None:
        return await self._leases.find_one_and_update(which, [{"$set": fields}], return_document=ReturnDocument.AFTER)

    def _until(self) -> dict[str, Any]:
        return {"$add": ["$$NOW", self._ttl_ms]}

    def _lease(self, name: str, row: Document | None, asked_at: float) -> Lease | None:
        if row is None:
            return None
        return Lease(name=name, owner=self._owner, fence=row["fence"], good_until=asked_at + self._ttl_ms / 1_000)


def _held(lease: Lease) -> Document:
    return {"_id": lease.name, "owner": lease.owner, "fence": lease.fence}


def _beginning_with(prefix: str) -> Document:
    return {"_id": {"$gte": prefix, "$lt": prefix + "\uffff"}}
