"""Activities in MongoDB: each under its source and that one's id, its text sealed under its member's data key."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from pymongo import ASCENDING, DESCENDING, IndexModel, UpdateOne

from services.kit.errors import Problem
from services.kit.mongo.collections import Document, Keyed
from services.kit.mongo.database import Database, Session, create_indexes
from services.kit.mongo.guards import insert_new, write_guarded
from services.members.domain.activities import (
    COMING,
    COUNTED,
    Activity,
    ActivityKind,
    ActivityStatus,
    Details,
    Planned,
    Recorded,
    Told,
    fold,
)
from services.members.domain.timeline import Happening, HappeningKind
from services.members.store import timeline
from services.members.store.collections import IDENTITIES
from services.members.store.profiles import place
from services.members.store.survivors import hold, survivors
from services.members.store.vault import Vault
from services.members.usecases.activities import Span, Who
from services.members.usecases.timelines import Place

ACTIVITIES = Keyed("activities", ("chain", "key"))
"""Keyed by the source and its id, so that the unique index is what makes each activity one."""

_NO_ID = {"_id": False}
_QUARTER = {"$dateTrunc": {"date": "$planned_for", "unit": "minute", "binSize": 15}}
"""Every clock of today differs from UTC by whole quarters of an hour."""

_ALONE = [ActivityKind.BOOKING.value, ActivityKind.EVENT.value]
"""Of these, one that does not say how many come is one guest."""


class MongoActivities:
    """Activities of one service's database."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database, self._vault = database, vault
        self._activities = database.collection(ACTIVITIES)

    async def record(
        self,
        chain: str,
        wanted: Sequence[tuple[Who, Activity]],
        *,
        new_id: Callable[[], str],
        check_change: Callable[[Activity], None],
    ) -> Sequence[Recorded | Problem]:
        """Fold `wanted` over what is there, in one transaction; an answer for each, in the order of the input."""

        async def once(session: Session) -> Sequence[Recorded | Problem]:
            people = await self._people(chain, {who for who, _ in wanted if who}, session)
            condition = {"chain": chain, "key": {"$in": sorted({one.key for _, one in wanted})}}
            found = await self._activities.find(condition, _NO_ID, session=session).to_list(len(wanted))
            holders = {ids[0] for ids in people.values()} | {one["member"] for one in found}
            keys = await self._vault.keys(chain, sorted(holders), session=session)
            known = {one["key"]: self._activity(one, keys) for one in found}
            told = [
                Told(one, people.get(who, ()) if who else (), named=who if isinstance(who, str) else "")
                for who, one in wanted
            ]
            done = fold(told, known, new_id=new_id, check_change=check_change, living=keys)
            await self._write(chain, done.changed, known, keys, session)
            return done.answers

        return await self._database.in_transaction(once) if wanted else ()

    async def page(
        self, chain: str, member_ids: Sequence[str], span: Span, *, now: datetime, after: Place | None, first: int
    ) -> Sequence[Activity]:
        """Return the first `first` activities of the span under these ids, after `after`, in the span's order."""
        wanted: list[Document] = [{"chain": chain, "member": {"$in": list(member_ids)}}]
        if span is Span.UPCOMING:
            wanted.append({"status": ActivityStatus.PLANNED.value, "at": {"$gte": now}})
        if span is Span.PAST:
            wanted.append({"at": {"$lt": now}})
        direction, beyond = (ASCENDING, "$gt") if span is Span.UPCOMING else (DESCENDING, "$lt")
        if after is not None:
            later = [{"at": {beyond: after.at}}, {"at": after.at, "activity": {beyond: after.ref}}]
            wanted.append({"$or": later})
        found = self._activities.find({"$and": wanted}, _NO_ID).sort([("at", direction), ("activity", direction)])
        documents = await found.limit(first).to_list(first)
        keys = await self._vault.keys(chain, member_ids) if any(one["text"] for one in documents) else {}
        return [self._activity(one, keys) for one in documents]

    async def planned(self, chain: str, store: str, *, since: datetime, until: datetime) -> Sequence[Planned]:
        """Return what is planned in the store from `since` on and before `until`, by the quarters of hours."""
        wanted = {
            "chain": chain,
            "store": store,
            "planned_for": {"$gte": since, "$lt": until},
            "status": {"$in": sorted(one.value for one in COMING)},
            "kind": {"$in": sorted(one.value for one in COUNTED)},
        }
        least = {"$cond": [{"$in": ["$kind", _ALONE]}, 1, 0]}
        summed = {
            "_id": _QUARTER,
            "activities": {"$sum": 1},
            "guests": {"$sum": {"$max": ["$party_size", least]}},
            "items": {"$sum": "$item_count"},
        }
        found = await self._database.aggregate(ACTIVITIES, [{"$match": wanted}, {"$group": summed}])
        return [Planned(one["_id"], one["activities"], one["guests"], one["items"]) for one in found]

    async def _people(self, chain: str, named: Collection[str | bytes], session: Session) -> dict[Who, tuple[str, ...]]:
        """Return all ids of who is meant by ids and hashes, its own first, as far as there is somebody."""
        holders: dict[Who, str] = {who: who for who in named if isinstance(who, str)}
        if hashes := sorted(who for who in named if isinstance(who, bytes)):
            condition = {"chain": chain, "hash": {"$in": hashes}}
            found = self._database.collection(IDENTITIES).find(condition, _NO_ID, session=session)
            holders |= {one["hash"]: one["member"] for one in await found.to_list() if not one.get("lost_at")}
        people = await survivors(self._database, chain, set(holders.values()), session=session)
        return {who: people[id_].ids for who, id_ in holders.items() if id_ in people and not people[id_].erased}

    async def _write(
        self,
        chain: str,
        changed: Sequence[Activity],
        known: Mapping[str, Activity],
        keys: Mapping[str, bytes],
        session: Session,
    ) -> None:
        new: list[Document] = []
        updates: list[UpdateOne] = []
        for one in changed:
            key: Document = {"chain": chain, "key": one.key}
            content = self._content(chain, one, keys[one.member])
            if one.version == 1:
                new.append({**key, **content})
            else:
                updates.append(UpdateOne({**key, "version": one.version - 1}, {"$set": content}))
        await insert_new(self._activities, new, session=session)
        await write_guarded(self._activities, updates, session=session)
        told = [
            (_happening(chain, known[one.key]) if one.key in known else None, _happening(chain, one)) for one in changed
        ]
        await timeline.replace_told(self._database, told, session=session)
        await hold(self._database, chain, {one.member for one in changed}, session=session)

    def _content(self, chain: str, one: Activity, key: bytes) -> Document:
        details, where = one.details, place(chain, one.member, f"activity {one.id}")
        return {
            "activity": one.id,
            "member": one.member,
            "source": one.source,
            "external_id": one.external_id,
            "kind": one.kind.value,
            "status": one.status.value,
            "at": one.at,
            "planned_for": details.planned_for,
            "occurred_at": details.occurred_at,
            "store": details.store,
            "party_size": details.party_size,
            "item_count": details.item_count,
            "amount_minor": details.amount_minor,
            "currency": details.currency,
            "channel": details.channel,
            "text": self._vault.seal(key, details.text.encode(), place=where) if details.text else b"",
            "changed_at": one.changed_at,
            "revision": one.revision,
            "version": one.version,
        }

    def _activity(self, document: Document, keys: Mapping[str, bytes]) -> Activity:
        return Activity(
            source=document["source"],
            external_id=document["external_id"],
            kind=ActivityKind(document["kind"]),
            status=ActivityStatus(document["status"]),
            details=Details(
                planned_for=document["planned_for"],
                occurred_at=document["occurred_at"],
                store=document["store"],
                party_size=document["party_size"],
                item_count=document["item_count"],
                amount_minor=document["amount_minor"],
                currency=document["currency"],
                channel=document["channel"],
                text=_text_of(document, self._vault, keys),
            ),
            changed_at=document["changed_at"],
            revision=document["revision"],
            id=document["activity"],
            member=document["member"],
            version=document["version"],
        )


