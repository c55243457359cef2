"""Targets and the sums of credits, in MongoDB."""

from collections.abc import Collection, Mapping, Sequence

from pymongo import UpdateOne

from services.kit.mongo.database import Database, Session
from services.kit.mongo.guards import write_guarded
from services.members.domain.credits import Counts
from services.members.domain.leaderboards import Target
from services.members.store.staff_collections import STAFF_CREDITS, STAFF_TARGETS


class MongoTargets:
    """Targets of one service's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, targets: Sequence[Target], *, chain: str) -> None:
        """Keep targets in the place of those of the same subject and month."""
        writes = [
            UpdateOne(
                {"chain": chain, "subject": one.subject, "month": one.month},
                {"$set": {"enrollments": one.enrollments, "repeat_visits": one.repeat_visits}},
                upsert=True,
            )
            for one in targets
        ]

        async def once(session: Session) -> None:
            await write_guarded(self._database.collection(STAFF_TARGETS), writes, session=session)

        await self._database.in_transaction(once)

    async def find(self, chain: str, subjects: Collection[str], month: str) -> Mapping[str, Target]:
        """Return the targets of a month, by subject."""
        condition = {"chain": chain, "subject": {"$in": sorted(subjects)}, "month": month}
        cursor = self._database.collection(STAFF_TARGETS).find(condition, {"_id": False, "chain": False})
        return {one["subject"]: Target(**one) for one in await cursor.to_list(len(subjects))}

    async def counts(self, chain: str, *, store: str, month: str, most: int) -> Mapping[str, Counts]:
        """Return what staff are credited with in a store and month, by their ids; the best `most` of them."""
        cursor = self._database.collection(STAFF_CREDITS).find({"chain": chain, "store": store, "month": month})
        order = [("enrollments", -1), ("repeat_visits", -1), ("staff", 1)]
        found = await cursor.sort(order).limit(most).to_list(most)
        return {one["staff"]: Counts(one["enrollments"], one["repeat_visits"]) for one in found}
