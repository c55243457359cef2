"""Referrals and their codes in MongoDB: each under the id of who was brought, or who has the code."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from pymongo import ASCENDING, IndexModel, UpdateOne

from services.kit.mongo.collections import Document, Keyed
from services.kit.mongo.database import Database, Session, create_indexes
from services.kit.mongo.guards import insert_new, write_guarded
from services.members.domain.referrals import MOST_COUNTED, Brought, Referral, ReferralState
from services.members.domain.timeline import HappeningKind
from services.members.store.survivors import Survivor, survivors
from services.members.store.timeline import TIMELINE
from services.members.usecases.referrals import MemberReferrals

REFERRALS = Keyed("referrals", ("chain", "member"))
"""Who was brought, by whom."""

REFERRAL_CODES = Keyed("referral_codes", ("chain", "code"))
"""Whose code it is. The unique index gives a code to one member."""

MEMBER_REFERRAL_CODES = Keyed("member_referral_codes", ("chain", "member"))
"""Which code a member has. The unique index gives a member one code."""

_NO_ID = {"_id": False}


class MongoReferralWork:
    """What a unit of work does with referrals."""

    def __init__(self, database: Database, session: Session, *, chain: str) -> None:
        self._database, self._session, self._chain = database, session, chain
        self._referrals = database.collection(REFERRALS)

    async def codes(self, members: Collection[str]) -> Mapping[str, str]:
        """Return the referral codes of these ids, by id."""
        return await _codes(self._database, self._chain, members, session=self._session)

    async def owner(self, code: str) -> str:
        """Return whose code it is, by the id that the member had then; empty when it is nobody's."""
        condition = {"chain": self._chain, "code": code}
        found = await self._database.collection(REFERRAL_CODES).find_one(condition, _NO_ID, session=self._session)
        return "" if found is None else str(found["member"])

    async def add_code(self, member: str, code: str) -> None:
        """Give a member a code; `Conflict` when the code is taken, or the member has one by now."""
        document = {"chain": self._chain, "member": member, "code": code}
        for keyed in (REFERRAL_CODES, MEMBER_REFERRAL_CODES):
            await insert_new(self._database.collection(keyed), [dict(document)], session=self._session)

    async def of(self, members: Collection[str]) -> Sequence[Referral]:
        """Return by whom these ids were brought."""
        condition = {"chain": self._chain, "member": {"$in": sorted(members)}}
        found = self._referrals.find(condition, _NO_ID, session=self._session)
        return [_referral_of(one) for one in await found.to_list(len(members))]

    async def has_brought(self, members: Collection[str]) -> bool:
        """Tell whether anybody was brought by one of these ids."""
        condition = {"chain": self._chain, "referrer": {"$in": sorted(members)}}
        return await self._referrals.find_one(condition, {"_id": True}, session=self._session) is not None

    async def add(self, referral: Referral) -> None:
        """Write a new one; `Conflict` when the member was brought meanwhile."""
        await insert_new(self._referrals, [referral_document(self._chain, referral)], session=self._session)

    async def close(self, referrals: Sequence[Referral]) -> None:
        """Write what has become of them."""
        writes = [
            UpdateOne(
                {"chain": self._chain, "member": one.member},
                {"$set": {"state": one.state.value, "completed_at": one.completed_at}},
            )
            for one in referrals
        ]
        await write_guarded(self._referrals, writes, session=self._session)

    async def first_purchase(self, members: Collection[str]) -> datetime | None:
        """Return when these ids bought for the first time."""
        condition = {
            "chain": self._chain,
            "member": {"$in": sorted(members)},
            "kind": HappeningKind.PURCHASE.value,
        }
        timeline = self._database.collection(TIMELINE)
        found = timeline.find(condition, {"_id": False, "at": True}, session=self._session).sort([("at", ASCENDING)])
        first = await found.limit(1).to_list(1)
        return first[0]["at"] if first else None


