"""Completed referrals that wait for their rewards, in MongoDB."""

from collections.abc import Collection, Sequence

from pymongo import ASCENDING, IndexModel, UpdateOne

from services.kit.mongo.collections import Document, Keyed
from services.kit.mongo.database import Database, Session, create_indexes
from services.points.store.collections import ERASURES
from services.points.usecases.referrals import Completed

REFERRAL_WISHES = Keyed("referral_wishes", ())
"""Referrals, of all chains, until both sides are rewarded: few, or none."""

_ORDER = [("chain", ASCENDING), ("referral", ASCENDING)]


class MongoRewards:
    """What waits in one service's database."""

    def __init__(self, database: Database) -> None:
        self._wishes = database.collection(REFERRAL_WISHES)
        self._erasures = database.collection(ERASURES)

    async def waiting(self, *, first: int) -> Sequence[Completed]:
        """Return up to `first`, each chain's together."""
        found = await self._wishes.find({"refused": None}).sort(_ORDER).limit(first).to_list(first)
        return [Completed(one["chain"], one["referral"], one["referrer"], one["referred"], one["at"]) for one in found]

    async def erased(self, chain: str, members: Collection[str]) -> Collection[str]:
        """Return those of `members` who were erased."""
        condition = {"chain": chain, "account": {"$in": sorted(members)}}
        return {one["account"] for one in await self._erasures.find(condition).to_list(len(members))}

    async def done(self, completed: Completed) -> None:
        """Forget one."""
        await self._wishes.delete_one(_key(completed))

    async def refused(self, completed: Completed, why: str) -> None:
        """Keep one that cannot be rewarded from being tried again."""
        await self._wishes.update_one(_key(completed), {"$set": {"refused": why}})


class MongoHeardReferrals:
    """What a consumer notes within the transaction of a session."""

    def __init__(self, database: Database, session: Session) -> None:
        self._database, self._session = database, session

    async def note(self, completed: Sequence[Completed]) -> None:
        """Keep them until both sides are rewarded."""
        writes = [
            UpdateOne(
                _key(one),
                {"$setOnInsert": {"referred": one.referred, "referrer": one.referrer, "at": one.at}},
                upsert=True,
            )
            for one in completed
        ]
        await self._database.collection(REFERRAL_WISHES).bulk_write(writes, session=self._session)


async def set_up(database: Database) -> None:
    """Create the collection and its index; safe to repeat."""
    await create_indexes(database, REFERRAL_WISHES, [IndexModel(_ORDER, name="by_referral", unique=True)])


def _key(one: Completed) -> Document:
    return {"chain": one.chain, "referral": one.referral}
