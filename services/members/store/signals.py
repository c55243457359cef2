"""What signs of fraud are looked for in, within the transaction of the consumer that heard of purchases."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from pymongo import UpdateOne

from services.kit.mongo.collections import Document
from services.kit.mongo.database import Database, Session
from services.kit.mongo.guards import insert_new, write_guarded
from services.kit.outbox.events import Event, EventCursor
from services.kit.outbox.outbox import Outbox
from services.members import events
from services.members.domain.places import Position
from services.members.domain.portraits import InChain
from services.members.domain.review_rules import ReviewRule
from services.members.domain.reviews import Review
from services.members.domain.signals import MOST_LOOKED_AT, REMOTE, Receipt
from services.members.domain.timeline import HappeningKind
from services.members.store.collections import MEMBERS, STORES
from services.members.store.places import position_of
from services.members.store.reviews import NO_ID, REVIEWS, evidence_content, new_document, review_of, rules_in
from services.members.store.staff_collections import STAFF
from services.members.store.timeline import TIMELINE
from services.members.usecases.signals import Named, Raised, Reach

MOST_REVIEWS = 1_000
"""Reviews of the persons of one batch and chain that a receipt may still belong to."""


class MongoSignals:
    """Signals in one service's database, in one transaction. Batches are mostly of one chain; each chain is asked."""

    def __init__(self, database: Database, outbox: Outbox, session: Session) -> None:
        self._database, self._outbox, self._session = database, outbox, session

    async def rules(self, chains: Collection[str]) -> Mapping[str, Sequence[ReviewRule]]:
        """Return each chain's rules, the usual ones where it has not said."""
        found = await rules_in(self._database, chains, session=self._session)
        return {chain: one.rules for chain, one in found.items()}

    async def own_cards(self, codes: Collection[Named]) -> Mapping[Named, str]:
        """Return the members of those staff who have a card of their own, by the chain's codes."""
        found: dict[Named, str] = {}
        for chain, some in _by_chain(codes).items():
            condition = {"chain": chain, "code": {"$in": sorted(some)}, "member": {"$ne": ""}}
            wanted = {"_id": False, "code": True, "member": True}
            cursor = self._database.collection(STAFF).find(condition, wanted, session=self._session)
            found |= {(chain, one["code"]): one["member"] for one in await cursor.to_list(len(some))}
        return found

    async def receipts(self, reaches: Sequence[Reach]) -> Mapping[InChain, Sequence[Receipt]]:
        """Return the latest receipts of each person within its reach, at least: one question for all of a chain.

        The batch's receipts are at hand in the timelines, as this transaction has written them.
        """
        found: dict[InChain, Sequence[Receipt]] = {}
        for chain, some in _of_chains(reaches).items():
            by_id: dict[str, list[Receipt]] = {one["_id"]: _receipts(one) for one in await self._latest(chain, some)}
            for reach in some:
                all_ = sorted(each for id_ in reach.ids for each in by_id.get(id_, ()))
                found[reach.person] = all_[-MOST_LOOKED_AT:]
        return found

    async def positions(self, stores: Collection[Named]) -> Mapping[Named, Position]:
        """Return where those stores are that have a position."""
        found: dict[Named, Position] = {}
        for chain, some in _by_chain(stores).items():
            condition = {"chain": chain, "store": {"$in": sorted(some)}}
            wanted = {"_id": False, "store": True, "position": True}
            cursor = self._database.collection(STORES).find(condition, wanted, session=self._session)
            for one in await cursor.to_list(len(some)):
                if (position := position_of(one.get("position"))) is not None:
                    found[chain, one["store"]] = position
        return found

    async def reviews(self, reaches: Sequence[Reach]) -> Mapping[InChain, Sequence[Review]]:
        """Return each person's reviews that ended within its reach or later."""
        found: dict[InChain, list[Review]] = {}
        for chain, some in _of_chains(reaches).items():
            whose = {id_: reach.person for reach in some for id_ in reach.ids}
            condition = {
                "chain": chain,
                "member": {"$in": sorted(whose)},
                "last_at": {"$gte": min(reach.since for reach in some)},
            }
            cursor = self._database.collection(REVIEWS).find(condition, NO_ID, session=self._session)
            # Ids are in the order of time: where there are too many, the latest are the ones that matter.
            for one in await cursor.sort("review", -1).to_list(MOST_REVIEWS):
                found.setdefault(whose[one["member"]], []).append(review_of(one))
        return found

    async def keep(self, raised: Raised, *, now: Mapping[str, datetime]) -> None:
        """Write and tell it; `Conflict` when somebody else was faster."""
        collection = self._database.collection(REVIEWS)
        new = [new_document(chain, review) for chain, review in raised.new]
        await insert_new(collection, new, session=self._session)
        writes = [
            UpdateOne(
                {"chain": chain, "member": one.member, "review": one.id, "version": one.version - 1},
                {"$set": evidence_content(one)},
            )
            for chain, one in raised.changed
        ]
        await write_guarded(collection, writes, session=self._session)
        await self._tell(raised, now)

    async def _tell(self, raised: Raised, now: Mapping[str, datetime]) -> None:
        """Tell the facts, numbered among their members' events, whose documents this transaction has written before."""
        told: list[Event] = []
        writes: list[UpdateOne] = []
        for chain, members in _by_chain({(chain, fact.member) for chain, fact, _ in raised.told}).items():
            condition = {"chain": chain, "member": {"$in": sorted(members)}}
            wanted = {"_id": False, "member": True, "events": True}
            found = self._database.collection(MEMBERS).find(condition, wanted, session=self._session)
            cursors = {one["member"]: EventCursor(**one["events"]) for one in await found.to_list(len(members))}
            for of_chain, fact, trace in raised.told:
                if of_chain == chain:
                    cursor = cursors[fact.member] = cursors[fact.member].next(now[chain])
                    told.append(events.member_told(fact, cursor, chain=chain, now=now[chain], traceparent=trace))
            writes += [
                UpdateOne(
                    {"chain": chain, "member": member},
                    {"$set": {"events": {"sequence": cursor.sequence, "at": cursor.at}}},
                )
                for member, cursor in sorted(cursors.items())
            ]
        await write_guarded(self._database.collection(MEMBERS), writes, session=self._session)
        if told:
            await self._outbox.write(told, self._session)

    async def _latest(self, chain: str, reaches: Sequence[Reach]) -> list[Document]:
        members = sorted({id_ for one in reaches for id_ in one.ids})
        within = {"$gte": min(one.since for one in reaches), "$lte": max(one.until for one in reaches)}
        match = {"chain": chain, "member": {"$in": members}, "at": within, "kind": HappeningKind.PURCHASE.value}
        shown = {"at": "$at", "ref": "$ref", "store": "$store", "staff": "$staff", "detail": "$detail"}
        latest = {"$topN": {"n": MOST_LOOKED_AT, "sortBy": {"at": -1, "ref": -1}, "output": shown}}
        pipeline = [{"$match": match}, {"$group": {"_id": "$member", "latest": latest}}]
        return await self._database.aggregate(TIMELINE, pipeline, session=self._session, limit=len(members))


def _receipts(found: Document) -> list[Receipt]:
    return [
        Receipt(
            one["at"],
            one["ref"],
            one.get("store", ""),
            one.get("staff", ""),
            remote=one.get("detail", "") in REMOTE,
        )
        for one in found["latest"]
    ]


def _by_chain(named: Collection[Named]) -> Mapping[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for chain, name in named:
        found[chain].add(name)
    return found


def _of_chains(reaches: Sequence[Reach]) -> Mapping[str, list[Reach]]:
    found: dict[str, list[Reach]] = defaultdict(list)
    for one in reaches:
        found[one.person[0]].append(one)
    return found
