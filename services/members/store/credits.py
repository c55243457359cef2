"""Credits in MongoDB, within the transaction of whoever heard of an enrollment or a visit."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from services.kit.mongo.collections import Document
from services.kit.mongo.database import Conflict, Database, Session
from services.kit.mongo.guards import DUPLICATE_KEY, insert_new, write_guarded
from services.members.domain.credits import Brought, Counts, Credited, InChain, Month
from services.members.domain.timeline import HappeningKind
from services.members.store import timeline
from services.members.store.collections import CHAINS, STORES
from services.members.store.staff_collections import STAFF_BROUGHT, STAFF_CREDITS
from services.members.store.staff_settings import credit_months
from services.members.usecases.credits import Place, Visited


class MongoCredits:
    """Credits in one service's database, in one transaction."""

    def __init__(self, database: Database, session: Session) -> None:
        self._database, self._session = database, session

    async def zones(self, places: Collection[Place]) -> Mapping[Place, str]:
        """Return the time zones of those stores that exist, and of chains where no store is named."""
        by_chain: dict[str, set[str]] = defaultdict(set)
        for chain, store in places:
            by_chain[chain].add(store)
        found: dict[Place, str] = {}
        zone = {"_id": False, "store": True, "time_zone": True}
        for chain, stores in by_chain.items():
            if named := sorted(stores - {""}):
                condition = {"chain": chain, "store": {"$in": named}}
                cursor = self._database.collection(STORES).find(condition, zone, session=self._session)
                found |= {(chain, one["store"]): one["time_zone"] for one in await cursor.to_list(len(named))}
            if "" in stores:
                own = await self._database.collection(CHAINS).find_one({"chain": chain}, zone, session=self._session)
                found |= {} if own is None else {(chain, ""): own["time_zone"]}
        return found

    async def months(self, chains: Collection[str]) -> Mapping[str, int]:
        """Return for how many months after an enrollment each chain credits visits."""
        return await credit_months(self._database, chains, session=self._session) if chains else {}

    async def brought(self, members: Collection[InChain]) -> Mapping[InChain, Brought]:
        """Return what is known of those members whom staff enrolled."""
        if not members:
            return {}
        condition = {
            "chain": {"$in": sorted({chain for chain, _ in members})},
            "member": {"$in": sorted({member for _, member in members})},
        }
        cursor = self._database.collection(STAFF_BROUGHT).find(condition, {"_id": False}, session=self._session)
        # A member's id is of one chain only, so no more come than were asked for.
        return {(one["chain"], one["member"]): _brought_of(one) for one in await cursor.to_list(len(members))}

    async def purchases(self, members: Collection[InChain]) -> Sequence[Visited]:
        """Return the purchases of these members that have been heard of."""
        by_chain: dict[str, set[str]] = defaultdict(set)
        for chain, member in members:
            by_chain[chain].add(member)
        return [
            Visited(chain, one.store, one.member, one.at)
            for chain, some in by_chain.items()
            for one in await timeline.all_of(self._database, chain, sorted(some), session=self._session)
            if one.kind is HappeningKind.PURCHASE
        ]

    async def keep(self, credited: Credited) -> None:
        """Write it; `Conflict` when somebody else was faster."""
        new: list[Document] = []
        updates: list[UpdateOne] = []
        for (chain, member), one in sorted(credited.brought.items()):
            key: Document = {"chain": chain, "member": member}
            if one.version == 1:
                new.append({**key, **_content(one)})
            else:
                updates.append(UpdateOne({**key, "version": one.version - 1}, {"$set": _content(one)}))
        collection = self._database.collection(STAFF_BROUGHT)
        await insert_new(collection, new, session=self._session)
        await write_guarded(collection, updates, session=self._session)
        try:
            months = [
                _adding(month, counts) for month, counts in sorted(credited.added.items(), key=lambda one: one[0])
            ]
            await write_guarded(self._database.collection(STAFF_CREDITS), months, session=self._session)
        except BulkWriteError as error:
            # Two began the same month at once.
            if any(failed["code"] == DUPLICATE_KEY for failed in (error.details or {}).get("writeErrors", [])):
                raise Conflict from error
            raise


def _adding(month: Month, counts: Counts) -> UpdateOne:
    key = {"chain": month.chain, "staff": month.staff, "store": month.store, "month": month.month}
    added = {"enrollments": counts.enrollments, "repeat_visits": counts.repeat_visits}
    return UpdateOne(key, {"$inc": added}, upsert=True)


def _content(one: Brought) -> Document:
    # Days as numbers: two years of them are kept in a few kilobytes.
    days = [day.toordinal() for day in one.days]
    return {"staff": one.staff, "day": one.day.toordinal(), "days": days, "version": one.version}


def _brought_of(document: Document) -> Brought:
    days = tuple(date.fromordinal(day) for day in document["days"])
    return Brought(document["staff"], date.fromordinal(document["day"]), days, document["version"])
