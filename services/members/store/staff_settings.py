"""What chains have decided about their staff, in MongoDB."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from pymongo import UpdateOne

from services.kit.mongo.collections import Document
from services.kit.mongo.database import Database, Session
from services.kit.mongo.guards import insert_new, write_guarded
from services.members.domain.training import CREDIT_MONTHS, Course, Role, StaffSettings
from services.members.store.staff_collections import STAFF_SETTINGS


class MongoStaffSettings:
    """Settings of one service's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, chain: str) -> StaffSettings:
        """Return the chain's settings, the usual ones where it has not said."""
        return await settings_in(self._database, chain)

    async def save(self, settings: StaffSettings, *, chain: str) -> StaffSettings:
        """Keep the settings with their next version, unless they are as they were."""

        async def once(session: Session) -> StaffSettings:
            before = await settings_in(self._database, chain, session=session)
            if replace(settings, version=before.version) == before:
                return before
            after = replace(settings, version=before.version + 1)
            collection = self._database.collection(STAFF_SETTINGS)
            if before.version == 0:
                await insert_new(collection, [{"chain": chain, **_content(after)}], session=session)
            else:
                update = UpdateOne({"chain": chain, "version": before.version}, {"$set": _content(after)})
                await write_guarded(collection, [update], session=session)
            return after

        return await self._database.in_transaction(once)


async def settings_in(database: Database, chain: str, *, session: Session | None = None) -> StaffSettings:
    """Return the chain's settings, the usual ones where it has not said."""
    found = await database.collection(STAFF_SETTINGS).find_one({"chain": chain}, session=session)
    return StaffSettings() if found is None else _settings_of(found)


async def credit_months(database: Database, chains: Collection[str], *, session: Session) -> Mapping[str, int]:
    """Return for how many months after an enrollment each chain credits visits."""
    condition = {"chain": {"$in": sorted(chains)}}
    wanted = {"_id": False, "chain": True, "credit_months": True}
    cursor = database.collection(STAFF_SETTINGS).find(condition, wanted, session=session)
    found = {one["chain"]: int(one["credit_months"]) for one in await cursor.to_list(len(chains))}
    return {chain: found.get(chain, CREDIT_MONTHS) for chain in chains}


def _content(settings: StaffSettings) -> Document:
    return {
        "courses": [{"code": course.code, "name": course.name} for course in settings.courses],
        "required": {role.value: list(codes) for role, codes in settings.required.items()},
        "credit_months": settings.credit_months,
        "version": settings.version,
    }


def _settings_of(document: Document) -> StaffSettings:
    return StaffSettings(
        courses=tuple(Course(one["code"], one["name"]) for one in document["courses"]),
        required={Role(role): tuple(codes) for role, codes in document["required"].items()},
        credit_months=document["credit_months"],
        version=document["version"],
    )