class MongoReferralBook:
    """Referrals of one service's database, for reading."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def overview(self, chain: str, members: Collection[str]) -> Mapping[str, MemberReferrals]:
        """Return each member's code and how many it has brought, by the id that was asked for."""
        found = await survivors(self._database, chain, members)
        everyone = {id_ for one in found.values() for id_ in one.ids}
        codes = await _codes(self._database, chain, everyone)
        # Nobody can have been brought by who never had a code.
        known = {one.id: one for one in found.values() if any(id_ in codes for id_ in one.ids)}
        brought = await asyncio.gather(*(self._brought(chain, one) for one in known.values()))
        by_id = dict(zip(known, brought, strict=True))
        return {asked: _shown(one, codes, by_id) for asked, one in found.items()}

    async def _brought(self, chain: str, member: Survivor) -> Brought:
        waiting, completed = [
            await self._database.collection(REFERRALS).count_documents(
                {"chain": chain, "referrer": {"$in": list(member.ids)}, "state": state.value}, limit=MOST_COUNTED
            )
            for state in (ReferralState.OPEN, ReferralState.COMPLETED)
        ]
        return Brought(waiting, completed)


class OpenReferrals:
    """Which of some members were brought and have not bought yet, within the transaction of a consumer."""

    def __init__(self, database: Database, session: Session) -> None:
        self._database, self._session = database, session

    async def brought(self, chain: str, members: Collection[str]) -> Collection[str]:
        """Return those of `members`, each by the id that it has now, who were brought and have not bought yet."""
        found = await survivors(self._database, chain, members, session=self._session)
        whose = {id_: one.id for one in found.values() for id_ in one.ids}
        condition = {"chain": chain, "member": {"$in": sorted(whose)}, "state": ReferralState.OPEN.value}
        names = {"_id": False, "member": True}
        waiting = self._database.collection(REFERRALS).find(condition, names, session=self._session)
        return {whose[one["member"]] for one in await waiting.to_list(len(whose))}


async def owners(database: Database, codes: Mapping[str, Collection[str]]) -> dict[tuple[str, str], str]:
    """Return whose these codes are, by chain and code; `codes` are by chain."""
    found: dict[tuple[str, str], str] = {}
    for chain, some in codes.items():
        if some:
            condition = {"chain": chain, "code": {"$in": sorted(some)}}
            for one in await database.collection(REFERRAL_CODES).find(condition, _NO_ID).to_list(len(some)):
                found[chain, one["code"]] = one["member"]
    return found


def referral_document(chain: str, one: Referral) -> Document:
    """Return a referral as it is kept."""
    return {
        "chain": chain,
        "member": one.member,
        "referral": one.id,
        "referrer": one.referrer,
        "at": one.at,
        "state": one.state.value,
        "completed_at": one.completed_at,
    }


async def set_up(database: Database) -> None:
    """Create the collections and their indexes; safe to repeat."""
    by_member = [("chain", ASCENDING), ("member", ASCENDING)]
    by_referrer = [("chain", ASCENDING), ("referrer", ASCENDING), ("state", ASCENDING)]
    referrals = [
        IndexModel(by_member, name="by_member", unique=True),
        IndexModel(by_referrer, name="by_referrer"),
    ]
    await create_indexes(database, REFERRALS, referrals)
    by_code = IndexModel([("chain", ASCENDING), ("code", ASCENDING)], name="by_code", unique=True)
    await create_indexes(database, REFERRAL_CODES, [by_code, IndexModel(by_member, name="by_member")])
    await create_indexes(database, MEMBER_REFERRAL_CODES, [IndexModel(by_member, name="by_member", unique=True)])


async def _codes(
    database: Database, chain: str, members: Collection[str], *, session: Session | None = None
) -> dict[str, str]:
    condition = {"chain": chain, "member": {"$in": sorted(members)}}
    found = database.collection(MEMBER_REFERRAL_CODES).find(condition, _NO_ID, session=session)
    return {one["member"]: one["code"] for one in await found.to_list(len(members))}


def _shown(member: Survivor, codes: Mapping[str, str], brought: Mapping[str, Brought]) -> MemberReferrals:
    code = next((codes[id_] for id_ in member.ids if id_ in codes), "")
    return MemberReferrals(member.ids, code, brought.get(member.id, Brought()))


def _referral_of(document: Document) -> Referral:
    return Referral(
        id=document["referral"],
        member=document["member"],
        referrer=document["referrer"],
        at=document["at"],
        state=ReferralState(document["state"]),
        completed_at=document["completed_at"],
    )