def _text_of(document: Document, vault: Vault, keys: Mapping[str, bytes]) -> str:
    """Return an activity's text, opened by its member's key; nothing of one that was erased."""
    key = keys.get(document["member"])
    if key is None or not document["text"]:
        return ""
    where = place(document["chain"], document["member"], f"activity {document['activity']}")
    return vault.unseal(key, document["text"], place=where).decode()


def _happening(chain: str, one: Activity) -> Happening:
    return Happening(
        chain=chain,
        member=one.member,
        kind=HappeningKind(one.kind.value),
        ref=one.id,
        at=one.at,
        store=one.details.store,
        amount=one.details.amount_minor,
        currency=one.details.currency,
        detail=one.status.value,
    )


async def set_up(database: Database) -> None:
    """Create the collection and its indexes; safe to repeat."""
    by_key = [("chain", ASCENDING), ("key", ASCENDING)]
    by_member = [("chain", ASCENDING), ("member", ASCENDING), ("at", DESCENDING), ("activity", DESCENDING)]
    by_store = [("chain", ASCENDING), ("store", ASCENDING), ("planned_for", ASCENDING)]
    indexes = [
        IndexModel(by_key, name="by_key", unique=True),
        IndexModel(by_member, name="by_member"),
        IndexModel(by_store, name="by_store"),
    ]
    await create_indexes(database, ACTIVITIES, indexes)
