"""Who takes care of whom, in MongoDB: a document for each id of a member, rules for each chain, turns for each pool."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from pymongo import ASCENDING, IndexModel, ReturnDocument, UpdateOne

from services.kit.mongo.collections import Document, Keyed
from services.kit.mongo.database import Database, Session, create_indexes
from services.kit.mongo.guards import insert_new, write_guarded
from services.members.domain.account_managers import Care, ManagerRule, ManagerRules, RulesChangedError
from services.members.domain.members import NoMemberError
from services.members.store.chain_collections import REGIONS
from services.members.store.collections import MEMBERS
from services.members.store.follow_ups import staff_states
from services.members.store.staff_collections import STAFF
from services.members.store.survivors import hold
from services.members.usecases.account_managers import Assignment

CARE = Keyed("care", ("chain", "member"))
RULES = Keyed("manager_rules", ("chain",))
TURNS = Keyed("manager_turns", ("chain", "pool"))
"""How many turns each pool has taken. Counted beside the transactions, so that replicas never wait for one another; a
turn that leads to nothing is skipped."""

_NO_ID = {"_id": False}


class MongoManagers:
    """What one service's database knows of it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._care, self._turns = database.collection(CARE), database.collection(TURNS)

    async def rules(self, chain: str) -> ManagerRules:
        """Return the chain's rules."""
        found = await self._database.collection(RULES).find_one({"chain": chain})
        return ManagerRules() if found is None else _rules_of(found)

    async def save_rules(self, chain: str, rules: ManagerRules) -> ManagerRules:
        """Keep the rules with their next version; RulesChangedError when they are at another than said."""

        async def once(session: Session) -> ManagerRules:
            collection = self._database.collection(RULES)
            found = await collection.find_one({"chain": chain}, session=session)
            before = ManagerRules() if found is None else _rules_of(found)
            if rules.version != before.version:
                raise RulesChangedError(field="version", version=before.version, wanted=rules.version)
            if rules == before:
                return before
            after = ManagerRules(rules.rules, before.version + 1)
            if found is None:
                await insert_new(collection, [{"chain": chain, **_rules_document(after)}], session=session)
            else:
                key = {"chain": chain, "version": before.version}
                await write_guarded(collection, [UpdateOne(key, {"$set": _rules_document(after)})], session=session)
            return after

        return await self._database.in_transaction(once)

    async def care(self, chain: str, members: Collection[str]) -> Mapping[str, Care]:
        """Return what was said under these ids."""
        return await self._said(chain, members)

    async def managed(self, chain: str, staff: str, *, after: str, first: int) -> Sequence[Care]:
        """Return up to `first` ids that one of the staff takes care of, behind `after`."""
        condition = {"chain": chain, "manager": staff, "member": {"$gt": after}}
        found = self._care.find(condition, _NO_ID).sort("member", 1).limit(first)
        return [_care_of(one) for one in await found.to_list(first)]

    async def staff(self, chain: str, ids: Collection[str]) -> Mapping[str, bool]:
        """Return which of these staff members exist, and whether they are active."""
        return await staff_states(self._database, chain, ids)

    async def staff_of(self, chain: str, stores: Collection[str]) -> Mapping[str, tuple[str, ...]]:
        """Return by store who is active there, in the order of their ids."""
        condition = {"chain": chain, "stores": {"$in": sorted(stores)}, "active": True}
        shown = {"_id": False, "staff": True, "stores": True}
        found = await self._database.collection(STAFF).find(condition, shown).to_list()
        people = sorted((one["staff"], one["stores"]) for one in found)
        return {store: tuple(id_ for id_, theirs in people if store in theirs) for store in stores}

    async def parents(self, chain: str) -> Mapping[str, str]:
        """Return by region's code in which it lies."""
        found = self._database.collection(REGIONS).find({"chain": chain}, {"_id": False, "code": True, "parent": True})
        return {one["code"]: one["parent"] for one in await found.to_list()}

    async def take_turns(self, chain: str, turns: Mapping[str, int]) -> Mapping[str, int]:
        """Take so many turns of each key at once, and return the first one's number: nobody else gets the same."""
        first = {}
        for pool, count in sorted(turns.items()):
            after = await self._turns.find_one_and_update(
                {"chain": chain, "pool": pool},
                {"$inc": {"taken": count}},
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
            assert after is not None  # noqa: S101 - it was made when it was not there
            first[pool] = after["taken"] - count
        return first

    async def assign(self, chain: str, wanted: Sequence[Assignment], *, now: datetime) -> None:
        """Write those that are still at their version, of members that were not erased, to staff that is active."""

        async def once(session: Session) -> None:
            alive = await self._alive(chain, [one.member for one in wanted], session)
            said = await self._said(chain, [one.member for one in wanted], session=session)
            known = await staff_states(self._database, chain, {one.manager for one in wanted}, session=session)
            good = [
                one
                for one in wanted
                if one.member in alive and known.get(one.manager) and _version(said, one.member) == one.version
            ]
            await hold(self._database, chain, [one.member for one in good], session=session)
            changes = {one.member: {"manager": one.manager, "managed_by": one.by, "managed_at": now} for one in good}
            await self._write(chain, changes, said, session)

        await self._database.in_transaction(once)

    async def like(self, chain: str, member: str, store: str) -> None:
        """Note a favourite store. Raises NoMemberError."""

        async def once(session: Session) -> None:
            if not await self._alive(chain, [member], session):
                raise NoMemberError(field="memberId", member=member)
            said = await self._said(chain, [member], session=session)
            if member not in said or said[member].favourite_store != store:
                await hold(self._database, chain, [member], session=session)
                await self._write(chain, {member: {"favourite_store": store}}, said, session)

        await self._database.in_transaction(once)

    async def _write(
        self, chain: str, changes: Mapping[str, Document], said: Mapping[str, Care], session: Session
    ) -> None:
        new = [
            {"chain": chain, "member": member, **_UNSAID, **content, "version": 1}
            for member, content in changes.items()
            if member not in said
        ]
        updates = [
            UpdateOne(
                {"chain": chain, "member": member, "version": said[member].version},
                {"$set": content, "$inc": {"version": 1}},
            )
            for member, content in changes.items()
            if member in said
        ]
        await insert_new(self._care, new, session=session)
        await write_guarded(self._care, updates, session=session)

    async def _alive(self, chain: str, members: Collection[str], session: Session) -> set[str]:
        condition = {"chain": chain, "member": {"$in": sorted(members)}, "erased_at": None}
        found = self._database.collection(MEMBERS).find(condition, {"_id": False, "member": True}, session=session)
        return {one["member"] for one in await found.to_list(len(members))}

    async def _said(
        self, chain: str, members: Collection[str], *, session: Session | None = None
    ) -> Mapping[str, Care]:
        condition = {"chain": chain, "member": {"$in": sorted(members)}}
        found = await self._care.find(condition, _NO_ID, session=session).to_list(len(members))
        return {one["member"]: _care_of(one) for one in found}


_UNSAID: Document = {"manager": None, "managed_by": "", "managed_at": None, "favourite_store": None}


async def set_up(database: Database) -> None:
    """Create the collections and their indexes; safe to repeat."""
    by_member = IndexModel([("chain", ASCENDING), ("member", ASCENDING)], name="by_member", unique=True)
    by_manager = [("chain", ASCENDING), ("manager", ASCENDING), ("member", ASCENDING)]
    await create_indexes(database, CARE, [by_member, IndexModel(by_manager, name="by_manager")])
    await create_indexes(database, RULES, [IndexModel([("chain", ASCENDING)], name="by_chain", unique=True)])
    by_pool = IndexModel([("chain", ASCENDING), ("pool", ASCENDING)], name="by_pool", unique=True)
    await create_indexes(database, TURNS, [by_pool])


def _version(said: Mapping[str, Care], member: str) -> int:
    return said[member].version if member in said else 0


def _care_of(document: Document) -> Care:
    return Care(
        member=document["member"],
        manager=document["manager"],
        managed_by=document["managed_by"],
        managed_at=document["managed_at"],
        favourite_store=document["favourite_store"],
        version=document["version"],
    )


def _rules_document(rules: ManagerRules) -> Document:
    return {
        "rules": [
            {
                "code": one.code,
                "tags": sorted(one.tags),
                "regions": sorted(one.regions),
                "stores": sorted(one.stores),
                "pool": list(one.pool),
                "of_store": one.of_store,
            }
            for one in rules.rules
        ],
        "version": rules.version,
    }


def _rules_of(document: Document) -> ManagerRules:
    return ManagerRules(
        tuple(
            ManagerRule(
                one["code"],
                frozenset(one["tags"]),
                frozenset(one["regions"]),
                frozenset(one["stores"]),
                tuple(one["pool"]),
                one["of_store"],
            )
            for one in document["rules"]
        ),
        document["version"],
    )
