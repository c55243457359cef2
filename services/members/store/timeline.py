"""Timelines in MongoDB: a small document for each thing that happened, under the id that the member had then."""

from collections.abc import Mapping, Sequence

from pymongo import ASCENDING, DESCENDING, DeleteOne, IndexModel, ReplaceOne

from services.kit.mongo.collections import Document, Keyed
from services.kit.mongo.database import Database, Session, create_indexes
from services.kit.mongo.guards import insert_new, write_guarded
from services.members.domain.timeline import ACTIVITY_KINDS, Happening, HappeningKind
from services.members.usecases.timelines import Place

TIMELINE = Keyed("timeline", ("chain", "member"))

MOST_RECOUNTED = 100_000
"""Happenings that a portrait is recounted from: thirty years of a daily guest."""

_NO_ID = {"_id": False}


async def note(database: Database, told: Sequence[Happening], *, session: Session) -> list[Happening]:
    """Write what is not there yet, and return it in its order."""
    collection = database.collection(TIMELINE)
    chains = sorted({one.chain for one in told})
    condition = {
        "chain": chains[0] if len(chains) == 1 else {"$in": chains},
        "member": {"$in": sorted({one.member for one in told})},
        "ref": {"$in": sorted({one.ref for one in told})},
    }
    names = {**_NO_ID, "chain": True, "member": True, "kind": True, "ref": True}
    known = {_name(one) for one in await collection.find(condition, names, session=session).to_list()}
    new: dict[tuple[str, str, str, str], Happening] = {}
    for one in told:
        name = one.chain, one.member, one.kind.value, one.ref
        if name not in known:
            new.setdefault(name, one)
    await insert_new(collection, [_document(one) for one in new.values()], session=session)
    return list(new.values())


async def all_of(database: Database, chain: str, members: Sequence[str], *, session: Session) -> list[Happening]:
    """Return everything that happened with these members, in the order of its time."""
    condition = {"chain": chain, "member": {"$in": list(members)}}
    found = database.collection(TIMELINE).find(condition, _NO_ID, session=session).sort([("at", 1), ("ref", 1)])
    return [_happening(one) for one in await found.to_list(MOST_RECOUNTED)]


async def replace_told(
    database: Database, told: Sequence[tuple[Happening | None, Happening]], *, session: Session
) -> None:
    """Write happenings that change: each in the place of what it was before, None for a new one."""
    gone = [before for before, now in told if before is not None and _place(before) != _place(now)]
    if gone:
        await database.collection(TIMELINE).bulk_write([DeleteOne(_place(one)) for one in gone], session=session)
    writes = [ReplaceOne(_place(now), _document(now), upsert=True) for _, now in told]
    await write_guarded(database.collection(TIMELINE), writes, session=session)


async def forget_activities(database: Database, chain: str, members: Sequence[str], *, session: Session) -> None:
    """Delete what other systems told of these members; what accounts are made of stays."""
    kinds = sorted(kind.value for kind in ACTIVITY_KINDS)
    condition = {"chain": chain, "member": {"$in": list(members)}, "kind": {"$in": kinds}}
    await database.collection(TIMELINE).delete_many(condition, session=session)


class MongoTimelines:
    """Timelines of one service's database, for reading."""

    def __init__(self, database: Database) -> None:
        self._timeline = database.collection(TIMELINE)

    async def page(
        self, chain: str, member_ids: Sequence[str], *, before: Place | None, first: int
    ) -> Sequence[Happening]:
        """Return the latest `first` happenings under these ids, before `before`."""
        condition: Document = {"chain": chain, "member": {"$in": list(member_ids)}}
        if before is not None:
            condition["$or"] = [{"at": {"$lt": before.at}}, {"at": before.at, "ref": {"$lt": before.ref}}]
        found = self._timeline.find(condition, _NO_ID).sort([("at", -1), ("ref", -1)]).limit(first)
        return [_happening(one) for one in await found.to_list(first)]


async def set_up(database: Database) -> None:
    """Create the collection and its indexes; safe to repeat."""
    place = [("chain", ASCENDING), ("member", ASCENDING)]
    once = IndexModel([*place, ("ref", ASCENDING), ("kind", ASCENDING)], name="once", unique=True)
    by_time = IndexModel([*place, ("at", DESCENDING), ("ref", DESCENDING)], name="by_time")
    await create_indexes(database, TIMELINE, [once, by_time])


def _name(document: Mapping[str, str]) -> tuple[str, str, str, str]:
    return document["chain"], document["member"], document["kind"], document["ref"]


def _place(one: Happening) -> Document:
    return {"chain": one.chain, "member": one.member, "kind": one.kind.value, "ref": one.ref}


def _document(one: Happening) -> Document:
    document: Document = {
        "chain": one.chain,
        "member": one.member,
        "kind": one.kind.value,
        "ref": one.ref,
        "at": one.at,
    }
    said = {
        "store": one.store,
        "amount": one.amount,
        "currency": one.currency,
        "time_zone": one.time_zone,
        "detail": one.detail,
        "staff": one.staff,
    }
    return document | {name: value for name, value in said.items() if value}


def _happening(document: Document) -> Happening:
    return Happening(
        chain=document["chain"],
        member=document["member"],
        kind=HappeningKind(document["kind"]),
        ref=document["ref"],
        at=document["at"],
        store=document.get("store", ""),
        amount=document.get("amount", 0),
        currency=document.get("currency", ""),
        time_zone=document.get("time_zone", ""),
        detail=document.get("detail", ""),
        staff=document.get("staff", ""),
    )
