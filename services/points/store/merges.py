"""Merges that wait to be carried out, and erasures, in MongoDB."""

from collections.abc import Sequence

from pymongo import ASCENDING, UpdateOne

from services.kit.mongo.collections import Document
from services.kit.mongo.database import Database, Session
from services.points.store.collections import ERASURES, MERGE_WISHES, NOTES
from services.points.usecases.merges import Erased, Wish


class MongoWishes:
    """What waits in one service's database."""

    def __init__(self, database: Database) -> None:
        self._wishes = database.collection(MERGE_WISHES)

    async def waiting(self, *, first: int) -> Sequence[Wish]:
        """Return up to `first`, each member's in their order."""
        order = [("chain", ASCENDING), ("member", ASCENDING), ("sequence", ASCENDING)]
        found = await self._wishes.find({"refused": None}).sort(order).limit(first).to_list(first)
        return [Wish(one["chain"], one["member"], one["sequence"], one["merge"], one["into"]) for one in found]

    async def done(self, wish: Wish) -> None:
        """Forget one that was carried out."""
        await self._wishes.delete_one(_key(wish))

    async def refused(self, wish: Wish, why: str) -> None:
        """Keep one that cannot be carried out from being tried again."""
        await self._wishes.update_one(_key(wish), {"$set": {"refused": why}})


class MongoHeardMerges:
    """What a consumer notes within the transaction of a session."""

    def __init__(self, database: Database, session: Session) -> None:
        self._database, self._session = database, session

    async def note(self, wishes: Sequence[Wish]) -> None:
        """Keep them until they are carried out."""
        writes = [
            UpdateOne(_key(wish), {"$setOnInsert": {"merge": wish.merge, "into": wish.into}}, upsert=True)
            for wish in wishes
        ]
        await self._database.collection(MERGE_WISHES).bulk_write(writes, session=self._session)

    async def erase(self, chain: str, erased: Erased) -> None:
        """Delete the free texts that are kept of a member, and keep that this was done."""
        which: Document = {"chain": chain, "account": erased.member}
        await self._database.collection(NOTES).delete_many(which, session=self._session)
        await self._database.collection(ERASURES).update_one(
            which, {"$setOnInsert": {"erased_at": erased.at}}, upsert=True, session=self._session
        )


def _key(wish: Wish) -> Document:
    return {"chain": wish.chain, "member": wish.member, "sequence": wish.sequence}
