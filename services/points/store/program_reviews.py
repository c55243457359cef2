"""Letting a chain's accounts be looked at again after a new version of its program."""

from dataclasses import replace
from datetime import UTC, datetime

from pymongo import ASCENDING

from services.kit.mongo.collections import Document
from services.kit.mongo.database import Database
from services.points.store.collections import ACCOUNTS, PROGRAM_REVIEWS
from services.points.usecases.program_reviews import Review

AT_ONCE = 1_000
"""Accounts in one step, after which the next one begins when it is cut short."""


class MongoReviews:
    """Reviews of one service's database."""

    def __init__(self, database: Database, *, at_once: int = AT_ONCE) -> None:
        self._database, self._at_once = database, at_once

    async def next_due(self, chain: str, after: datetime) -> datetime | None:
        """Return when the first one takes effect after `after`."""
        found = await self._database.collection(PROGRAM_REVIEWS).find_one(
            {"chain": chain, "effective_from": {"$gt": after}}, sort=[("effective_from", ASCENDING)]
        )
        return found["effective_from"].astimezone(UTC) if found else None

    async def next(self, chain: str, *, now: datetime) -> Review | None:
        """Return one of the chain whose version has taken effect."""
        found = await self._database.collection(PROGRAM_REVIEWS).find_one(
            {"chain": chain, "effective_from": {"$lte": now}}, {"_id": False}, sort=[("effective_from", ASCENDING)]
        )
        return Review(**found) if found else None

    async def go_on(self, review: Review) -> Review | None:
        """Let the next accounts fall due when the version took effect; None: those were the last."""
        which: Document = {"chain": review.chain, "account": {"$gt": review.after}}
        accounts = self._database.collection(ACCOUNTS)
        found = accounts.find(which, {"_id": False, "account": True}).sort("account", ASCENDING).limit(self._at_once)
        names = [one["account"] for one in await found.to_list(self._at_once)]
        row = {"chain": review.chain, "version": review.version}
        if not names:
            await self._database.collection(PROGRAM_REVIEWS).delete_one(row)
            return None
        later = {"$or": [{"due_at": None}, {"due_at": {"$gt": review.effective_from}}]}
        between = {"chain": review.chain, "account": {"$gt": review.after, "$lte": names[-1]}}
        # No version of the account guards it: who has loaded the account meanwhile finds out anew what falls due.
        await accounts.update_many({**between, **later}, {"$set": {"due_at": review.effective_from}})
        await self._database.collection(PROGRAM_REVIEWS).update_one(row, {"$set": {"after": names[-1]}})
        return replace(review, after=names[-1])
