"""Reading a chain's ledger for its verification, while others write."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from pymongo import ASCENDING, DESCENDING

from services.kit.mongo.collections import Document, Keyed
from services.kit.mongo.database import Database, Session
from services.points.domain.accounts import Account
from services.points.domain.holds import Hold, HoldState
from services.points.domain.lots import Lot
from services.points.domain.replaying import MOVING, Moved, moved_by
from services.points.domain.seals import Seal
from services.points.domain.verification import NamedReceipt, Stored
from services.points.store.collections import ACCOUNTS, ENTRIES, HOLDS, LOTS, RECEIPTS, REFUNDS
from services.points.store.documents.entries import entry_of
from services.points.store.seals import MongoSeals
from services.points.store.strict import NAIVE, account_strictly, hold_strictly, lot_strictly, posting_of
from services.points.usecases.verify_ledger import ReadPosting

AT_ONCE = 500
"""Postings in a chunk, during whose work the process answers nobody."""

FETCHED = 4_000
"""Postings in one answer of the database."""

WITHOUT_ID = {"_id": False}


class MongoLedgerReader:
    """The ledger of one service's database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seals = MongoSeals(database)

    async def seals(self, chain: str) -> Sequence[Seal]:
        """Return all seals in the order of their days."""
        return await self._seals.all(chain)

    async def accounts(self, chain: str, *, after: str, first: int) -> Mapping[str, Stored]:
        """Return up to `first` accounts after `after`, with open lots and holds; see LedgerReader."""
        which: Document = {"chain": chain, "account": {"$gt": after}}
        accounts = self._database.collection(ACCOUNTS)
        documents = await accounts.find(which, WITHOUT_ID).sort("account", ASCENDING).limit(first).to_list(first)
        if not documents:
            return {}
        named = {"chain": chain, "account": {"$gt": after, "$lte": documents[-1]["account"]}}
        lots, holds = await asyncio.gather(
            self._find(LOTS, {**named, "open": True}), self._find(HOLDS, {**named, "state": HoldState.OPEN.value})
        )
        parts = _Parts(lots, holds)
        return {document["account"]: parts.stored(document, last=None) for document in documents}

    async def account(self, chain: str, account: str) -> Stored | None:
        """Return one, all of it from one snapshot."""
        which: Document = {"chain": chain, "account": account}

        async def read(session: Session) -> Stored | None:
            document = await self._database.collection(ACCOUNTS).find_one(which, WITHOUT_ID, session=session)
            if document is None:
                return None
            lots = await self._find(LOTS, {**which, "open": True}, session)
            holds = await self._find(HOLDS, {**which, "state": HoldState.OPEN.value}, session)
            newest = await self._database.collection(ENTRIES).find_one(
                which, {"_id": False, "version": True}, sort=[("version", DESCENDING)], session=session
            )
            return _Parts(lots, holds).stored(document, last=newest["version"] if newest else 0)

        return await self._database.in_transaction(read)

    async def postings(self, chain: str, *, after: str, until: str) -> AsyncGenerator[Sequence[ReadPosting], None]:
        """Yield all postings in (after, until], by the index backwards: accounts descending, versions ascending."""
        bounds = {"$gt": after, "$lte": until} if until else {"$gt": after}
        order = [("account", DESCENDING), ("version", ASCENDING)]
        async for chunk in self._stream(chain, {"chain": chain, "account": bounds}, order):
            yield chunk

    async def further(
        self, chain: str, account: str, *, above: int, until: int
    ) -> AsyncGenerator[Sequence[ReadPosting], None]:
        """Yield the postings of one account in (above, until], ascending."""
        which = {"chain": chain, "account": account, "version": {"$gt": above, "$lte": until}}
        async for chunk in self._stream(chain, which, [("version", ASCENDING)]):
            yield chunk

    async def receipts(self, chain: str, keys: Sequence[str]) -> Mapping[str, NamedReceipt]:
        """Return the booked ones among these receipts, by key."""
        if not keys:
            return {}
        which = {"chain": chain, "key": {"$in": list(keys)}}
        wanted = {"_id": False, "key": True, "entry": True, "purchase": True, "member": True}
        found = await self._database.collection(RECEIPTS).find(which, wanted).to_list(None)
        return {
            one["key"]: NamedReceipt(one["entry"], one["purchase"], one["member"]) for one in found if "entry" in one
        }

    async def refunds(self, chain: str, keys: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
        """Return the booked refunds under these keys, their own or their receipts': account by id."""
        if not keys:
            return {}
        which: Document = {"chain": chain, "key": {"$in": list(keys)}}
        wanted = ("id", "state", "member")
        own = self._database.collection(REFUNDS).find(which, {"key": True, **dict.fromkeys(wanted, True)})
        within = self._database.collection(RECEIPTS).find(
            which, {"key": True, **{f"refunds.{name}": True for name in wanted}}
        )
        found: dict[str, dict[str, str]] = {key: {} for key in keys}
        for one in await own.to_list(None):
            if one["state"] == "booked":
                found[one["key"]][one["id"]] = one["member"]
        for receipt in await within.to_list(None):
            found[receipt["key"]] |= {one["id"]: one["member"] for one in receipt.get("refunds", ())}
        return found

    async def moves(self, chain: str, accounts: Sequence[str]) -> Sequence[Moved]:
        """Return all merges, and undone ones, that stand in the journals of `accounts`."""
        kinds = [kind.value for kind in MOVING]
        which = {"chain": chain, "account": {"$in": list(accounts)}, "kind": {"$in": kinds}}
        return [moved_by(entry_of(one)) for one in await self._find(ENTRIES, which)]

    async def count(self, chain: str) -> int:
        """Return how many accounts there are: a count over the index."""
        return await self._database.collection(ACCOUNTS).count_documents({"chain": chain})

    async def _find(self, keyed: Keyed, which: Document, session: Session | None = None) -> list[Document]:
        return await self._database.collection(keyed).find(which, WITHOUT_ID, session=session).to_list(None)

    async def _stream(
        self, chain: str, which: Document, order: list[tuple[str, int]]
    ) -> AsyncGenerator[Sequence[ReadPosting], None]:
        """Yield chunks; while one is looked at, the next is fetched."""
        entries = self._database.collection(ENTRIES).with_options(codec_options=NAIVE)
        cursor = entries.find(which, WITHOUT_ID, batch_size=FETCHED).sort(order)
        coming = asyncio.ensure_future(cursor.to_list(AT_ONCE))
        try:
            while documents := await coming:
                coming = asyncio.ensure_future(cursor.to_list(AT_ONCE))
                yield [posting_of(chain, document) for document in documents]
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)
            await cursor.close()


