"""Reading accounts, holds, adjustments and entries from MongoDB."""

import asyncio
from collections.abc import Mapping, Sequence

from pymongo import ASCENDING, DESCENDING

from services.kit.mongo.collections import Document
from services.kit.mongo.database import Database
from services.points.domain.accounts import Account
from services.points.domain.adjustments import Adjustment
from services.points.domain.holds import Hold, HoldState
from services.points.domain.journal import Entry, EntryKind
from services.points.domain.lots import Lot
from services.points.store.collections import ACCOUNTS, ADJUSTMENTS, ENTRIES, HOLDS, LOTS, NOTES, PAYERS, RECEIPTS
from services.points.store.documents.accounts import account_of, hold_of, lot_of
from services.points.store.documents.answers import adjustment_of
from services.points.store.documents.entries import entry_of
from services.points.store.documents.receipts import receipt_of
from services.points.usecases.payers import WaitingPayer
from services.points.usecases.read_accounts import Whole

MOST_MERGES = 10
MOST_RECEIPTS = 10_000
"""Of one payer, booked while members was away."""


class MongoAccounts:
    """Accounts and entries of one service's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def accounts(self, chain: str, members: Sequence[str]) -> Mapping[str, Whole]:
        """Return those that exist, by the name that was asked for; one that went into another is that other."""
        found = await self._accounts(chain, members)
        names = {name: name for name in members}
        for _ in range(MOST_MERGES):
            gone = {name: found[at].merged_into for name, at in names.items() if at in found and found[at].merged_into}
            if not gone:
                break
            names |= gone
            found |= await self._accounts(chain, [name for name in gone.values() if name not in found])
        lots, holds = await self._open(chain, [one.id for one in found.values() if one.due_at is not None])
        return {name: Whole(found[at], lots.get(at), holds.get(at)) for name, at in names.items() if at in found}

    async def journals(
        self, chain: str, members: Sequence[str], *, before: int | None, first: int
    ) -> Mapping[str, Sequence[Entry]]:
        """Return up to `first` entries of each account below version `before`, the newest first.

        One indexed query for each account, all under way at once: a $group over the journals of a page would read
        each journal whole. The callers bound the number of accounts.
        """
        pages = await asyncio.gather(*(self._journal(chain, member, before=before, first=first) for member in members))
        return dict(zip(members, pages, strict=True))

    async def _accounts(self, chain: str, names: Sequence[str]) -> dict[str, Account]:
        which = {"chain": chain, "account": {"$in": list(names)}}
        found = await self._database.collection(ACCOUNTS).find(which).to_list(None)
        return {one["account"]: account_of(one)[0] for one in found}

    async def _open(
        self, chain: str, accounts: Sequence[str]
    ) -> tuple[dict[str, dict[str, Lot]], dict[str, dict[str, Hold]]]:
        """Return the open lots and holds of `accounts`, an empty mapping where there are none."""
        lots: dict[str, dict[str, Lot]] = {account: {} for account in accounts}
        holds: dict[str, dict[str, Hold]] = {account: {} for account in accounts}
        if not accounts:
            return lots, holds
        which: Document = {"chain": chain, "account": {"$in": list(accounts)}}
        for one in await self._database.collection(LOTS).find({**which, "open": True}).to_list(None):
            lots[one["account"]][one["lot"]] = lot_of(one)
        for one in await self._database.collection(HOLDS).find({**which, "state": "open"}).to_list(None):
            holds[one["account"]][one["hold"]] = hold_of(one)
        return lots, holds

    async def _journal(self, chain: str, member: str, *, before: int | None, first: int) -> list[Entry]:
        which: Document = {"chain": chain, "account": member}
        if before is not None:
            which["version"] = {"$lt": before}
        found = self._database.collection(ENTRIES).find(which).sort("version", DESCENDING).limit(first)
        return [entry_of(one) for one in await found.to_list(first)]


class MongoHolds:
    """Holds by their ids."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def holds(self, chain: str, ids: Sequence[str]) -> Mapping[str, Hold]:
        """Return those that exist, by id, where they live: one that went with its account has left a trace behind."""
        which = {"chain": chain, "hold": {"$in": list(ids)}, "state": {"$ne": HoldState.MOVED.value}}
        found = self._database.collection(HOLDS).find(which)
        return {one["hold"]: hold_of(one) for one in await found.to_list(len(ids))}


class MongoAdjustments:
    """Adjustments, and the texts of their reasons."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def adjustment(self, chain: str, id_: str) -> Adjustment | None:
        """Return one."""
        found = await self._database.collection(ADJUSTMENTS).find_one({"chain": chain, "adjustment": id_})
        return None if found is None else adjustment_of(found)

    async def waiting(self, chain: str, *, after: str, first: int) -> Sequence[Adjustment]:
        """Return up to `first` that wait, the oldest first, those after the id `after`: ids ascend with time."""
        which = {"chain": chain, "state": "waiting", "adjustment": {"$gt": after}}
        found = self._database.collection(ADJUSTMENTS).find(which).sort("adjustment", ASCENDING).limit(first)
        return [adjustment_of(one) for one in await found.to_list(first)]

    async def reasons(self, chain: str, adjustments: Sequence[Adjustment]) -> Mapping[str, str]:
        """Return the texts of their reasons by commitment; erased ones are missing."""
        accounts = sorted({one.account for one in adjustments})
        which = {"chain": chain, "account": {"$in": accounts}, "note": {"$in": [one.note for one in adjustments]}}
        found = await self._database.collection(NOTES).find(which).to_list(None) if accounts else []
        return {one["note"]: one["text"] for one in found}


class MongoPayers:
    """Accounts of payers that have not been moved."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def waiting(self, *, first: int) -> Sequence[WaitingPayer]:
        """Return up to `first` of all chains, the oldest first."""
        found = self._database.collection(PAYERS).find({}).sort("since", ASCENDING).limit(first)
        each = await asyncio.gather(*(self._payer(one) for one in await found.to_list(first)))
        return [one for one in each if one is not None]

    async def moved(self, chain: str, accounts: Sequence[str]) -> None:
        """Forget those that have been moved."""
        await self._database.collection(PAYERS).delete_many({"chain": chain, "account": {"$in": list(accounts)}})

    async def _payer(self, waiting: Document) -> WaitingPayer | None:
        which: Document = {"chain": waiting["chain"], "account": waiting["account"]}
        account = await self._database.collection(ACCOUNTS).find_one(which)
        entries = self._database.collection(ENTRIES).find({**which, "kind": EntryKind.PURCHASE.value}, {"key": True})
        keys = sorted({one["key"] for one in await entries.to_list(MOST_RECEIPTS)})
        if account is None or not keys:
            return None
        first = await self._database.collection(RECEIPTS).find_one({"chain": waiting["chain"], "key": keys[0]})
        booked = receipt_of(first).booked if first else None
        if booked is None:
            return None
        return WaitingPayer(waiting["chain"], waiting["account"], account["version"], tuple(keys), booked.purchase)
