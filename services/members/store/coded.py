"""Brands, regions and partners in MongoDB: what changed and its event are one transaction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from pymongo import UpdateOne

from services.kit.mongo.collections import Document, Keyed
from services.kit.mongo.database import Database, Session
from services.kit.mongo.guards import insert_new, write_guarded
from services.kit.outbox.events import Event, EventCursor
from services.kit.outbox.outbox import Outbox
from services.members import events
from services.members.domain.brands import Brand, save_brands
from services.members.domain.coded import Coded, Saved
from services.members.domain.named import Named
from services.members.domain.partners import MAX_PARTNERS, Partner, PartnerState, save_partners
from services.members.domain.regions import MAX_REGIONS, Region, save_regions
from services.members.store.chain_collections import BRANDS, PARTNERS, REGIONS
from services.members.store.turns import read_turn, take_turn

NO_ID = {"_id": False}
MOST = max(MAX_REGIONS, MAX_PARTNERS)

T = TypeVar("T", bound=Coded)
T_contra = TypeVar("T_contra", bound=Coded, contravariant=True)


class Tell(Protocol[T_contra]):
    """Makes the event of a new or changed thing."""

    def __call__(self, one: T_contra, cursor: EventCursor, /, *, chain: str, now: datetime, traceparent: str) -> Event:
        """Return the event; `cursor` is its place among the thing's."""


@dataclass(frozen=True, slots=True)
class Noun(Generic[T]):
    """What tells one list from the others. `content` leaves out code and version."""

    keyed: Keyed
    fold: Callable[[Sequence[T], Mapping[str, T]], Saved[T]]
    tell: Tell[T]
    content: Callable[[T], Document]
    made_of: Callable[[Document], T]


class MongoListed(Generic[T]):
    """One list of each chain, in one service's database. All of it is read to change any of it: it is short."""

    def __init__(self, database: Database, outbox: Outbox, noun: Noun[T]) -> None:
        self._database, self._outbox, self._noun = database, outbox, noun

    async def save(self, wanted: Sequence[T], *, chain: str, now: datetime, traceparent: str) -> Saved[T]:
        """Fold `wanted` over what is there, and keep and tell what changed."""
        of = self._noun.keyed.name

        async def once(session: Session) -> Saved[T]:
            turn = await read_turn(self._database, chain=chain, of=of, session=session)
            found = {one["code"]: one for one in await self._find({"chain": chain}, session=session)}
            known = {code: self._noun.made_of(one) for code, one in found.items()}
            saved = self._noun.fold(wanted, known)
            if saved.changed:
                added = sum(one.code not in known for one in saved.changed)
                await take_turn(self._database, turn, chain=chain, of=of, added=added, session=session)
                cursors = {code: EventCursor(**one["events"]) for code, one in found.items()}
                told = [(one, cursors.get(one.code, EventCursor()).next(now)) for one in saved.changed]
                await self._write(chain, told, session)
                tell = self._noun.tell
                events_ = [tell(one, cursor, chain=chain, now=now, traceparent=traceparent) for one, cursor in told]
                await self._outbox.write(events_, session)
            return saved

        return await self._database.in_transaction(once)

    async def every(self, chain: str) -> list[T]:
        """Return all of them in the order of their codes."""
        return [self._noun.made_of(one) for one in await self._find({"chain": chain})]

    async def find(self, chain: str, code: str) -> T | None:
        """Return the one of that code."""
        found = await self._find({"chain": chain, "code": code})
        return self._noun.made_of(found[0]) if found else None

    async def _find(self, condition: Document, *, session: Session | None = None) -> list[Document]:
        found = self._database.collection(self._noun.keyed).find(condition, NO_ID, session=session)
        return await found.sort("code", 1).to_list(MOST)

    async def _write(self, chain: str, changed: Sequence[tuple[T, EventCursor]], session: Session) -> None:
        new: list[Document] = []
        updates: list[UpdateOne] = []
        for one, cursor in changed:
            key: Document = {"chain": chain, "code": one.code}
            content = {
                **self._noun.content(one),
                "name": one.name,
                "version": one.version,
                "events": {"sequence": cursor.sequence, "at": cursor.at},
            }
            if one.version == 1:
                new.append({**key, **content})
            else:
                updates.append(UpdateOne({**key, "version": one.version - 1}, {"$set": content}))
        collection = self._database.collection(self._noun.keyed)
        await insert_new(collection, new, session=session)
        await write_guarded(collection, updates, session=session)


async def named_of(database: Database, chain: str, *, session: Session | None = None) -> Named:
    """Return the codes of the brands and regions that the chain has saved."""
    codes = [
        await database.collection(keyed).distinct("code", {"chain": chain}, session=session)
        for keyed in (BRANDS, REGIONS)
    ]
    return Named(brands=frozenset(codes[0]), regions=frozenset(codes[1]))


def mongo_brands(database: Database, outbox: Outbox) -> MongoListed[Brand]:
    """Return the brands of all chains."""
    return MongoListed(database, outbox, Noun(BRANDS, save_brands, events.brand_saved, lambda _: {}, _brand_of))


def mongo_regions(database: Database, outbox: Outbox) -> MongoListed[Region]:
    """Return the regions of all chains."""
    noun = Noun(REGIONS, save_regions, events.region_saved, lambda one: {"parent": one.parent}, _region_of)
    return MongoListed(database, outbox, noun)


def mongo_partners(database: Database, outbox: Outbox) -> MongoListed[Partner]:
    """Return the partners of all chains."""
    noun = Noun(PARTNERS, save_partners, events.partner_saved, lambda one: {"state": one.state.value}, _partner_of)
    return MongoListed(database, outbox, noun)


def _brand_of(document: Document) -> Brand:
    return Brand(document["code"], document["name"], document["version"])


def _region_of(document: Document) -> Region:
    return Region(document["code"], document["name"], document["parent"], document["version"])


def _partner_of(document: Document) -> Partner:
    return Partner(document["code"], document["name"], PartnerState(document["state"]), document["version"])