class _Parts:
    """Open lots and holds of some accounts."""

    def __init__(self, lots: Sequence[Document], holds: Sequence[Document]) -> None:
        self._lots: dict[str, list[Document]] = {}
        self._holds: dict[str, list[Document]] = {}
        for lot in lots:
            self._lots.setdefault(lot["account"], []).append(lot)
        for hold in holds:
            self._holds.setdefault(hold["account"], []).append(hold)

    def stored(self, document: Document, *, last: int | None) -> Stored:
        """Return an account with its parts; `last` is its own version where it is not known."""
        name, unreadable = document["account"], []
        read, why = account_strictly(document)
        if why:
            unreadable.append(f"its document {why}")
        lots: list[Any] = []
        for one in self._lots.get(name, ()):
            lot, why = lot_strictly(one)
            lots += [lot] if isinstance(lot, Lot) else []
            unreadable += [f"its lot {one.get('lot')} {why}"] if why else []
        holds: list[Any] = []
        for one in self._holds.get(name, ()):
            hold, why = hold_strictly(one)
            holds += [hold] if isinstance(hold, Hold) else []
            unreadable += [f"its hold {one.get('hold')} {why}"] if why else []
        account = read[0] if isinstance(read, tuple) else Account(name)
        if not isinstance(account.version, int):
            unreadable.append("its version is no number")
            account = Account(name)
        return Stored(account, lots, holds, account.version if last is None else last, tuple(unreadable))
