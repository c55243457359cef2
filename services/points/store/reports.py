"""Reports from MongoDB: one account's journal, and sums over a chain's."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import date, datetime

from pymongo import ASCENDING, DESCENDING
from pymongo.errors import DuplicateKeyError

from services.kit.mongo.collections import Document
from services.kit.mongo.database import Database
from services.points.domain.holds import Hold
from services.points.domain.journal import ADJUSTED, DEBT, EXPIRED, ISSUED, REDEEMED, Entry
from services.points.domain.reports import Sums, sums_of
from services.points.domain.verification import Stored
from services.points.store.collections import DAYS, ENTRIES, HOLDS, LOTS
from services.points.store.documents.accounts import hold_of
from services.points.store.documents.entries import entry_of
from services.points.store.seals import MongoSeals
from services.points.store.verification import MongoLedgerReader

AT_ONCE = 500

OWN = [ISSUED, REDEEMED, EXPIRED, ADJUSTED, DEBT]
OTHERS = "others"
"""All accounts but the program's own; what moves between members sums to zero."""

OVERDUE = "overdue"


class MongoHistory:
    """Journals of one service's database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reader = MongoLedgerReader(database)

    async def account(self, chain: str, account: str) -> Stored | None:
        """Return an account with its open lots and holds, from one snapshot."""
        return await self._reader.account(chain, account)

    async def journal(
        self, chain: str, account: str, *, since: datetime | None, until: datetime | None, last: int | None
    ) -> AsyncGenerator[Sequence[Entry], None]:
        """Yield its entries booked in [since, until), up to version `last`, in the order of their versions."""
        which: Document = {"chain": chain, "account": account}
        if booked_at := _between(since, until):
            which["booked_at"] = booked_at
        if last is not None:
            which["version"] = {"$lte": last}
        cursor = self._database.collection(ENTRIES).find(which).sort("version", ASCENDING)
        try:
            while documents := await cursor.to_list(AT_ONCE):
                yield [entry_of(document) for document in documents]
        finally:
            await cursor.close()

    async def holds(self, chain: str, account: str, ids: Sequence[str]) -> Mapping[str, Hold]:
        """Return those of its holds, open or not, by id."""
        if not ids:
            return {}
        which = {"chain": chain, "account": account, "hold": {"$in": list(ids)}}
        found = await self._database.collection(HOLDS).find(which).to_list(len(ids))
        return {one["hold"]: hold_of(one) for one in found}


class MongoJournalSums:
    """Sums over the journals of one service's database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seals = MongoSeals(database)

    async def last_day(self, chain: str) -> date | None:
        """Return the last day whose sums are kept."""
        found = await self._database.collection(DAYS).find_one({"chain": chain}, sort=[("day", DESCENDING)])
        return None if found is None else date.fromisoformat(found["day"])

    async def first_booked(self, chain: str) -> datetime | None:
        """Return when the first posting of the chain was booked."""
        return await self._seals.first_booked(chain)

    async def kept(self, chain: str, currency: str, *, until: str) -> Mapping[str, Sums]:
        """Return the kept sums by month, of the months before `until`."""
        names = [field.name for field in fields(Sums)]
        pipeline: list[Document] = [
            {"$match": {"chain": chain, "day": {"$lt": until}}},  # "2026-03-31" < "2026-04" < "2026-04-01"
            {
                "$group": {
                    "_id": {"$substrBytes": ["$day", 0, 7]},
                    **{name: {"$sum": f"$sums.{currency}.{name}"} for name in names},
                }
            },
        ]
        found = await self._database.aggregate(DAYS, pipeline)
        return {one["_id"]: Sums(**{name: one[name] for name in names}) for one in found}

    async def live(
        self, chain: str, *, since: datetime | None, until: datetime | None, by_day: bool
    ) -> Mapping[tuple[str, str], Sums]:
        """Return sums by day or month, and currency, of what was booked in [since, until)."""
        which: Document = {"chain": chain}
        if booked_at := _between(since, until):
            which["booked_at"] = booked_at
        name = {"$dateToString": {"date": "$booked_at", "format": "%Y-%m-%d" if by_day else "%Y-%m"}}
        account = {"$cond": [{"$in": ["$legs.account", OWN]}, "$legs.account", OTHERS]}
        pipeline: list[Document] = [
            {"$match": which},
            {"$project": {"booked_at": True, "currency": True, "legs": True}},
            {"$unwind": "$legs"},
            {
                "$group": {
                    "_id": {"name": name, "currency": "$currency", "account": account},
                    "amount": {"$sum": "$legs.amount"},
                }
            },
        ]
        legs: dict[tuple[str, str], dict[str, int]] = {}
        for one in await self._database.aggregate(ENTRIES, pipeline):
            of = one["_id"]
            legs.setdefault((of["name"], of["currency"]), {})[of["account"]] = one["amount"]
        return {name: sums_of(each) for name, each in legs.items()}

    async def keep(self, chain: str, day: date, sums: Mapping[str, Sums]) -> bool:
        """Keep a day's sums by currency; False when they are kept already."""
        content = {currency: asdict(each) for currency, each in sums.items()}
        try:
            await self._database.collection(DAYS).insert_one({"chain": chain, "day": day.isoformat(), "sums": content})
        except DuplicateKeyError:
            return False
        return True

    async def expiring(self, chain: str, currency: str, *, now: datetime) -> tuple[Mapping[str, int], int]:
        """Return what is in open lots by the month in which it expires, and what has expired and is not booked."""
        month = {"$dateToString": {"date": "$expires_at", "format": "%Y-%m"}}
        is_over = {"$lte": ["$expires_at", now]}
        pipeline: list[Document] = [
            # As the index has it, which holds open lots that expire and nothing else.
            {"$match": {"chain": chain, "open": True, "expires_at": {"$type": "date"}, "currency": currency}},
            {
                "$group": {
                    "_id": month,
                    "left": {"$sum": {"$add": ["$held", {"$cond": [is_over, 0, "$free"]}]}},
                    OVERDUE: {"$sum": {"$cond": [is_over, "$free", 0]}},
                }
            },
        ]
        found = await self._database.aggregate(LOTS, pipeline)
        return {one["_id"]: one["left"] for one in found}, sum(one[OVERDUE] for one in found)


def _between(since: datetime | None, until: datetime | None) -> Document:
    bounds = {"$gte": since, "$lt": until}
    return {name: bound for name, bound in bounds.items() if bound is not None}
