"""Seals in MongoDB, and the accounts' heads that they are made of."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, date, datetime

from pymongo import ASCENDING, DESCENDING
from pymongo.errors import DuplicateKeyError

from services.kit.mongo.collections import Document
from services.kit.mongo.database import Database
from services.points.domain.seals import Seal
from services.points.store.collections import ACCOUNTS, ENTRIES, SEALS
from services.points.usecases.seal_ledger import Head

AT_ONCE = 2_000
ASKED_AT_ONCE = 40
"""Journals that are asked together: as many as the driver has connections, nearly."""


class MongoSeals:
    """Seals of one service's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self, chain: str) -> Sequence[Seal]:
        """Return all seals of a chain, in the order of their days."""
        found = self._database.collection(SEALS).find({"chain": chain}).sort("day", ASCENDING)
        return [seal_of(one) for one in await found.to_list(None)]

    async def newest(self, chain: str, *, before: date | None, first: int) -> Sequence[Seal]:
        """Return up to `first` of the days before `before`, the newest first."""
        which: Document = {"chain": chain}
        if before is not None:
            which["day"] = {"$lt": before.isoformat()}
        found = self._database.collection(SEALS).find(which).sort("day", DESCENDING).limit(first)
        return [seal_of(one) for one in await found.to_list(first)]

    async def first_booked(self, chain: str) -> datetime | None:
        """Return when the first posting of the chain was booked."""
        found = await self._database.collection(ENTRIES).find_one(
            {"chain": chain}, {"_id": False, "booked_at": True}, sort=[("booked_at", ASCENDING)]
        )
        return None if found is None else found["booked_at"]

    async def is_booked(self, chain: str, *, since: datetime, until: datetime) -> bool:
        """Tell whether anything was booked in [since, until)."""
        which = {"chain": chain, "booked_at": {"$gte": since, "$lt": until}}
        return await self._database.collection(ENTRIES).find_one(which, {"_id": True}) is not None

    async def heads(self, chain: str, *, until: datetime) -> AsyncGenerator[Sequence[Head], None]:
        """Yield each account's head as it was at `until`, in the order of their ids; those that had any posting."""
        wanted = {"_id": False, "account": True, "version": True, "head": True, "booked_at": True}
        cursor = self._database.collection(ACCOUNTS).find({"chain": chain}, wanted, batch_size=AT_ONCE)
        cursor = cursor.sort("account", ASCENDING)
        try:
            while documents := await cursor.to_list(AT_ONCE):
                # Whose last posting was booked by then has had its head since; the others' journals are asked.
                heads = {one["account"]: _head_of(one) for one in documents}
                newer = [one["account"] for one in documents if _is_newer(one, until)]
                for start in range(0, len(newer), ASKED_AT_ONCE):
                    some = newer[start : start + ASKED_AT_ONCE]
                    found = await asyncio.gather(*(self._head(chain, account, until) for account in some))
                    heads.update(zip(some, found, strict=True))
                yield [head for head in heads.values() if head.version]
        finally:
            await cursor.close()

    async def keep(self, seal: Seal) -> bool:
        """Keep a seal; False when its day has one."""
        try:
            await self._database.collection(SEALS).insert_one(_document(seal))
        except DuplicateKeyError:
            return False
        return True

    async def _head(self, chain: str, account: str, until: datetime) -> Head:
        which = {"chain": chain, "account": account, "booked_at": {"$lt": until}}
        found = await self._database.collection(ENTRIES).find_one(
            which, {"_id": False, "version": True, "hash": True}, sort=[("version", DESCENDING)]
        )
        return Head(account, found["version"], found["hash"]) if found else Head(account, 0, b"")


def _is_newer(account: Document, until: datetime) -> bool:
    booked_at: datetime | None = account["booked_at"]
    return booked_at is not None and booked_at >= until


def _head_of(account: Document) -> Head:
    return Head(account["account"], account["version"], account["head"])


def _document(seal: Seal) -> Document:
    return {
        "chain": seal.chain,
        "day": seal.day.isoformat(),
        "root": seal.root,
        "accounts": seal.accounts,
        "postings": seal.postings,
        "previous": seal.previous,
        "sealed_at": seal.sealed_at,
        "key_id": seal.key_id,
        "signature": seal.signature,
    }


def seal_of(document: Document) -> Seal:
    """Return the seal."""
    return Seal(
        chain=document["chain"],
        day=date.fromisoformat(document["day"]),
        root=document["root"],
        accounts=document["accounts"],
        postings=document["postings"],
        previous=document["previous"],
        sealed_at=document["sealed_at"].astimezone(UTC),
        key_id=document["key_id"],
        signature=document["signature"],
    )
