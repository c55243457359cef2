"""Reading receipts and refunds from MongoDB."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from pymongo import ASCENDING

from services.kit.mongo.collections import Document, Keyed
from services.kit.mongo.database import Database
from services.points.domain.receipts import Receipt
from services.points.domain.reconciling import BookedDay, InvalidDayError, ItemName
from services.points.domain.refunds import BookedRefund, RefundState
from services.points.store.accounts import MongoAccounts
from services.points.store.collections import RECEIPTS, REFUNDS
from services.points.store.documents.receipts import receipt_of, refund_of
from services.points.usecases.receipt_reports import RefundMark

MOST_OF_A_DAY = 50_000
"""Receipts, and refunds, of one store in one day."""


class MongoReceipts:
    """Receipts and refunds of one service's database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._accounts = MongoAccounts(database)

    async def receipts(self, chain: str, keys: Sequence[str]) -> Mapping[str, Receipt]:
        """Return those that exist, by key."""
        if not keys:
            return {}
        found = self._database.collection(RECEIPTS).find({"chain": chain, "key": {"$in": list(keys)}})
        return {one["key"]: receipt_of(one) for one in await found.to_list(len(keys))}

    async def owners(self, chain: str, accounts: Sequence[str]) -> Mapping[str, str]:
        """Return which account each of these is now: itself, or the one that took it over."""
        found = await self._accounts.accounts(chain, accounts)
        return {name: whole.account.id for name, whole in found.items()}

    async def day(self, chain: str, store: str, *, since: datetime, until: datetime) -> BookedDay:
        """Return what occurred in the store in [since, until)."""
        which: Document = {"chain": chain, "store": store, "occurred_at": {"$gte": since, "$lt": until}}
        amounts: dict[ItemName, int] = {}
        unbooked: set[ItemName] = set()
        for one in await self._of_day(RECEIPTS, which, ("receipt_number", "paid_minor")):
            amounts[ItemName(one["receipt_number"], is_refund=False)] = one["paid_minor"]
        for one in await self._of_day(REFUNDS, which, ("refund.number", "state", "returned.amount_minor")):
            name = ItemName(one["refund"]["number"], is_refund=True)
            amounts[name] = sum(returned["amount_minor"] for returned in one["returned"])
            if one["state"] != RefundState.BOOKED.value:
                unbooked.add(name)
        return BookedDay(amounts, frozenset(unbooked))

    async def waiting(
        self,
        chain: str,
        *,
        stores: frozenset[str],
        received_before: datetime | None,
        after: RefundMark | None,
        first: int,
    ) -> Sequence[BookedRefund]:
        """Return up to `first` refunds that wait, in `stores` (none: in all), the oldest first."""
        which: Document = {"chain": chain, "state": RefundState.WAITING.value}
        if stores:
            which["store"] = {"$in": sorted(stores)}
        bounds: Document = {}
        if after is not None:
            bounds["$gte"] = after.booked_at
            later = {"booked_at": {"$gt": after.booked_at}}
            which["$or"] = [later, {"booked_at": after.booked_at, "key": {"$gt": after.key}}]
        if received_before is not None:
            bounds["$lt"] = received_before
        if bounds:
            which["booked_at"] = bounds
        order = [("booked_at", ASCENDING), ("key", ASCENDING)]
        found = self._database.collection(REFUNDS).find(which).sort(order).limit(first)
        return [refund_of(one) for one in await found.to_list(first)]

    async def _of_day(self, keyed: Keyed, which: Document, wanted: Sequence[str]) -> list[Document]:
        found = self._database.collection(keyed).find(which, {"_id": False, **dict.fromkeys(wanted, True)})
        documents = await found.limit(MOST_OF_A_DAY + 1).to_list(MOST_OF_A_DAY + 1)
        if len(documents) > MOST_OF_A_DAY:
            raise InvalidDayError(field="day", why=f"it has more than {MOST_OF_A_DAY} receipts or refunds")
        return documents
