"""Follow-ups in MongoDB: a document each, its text sealed under the key of the id that the member had then."""

from collections.abc import Collection, Mapping, Sequence

from pymongo import ASCENDING, DESCENDING, IndexModel, UpdateOne

from services.kit.mongo.collections import Document, Keyed
from services.kit.mongo.database import Database, Session, create_indexes
from services.kit.mongo.guards import insert_new, write_guarded
from services.members.domain.follow_ups import FollowUp, FollowUpState
from services.members.domain.members import NoMemberError
from services.members.store.member_pages import latest_of_each
from services.members.store.profiles import place
from services.members.store.staff_collections import STAFF
from services.members.store.vault import Vault
from services.members.usecases.follow_ups import Due, DueSearch

FOLLOW_UPS = Keyed("follow_ups", ("chain", "member"))


class MongoFollowUps:
    """Follow-ups of one service's database, for reading."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database, self._vault = database, vault

    async def latest(
        self, chain: str, members: Collection[str], *, before: str, first: int
    ) -> Mapping[str, Sequence[FollowUp]]:
        """Return by id up to `first` follow-ups, the last made first, before the one with the id `before`."""
        rows = await latest_of_each(
            self._database, FOLLOW_UPS, chain, members, by="follow_up", before=before, first=first
        )
        keys = await self._vault.keys(chain, sorted(rows)) if rows else {}
        return {id_: [_of(self._vault, keys[id_], one) for one in some] for id_, some in rows.items() if id_ in keys}

    async def due(self, chain: str, wanted: DueSearch, *, after: Due | None, first: int) -> Sequence[FollowUp]:
        """Return up to `first` follow-ups in the order in which they are due, after a place."""
        condition: Document = {"chain": chain, "state": wanted.state.value}
        if wanted.staff:
            condition["staff"] = wanted.staff
        if wanted.before is not None:
            condition["due_at"] = {"$lt": wanted.before}
        if after is not None:
            later = [{"due_at": {"$gt": after.at}}, {"due_at": after.at, "follow_up": {"$gt": after.id}}]
            condition = {**condition, "$and": [{"due_at": {"$gte": after.at}}, {"$or": later}]}
        found = self._database.collection(FOLLOW_UPS).find(condition).sort([("due_at", 1), ("follow_up", 1)])
        rows = await found.limit(first).to_list(first)
        keys = await self._vault.keys(chain, sorted({one["member"] for one in rows})) if rows else {}
        # Who was erased between the two reads is named without a text: a page that were shorter would end the list.
        return [_of(self._vault, keys.get(one["member"]), one) for one in rows]


class MongoFollowUpWork:
    """Follow-ups within one unit of work."""

    def __init__(self, database: Database, vault: Vault, session: Session, *, chain: str) -> None:
        self._database, self._vault, self._session, self._chain = database, vault, session, chain
        self._follow_ups = database.collection(FOLLOW_UPS)

    async def staff(self, ids: Collection[str]) -> Mapping[str, bool]:
        """Return which of these staff members exist, and whether they are active."""
        return await staff_states(self._database, self._chain, ids, session=self._session)

    async def count(self, members: Collection[str]) -> int:
        """Return how many there are under these ids."""
        condition = {"chain": self._chain, "member": {"$in": sorted(members)}}
        return await self._follow_ups.count_documents(condition, session=self._session)

    async def find(self, members: Collection[str], follow_up: str) -> FollowUp | None:
        """Return a follow-up under one of these ids."""
        condition = {"chain": self._chain, "member": {"$in": sorted(members)}, "follow_up": follow_up}
        found = await self._follow_ups.find_one(condition, session=self._session)
        return None if found is None else _of(self._vault, await self._key(found["member"]), found)

    async def add(self, one: FollowUp) -> None:
        """Write a new one. Whoever does this keeps the member, too, so that no erasure comes in between."""
        await insert_new(self._follow_ups, [await self._document(one)], session=self._session)

    async def keep(self, one: FollowUp) -> None:
        """Write one that was changed, and is still at the version before; the same holds."""
        document = await self._document(one)
        key = {name: document.pop(name) for name in ("chain", "member", "follow_up")}
        update = UpdateOne({**key, "version": one.version - 1}, {"$set": document})
        await write_guarded(self._follow_ups, [update], session=self._session)

    async def _key(self, member: str) -> bytes:
        keys = await self._vault.keys(self._chain, [member], session=self._session)
        if member not in keys:
            raise NoMemberError(field="memberId", member=member)
        return keys[member]

    async def _document(self, one: FollowUp) -> Document:
        spot = place(self._chain, one.member, f"follow-up {one.id}")
        return {
            "chain": self._chain,
            "member": one.member,
            "follow_up": one.id,
            "kind": one.kind,
            "due_at": one.due_at,
            "staff": one.staff,
            "text": self._vault.seal(await self._key(one.member), one.text.encode(), place=spot),
            "created_by": one.created_by,
            "created_at": one.created_at,
            "changed_by": one.changed_by,
            "changed_at": one.changed_at,
            "state": one.state.value,
            "version": one.version,
        }


async def staff_states(
    database: Database, chain: str, ids: Collection[str], *, session: Session | None = None
) -> Mapping[str, bool]:
    """Return which of these staff members exist, and whether they are active.

    Who is deactivated at the same moment was assigned just before: no write to the staff member is needed for that.
    """
    condition = {"chain": chain, "staff": {"$in": sorted(ids)}}
    found = database.collection(STAFF).find(condition, {"_id": False, "staff": True, "active": True}, session=session)
    return {one["staff"]: one["active"] for one in await found.to_list(len(ids))}


async def set_up(database: Database) -> None:
    """Create the collection and its indexes; safe to repeat."""
    by_id = [("chain", ASCENDING), ("member", ASCENDING), ("follow_up", DESCENDING)]
    due = [("due_at", ASCENDING), ("follow_up", ASCENDING)]
    indexes = [
        IndexModel(by_id, name="by_follow_up", unique=True),
        IndexModel([("chain", ASCENDING), ("state", ASCENDING), *due], name="by_due"),
        IndexModel([("chain", ASCENDING), ("staff", ASCENDING), ("state", ASCENDING), *due], name="by_staff"),
    ]
    await create_indexes(database, FOLLOW_UPS, indexes)


def _of(vault: Vault, key: bytes | None, document: Document) -> FollowUp:
    spot = place(document["chain"], document["member"], f"follow-up {document['follow_up']}")
    return FollowUp(
        id=document["follow_up"],
        member=document["member"],
        kind=document["kind"],
        due_at=document["due_at"],
        staff=document["staff"],
        text="" if key is None else vault.unseal(key, document["text"], place=spot).decode(),
        created_by=document["created_by"],
        created_at=document["created_at"],
        changed_by=document["changed_by"],
        changed_at=document["changed_at"],
        state=FollowUpState(document["state"]),
        version=document["version"],
    )
