"""Coupons in MongoDB: read by the page, changed in units."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from pymongo import ASCENDING, DESCENDING

from services.campaigns.domain import Coupon
from services.campaigns.store.collections import COUPONS
from services.campaigns.store.documents import Document, coupon_of
from services.campaigns.store.merges import MongoMerges
from services.campaigns.store.units import MongoUnit
from services.kit.mongo.database import Database, Session
from services.kit.outbox.outbox import Outbox

T = TypeVar("T")


class MongoCoupons:
    """Offers, coupons and the outbox of one service's database."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database, self._outbox = database, outbox

    async def in_unit(self, body: Callable[[MongoUnit], Awaitable[T]]) -> T:
        """Return what `body` returns once it is committed; `body` runs again when somebody else was faster.

        A transaction for each command, not a group commit: nobody waits behind a busy coupon or offer, and people
        redeem by the hundred a second where receipts come by the thousand.
        """
        return await self._database.in_transaction(lambda session: body(self.unit(session)))

    def unit(self, session: Session) -> MongoUnit:
        """Return what is read and written within the transaction of `session`."""
        return MongoUnit(self._database, self._outbox, session)

    async def coupons(
        self, chain: str, members: Sequence[str], *, after: str, first: int
    ) -> Mapping[str, Sequence[Coupon]]:
        """Return up to `first` coupons of each member that are older than the coupon `after`, the newest first: those
        of all ids that are one with it.

        One query: a member has few coupons, so that reading them all costs less than a query for each member.
        """
        families = await MongoMerges(self._database).families({(chain, member) for member in members})
        ids = sorted({id_ for family in families.values() for id_ in family})
        wanted: Document = {"chain": chain, "member": {"$in": ids}}
        if after:
            wanted["coupon"] = {"$lt": after}
        newest = {"$firstN": {"input": "$$ROOT", "n": first}}
        pipeline = [
            {"$match": wanted},
            {"$sort": {"member": ASCENDING, "coupon": DESCENDING}},
            {"$group": {"_id": "$member", "coupons": newest}},
        ]
        found = await self._database.aggregate(COUPONS, pipeline)
        by_id = {one["_id"]: [coupon_of(coupon)[0] for coupon in one["coupons"]] for one in found}
        return {member: _newest(by_id, families[chain, member], first) for member in members}


def _newest(by_id: Mapping[str, list[Coupon]], family: frozenset[str], first: int) -> list[Coupon]:
    some = [coupon for id_ in family for coupon in by_id.get(id_, ())]
    return sorted(some, key=lambda coupon: coupon.id, reverse=True)[:first]
