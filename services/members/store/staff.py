"""Staff in MongoDB: what changed and its event are one transaction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime

from pymongo import UpdateOne

from services.kit.mongo.collections import Document
from services.kit.mongo.database import Database, Session
from services.kit.mongo.guards import insert_new, write_guarded
from services.kit.outbox.events import EventCursor
from services.kit.outbox.outbox import Outbox
from services.kit.principal import NotAllowedError
from services.members import events
from services.members.domain.chains import Chain
from services.members.domain.named import Named
from services.members.domain.staff import SavedStaff, StaffMember, save_staff
from services.members.domain.training import Passed, Role, with_passed
from services.members.store.coded import named_of
from services.members.store.staff_collections import STAFF
from services.members.store.staff_settings import settings_in

NO_ID = {"_id": False}


class MongoNamed:
    """The brands and regions that chains have saved."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def named(self, chain: str) -> Named:
        """Return the codes that the chain has saved."""
        return await named_of(self._database, chain)


class MongoStaff:
    """Staff of one service's database."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database, self._outbox = database, outbox

    async def save(
        self,
        wanted: Sequence[StaffMember],
        *,
        chain: Chain,
        new_id: Callable[[], str],
        may_change: Callable[[StaffMember], bool],
        now: datetime,
        today: date,
        traceparent: str,
    ) -> SavedStaff:
        """Fold `wanted` over who is there, and keep and tell what changed."""

        async def once(session: Session) -> SavedStaff:
            codes = {"chain": chain.id, "code": {"$in": [one.code for one in wanted]}}
            found = {one["code"]: one for one in await self._find(codes, len(wanted), session=session)}
            known = {code: _staff_of(one) for code, one in found.items()}
            for number, one in enumerate(wanted):
                if one.code in known and not may_change(known[one.code]):
                    raise NotAllowedError(field=f"staff.{number}.code", why="its key is for staff of its own stores")
            settings = await settings_in(self._database, chain.id, session=session)
            saved = save_staff(wanted, known=known, new_id=new_id, settings=settings, today=today)
            told = [(one, _cursor(found.get(one.code)).next(now)) for one in saved.changed]
            await self._keep_and_tell(told, chain=chain.id, now=now, traceparent=traceparent, session=session)
            return saved

        return await self._database.in_transaction(once)

    async def train(
        self, passed: Mapping[str, Sequence[tuple[str, Passed]]], *, chain: str, now: datetime, traceparent: str
    ) -> list[StaffMember]:
        """Note the courses (code and record) that staff, by id, have passed, and return them in the order of ids."""

        async def once(session: Session) -> list[StaffMember]:
            ids = {"chain": chain, "staff": {"$in": sorted(passed)}}
            found = await self._find(ids, len(passed), session=session)
            after, told = [], []
            for document in found:
                before = _staff_of(document)
                training = before.training
                for course, record in passed[before.id]:
                    training = with_passed(training, course, record)
                if training == before.training:
                    after.append(before)
                    continue
                after.append(replace(before, training=training, version=before.version + 1))
                told.append((after[-1], _cursor(document).next(now)))
            await self._keep_and_tell(told, chain=chain, now=now, traceparent=traceparent, session=session)
            return sorted(after, key=lambda one: one.id)

        return await self._database.in_transaction(once)

    async def find(self, chain: str, ids: Sequence[str]) -> list[StaffMember]:
        """Return those of `ids` that exist, in the order of their ids."""
        if not ids:
            return []
        found = await self._find({"chain": chain, "staff": {"$in": list(ids)}}, len(ids))
        return sorted((_staff_of(one) for one in found), key=lambda one: one.id)

    async def page(self, chain: str, *, stores: frozenset[str], after: str, most: int) -> list[StaffMember]:
        """Return those with a code behind `after` who are for one of `stores` (none: everybody), by their codes."""
        condition: Document = {"chain": chain, "code": {"$gt": after}}
        if stores:
            condition["stores"] = {"$in": sorted(stores)}
        return [_staff_of(one) for one in await self._find(condition, most)]

    async def _find(self, condition: Document, most: int, *, session: Session | None = None) -> list[Document]:
        found = self._database.collection(STAFF).find(condition, NO_ID, session=session)
        return await found.sort("code", 1).limit(most).to_list(most) if most else []

    async def _keep_and_tell(
        self,
        told: Sequence[tuple[StaffMember, EventCursor]],
        *,
        chain: str,
        now: datetime,
        traceparent: str,
        session: Session,
    ) -> None:
        new: list[Document] = []
        updates: list[UpdateOne] = []
        for one, cursor in told:
            key: Document = {"chain": chain, "code": one.code}
            if one.version == 1:
                new.append({**key, **_content(one, cursor)})
            else:
                updates.append(UpdateOne({**key, "version": one.version - 1}, {"$set": _content(one, cursor)}))
        collection = self._database.collection(STAFF)
        await insert_new(collection, new, session=session)
        await write_guarded(collection, updates, session=session)
        saved = [events.staff_saved(one, cursor, chain=chain, now=now, traceparent=traceparent) for one, cursor in told]
        await self._outbox.write(saved, session)


def _cursor(document: Document | None) -> EventCursor:
    return EventCursor() if document is None else EventCursor(**document["events"])


def _content(one: StaffMember, cursor: EventCursor) -> Document:
    return {
        "staff": one.id,
        "name": one.name,
        "email": one.email,
        "roles": sorted(role.value for role in one.roles),
        "stores": sorted(one.stores),
        "regions": sorted(one.regions),
        "member": one.member,
        "active": one.active,
        # A list, for a course's code may have dots, which a document's field had better not.
        "training": [
            {"course": code, "on": passed.on.isoformat(), "valid_until": _written(passed.valid_until)}
            for code, passed in sorted(one.training.items())
        ],
        "version": one.version,
        "events": {"sequence": cursor.sequence, "at": cursor.at},
    }


def _staff_of(document: Document) -> StaffMember:
    return StaffMember(
        id=document["staff"],
        code=document["code"],
        name=document["name"],
        email=document["email"],
        roles=frozenset(Role(role) for role in document["roles"]),
        stores=frozenset(document["stores"]),
        regions=frozenset(document["regions"]),
        member=document["member"],
        active=document["active"],
        training={
            one["course"]: Passed(date.fromisoformat(one["on"]), _read(one["valid_until"]))
            for one in document["training"]
        },
        version=document["version"],
    )


def _written(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _read(day: str | None) -> date | None:
    return None if day is None else date.fromisoformat(day)
