"""Households in MongoDB: one document for each, and one for each member's place in one, deleted with the person."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from pymongo import ASCENDING, IndexModel, UpdateOne

from services.kit.mongo.collections import Document, Keyed
from services.kit.mongo.database import Database, Session, create_indexes
from services.kit.mongo.guards import insert_new, write_guarded
from services.members.domain.households import MAX_HOUSEHOLD_MEMBERS, Household

HOUSEHOLDS = Keyed("households", ("chain", "code"))
HOMES = Keyed("homes", ("chain", "member"))
"""In which household a member is, by the id that it had when it came."""


async def with_codes(
    database: Database, chain: str, codes: Collection[str], *, session: Session | None = None
) -> dict[str, Household]:
    """Return the households with these codes, by code."""
    condition = {"chain": chain, "code": {"$in": sorted(codes)}}
    documents = await database.collection(HOUSEHOLDS).find(condition, session=session).to_list(len(codes))
    most = len(documents) * MAX_HOUSEHOLD_MEMBERS
    living: dict[str, list[str]] = {one["code"]: [] for one in documents}
    if documents:
        # In the order of their coming; ids settle who came at the same moment.
        order = [("at", ASCENDING), ("member", ASCENDING)]
        found = database.collection(HOMES).find({"chain": chain, "code": {"$in": sorted(living)}}, session=session)
        for one in await found.sort(order).to_list(most):
            living[one["code"]].append(one["member"])
    return {
        one["code"]: Household(one["household"], one["code"], tuple(living[one["code"]]), one["changes"])
        for one in documents
    }


async def homes_of(
    database: Database, chain: str, members: Collection[str], *, session: Session | None = None
) -> dict[str, str]:
    """Return the codes of the households that these ids are in, by id."""
    condition = {"chain": chain, "member": {"$in": sorted(members)}}
    found = database.collection(HOMES).find(condition, {"_id": False, "member": True, "code": True}, session=session)
    return {one["member"]: one["code"] for one in await found.to_list(len(members))}


async def add(
    database: Database, chain: str, household: Household, members: Sequence[str], *, now: datetime, session: Session
) -> None:
    """Add members; `Conflict` when somebody else has changed the household since it was read."""
    await _changed(database, chain, household, session=session)
    places: list[Document] = [
        {"chain": chain, "member": member, "code": household.code, "at": now} for member in members
    ]
    await insert_new(database.collection(HOMES), places, session=session)


async def remove(
    database: Database, chain: str, household: Household, members: Collection[str], *, session: Session
) -> None:
    """Take members out; `Conflict` as in `add`."""
    await _changed(database, chain, household, session=session)
    condition = {"chain": chain, "member": {"$in": sorted(members)}, "code": household.code}
    await database.collection(HOMES).delete_many(condition, session=session)


async def _changed(database: Database, chain: str, household: Household, *, session: Session) -> None:
    """Note a change, so that of two at once only one is made: each has counted who lives there."""
    collection = database.collection(HOUSEHOLDS)
    key = {"chain": chain, "code": household.code}
    if not household.changes:
        await insert_new(collection, [{**key, "household": household.id, "changes": 1}], session=session)
        return
    guarded = key | {"changes": household.changes}
    await write_guarded(collection, [UpdateOne(guarded, {"$inc": {"changes": 1}})], session=session)


async def set_up(database: Database) -> None:
    """Create the collections and their indexes; safe to repeat."""
    by_code = IndexModel([("chain", ASCENDING), ("code", ASCENDING)], name="by_code", unique=True)
    by_member = IndexModel([("chain", ASCENDING), ("member", ASCENDING)], name="by_member", unique=True)
    by_home = IndexModel([("chain", ASCENDING), ("code", ASCENDING), ("at", ASCENDING)], name="by_home")
    await create_indexes(database, HOUSEHOLDS, [by_code])
    await create_indexes(database, HOMES, [by_member, by_home])


class MongoHouseholds:
    """Households of one service's database, for reading and for changing one at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, chain: str, members: Collection[str]) -> Mapping[str, Household]:
        """Return the households that these ids are in, by id."""
        homes = await homes_of(self._database, chain, members)
        known = await with_codes(self._database, chain, set(homes.values())) if homes else {}
        return {member: known[code] for member, code in homes.items() if code in known}
