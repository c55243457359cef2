"""Units of work on members in MongoDB: read in one snapshot, written at the end, told in the same transaction."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from pymongo import ReplaceOne, UpdateOne

from services.kit.mongo.collections import Document
from services.kit.mongo.command_keys import keep, kept, row
from services.kit.mongo.database import Database, Session
from services.kit.mongo.guards import insert_new, write_guarded
from services.kit.outbox.events import EventCursor
from services.kit.outbox.outbox import Outbox
from services.members import events
from services.members.domain.chains import Chain
from services.members.domain.enrollment import Enroll
from services.members.domain.facts import MemberFact
from services.members.domain.identities import IdentityKind
from services.members.domain.likeness import is_comparable
from services.members.domain.members import Member, NoMemberError
from services.members.domain.merging import MOST_MERGES, Merge, NoMergeError
from services.members.domain.portraits import Portrait, portrait_from
from services.members.store import likenesses, timeline
from services.members.store.attributes import MongoAttributeWork
from services.members.store.collections import IDENTITIES, MEMBERS, MERGES
from services.members.store.consents import MongoConsentWork
from services.members.store.documents import (
    member_content,
    member_of,
    merge_document,
    merge_of,
    portrait_document,
    profile_bytes,
)
from services.members.store.export_collections import destroy_with
from services.members.store.follow_ups import MongoFollowUpWork
from services.members.store.forgetting import FORGOTTEN
from services.members.store.notes import MongoNoteWork
from services.members.store.profiles import PROFILE, place, profile_in
from services.members.store.referrals import MongoReferralWork
from services.members.store.vault import Vault
from services.members.usecases.units import CommandKey, Held, Unit

T = TypeVar("T")

BEFORE = "before"
"""What a merge keeps of the survivor is sealed as this."""


class MongoUnits:
    """Units of work on one service's database."""

    def __init__(self, database: Database, vault: Vault, outbox: Outbox) -> None:
        self._database, self._vault, self._outbox = database, vault, outbox

    async def run(
        self, chain: Chain, body: Callable[[Unit], Awaitable[T]], *, now: datetime, traceparent: str = ""
    ) -> T:
        """Do `body` in one transaction, again from the start when somebody else was first."""

        async def once(session: Session) -> T:
            unit = MongoUnit(self._database, self._vault, session, chain=chain.id, now=now)
            answer = await body(unit)
            await unit.write(self._outbox, traceparent=traceparent)
            return answer

        return await self._database.in_transaction(once)


class MongoUnit:
    """One transaction. Documents are read once and written once, at the end."""

    def __init__(self, database: Database, vault: Vault, session: Session, *, chain: str, now: datetime) -> None:
        self._database, self._vault, self._session = database, vault, session
        self._chain, self._now = chain, now
        self.consents = MongoConsentWork(database, session, chain=chain)
        self.referrals = MongoReferralWork(database, session, chain=chain)
        self.attributes = MongoAttributeWork(database, session, chain=chain)
        self.notes = MongoNoteWork(database, vault, session, chain=chain)
        self.follow_ups = MongoFollowUpWork(database, vault, session, chain=chain)
        self._documents: dict[str, Document] = {}
        self._keys: dict[str, bytes] = {}
        self._changed: dict[str, Member] = {}
        self._portraits: dict[str, Document] = {}
        self._told: list[MemberFact] = []
        self._admitted: dict[str, Enroll] = {}

    async def answered(self, command: CommandKey) -> bytes | None:
        """Return what was answered under the key, None when it is new."""
        found = await kept(self._database, self._chain, [command.key], session=self._session)
        return None if (first := found.get(command.key)) is None else first.answer_to(command.asked_for)

    async def answer(self, command: CommandKey, answer: bytes, *, summary: str) -> None:
        """Keep the answer under the key."""
        used = row(
            chain=self._chain,
            key=command.key,
            fingerprint=command.asked_for,
            answer=answer,
            summary=summary,
            now=self._now,
        )
        await keep(self._database, [used], session=self._session)

    async def members(self, ids: Collection[str]) -> Mapping[str, Member]:
        """Return those of `ids` that exist, just as they are, merged and erased ones too."""
        await self._load(ids)
        return {id_: self._member(id_) for id_ in ids if id_ in self._documents}

    async def survivor(self, member_id: str) -> Member:
        """Return the member, or the one that it has gone to."""
        wanted = member_id
        for _ in range(MOST_MERGES + 1):
            if (found := (await self.members([wanted])).get(wanted)) is None:
                break
            if not found.merged_into:
                return found
            wanted = found.merged_into
        raise NoMemberError(field="memberId", member=member_id)

    def keep(self, member: Member) -> None:
        """Write the member as it is now."""
        self._changed[member.id] = member

    async def held(self, hashes: Collection[bytes]) -> Mapping[bytes, Held]:
        """Return who has those identities."""
        if not hashes:
            return {}
        return {one.hash: one for one in await self._held({"hash": {"$in": sorted(hashes)}})}

    async def held_by(self, members: Collection[str]) -> Sequence[Held]:
        """Return the identities of those members."""
        return await self._held({"member": {"$in": sorted(members)}})

    async def take(self, identities: Iterable[Held]) -> None:
        """Give identities that were free; `Conflict` when one was taken meanwhile."""
        documents = [_held_document(self._chain, one) for one in identities]
        await insert_new(self._database.collection(IDENTITIES), documents, session=self._session)

    async def hand_over(self, identities: Iterable[Held]) -> None:
        """Write identities that somebody has as they are now."""
        writes = [
            ReplaceOne({"chain": self._chain, "hash": one.hash}, _held_document(self._chain, one)) for one in identities
        ]
        await write_guarded(self._database.collection(IDENTITIES), writes, session=self._session)

    async def release(self, hashes: Collection[bytes]) -> None:
        """Make identities free."""
        condition = {"chain": self._chain, "hash": {"$in": sorted(hashes)}}
        await self._database.collection(IDENTITIES).delete_many(condition, session=self._session)

    async def merge(self, id_: str) -> Merge:
        """Return a merge, or raise NoMergeError."""
        condition = {"chain": self._chain, "merge": id_}
        found = await self._database.collection(MERGES).find_one(condition, session=self._session)
        if found is None:
            raise NoMergeError(field="mergeId", merge=id_)
        keys = await self._vault.keys(self._chain, [found["survivor"]], session=self._session)
        where = place(self._chain, found["survivor"], f"{BEFORE} {id_}")
        return merge_of(found, profile_in(self._vault, found, keys.get(found["survivor"]), where=where))

    async def keep_merge(self, merge: Merge) -> None:
        """Write a merge, new or undone."""
        key = {"chain": self._chain, "merge": merge.id}
        content = merge_document(merge)
        if data_key := self._keys.get(merge.survivor):
            where = place(self._chain, merge.survivor, f"{BEFORE} {merge.id}")
            content[PROFILE] = self._vault.seal(data_key, profile_bytes(merge.before), place=where)

        await self._database.collection(MERGES).update_one(key, {"$set": content}, upsert=True, session=self._session)

    async def recount(self, member: Member) -> None:
        """Draw the member's portrait anew, from all that happened under its ids."""
        happened = await timeline.all_of(self._database, self._chain, member.ids, session=self._session)
        self._portraits[member.id] = portrait_document(portrait_from(happened))

    async def forget(self, members: Collection[str]) -> None:
        """Destroy the members' data keys, and delete whatever is kept of the persons beside the members themselves."""
        await self._vault.destroy(self._chain, sorted(members), now=self._now, session=self._session)
        condition = {"chain": self._chain, "member": {"$in": sorted(members)}}
        for keyed in FORGOTTEN:
            await self._database.collection(keyed).delete_many(condition, session=self._session)
        await timeline.forget_activities(self._database, self._chain, sorted(members), session=self._session)
        await destroy_with(self._database, self._vault, self._chain, sorted(members), session=self._session)
        for member in members:
            self._keys.pop(member, None)

    async def admit(self, commands: Sequence[Enroll]) -> None:
        """Write new members, whose identities are taken apart from this."""
        if not commands:
            return
        ids = [command.member.id for command in commands]
        made = await self._vault.make([(self._chain, id_) for id_ in ids], now=self._now, session=self._session)
        self._keys |= dict(zip(ids, made, strict=True))
        for command in commands:
            member = command.member
            self._admitted[member.id] = command
            self._changed[member.id] = member
            self._portraits[member.id] = portrait_document(Portrait(member.visits))
            self._documents[member.id] = {"events": {"sequence": 0, "at": None}}

    def tell(self, fact: MemberFact) -> None:
        """Let others hear of it."""
        self._told.append(fact)

    async def write(self, outbox: Outbox, *, traceparent: str) -> None:
        """Write what changed, each document once, and what is to be told."""
        cursors = {id_: EventCursor(**one["events"]) for id_, one in self._documents.items()}
        rows = []
        for id_, command in self._admitted.items():
            cursors[id_] = cursors[id_].next(command.at)
            rows.append(events.member_enrolled(command, cursors[id_]))
        for fact in self._told:
            cursors[fact.member] = cursors[fact.member].next(self._now)
            cursor = cursors[fact.member]
            rows.append(events.member_told(fact, cursor, chain=self._chain, now=self._now, traceparent=traceparent))
        touched = dict.fromkeys((*self._changed, *self._portraits, *(fact.member for fact in self._told)))
        writes = [
            UpdateOne({"chain": self._chain, "member": id_}, {"$set": self._content(id_, cursors[id_])})
            for id_ in touched
            if id_ not in self._admitted
        ]
        await write_guarded(self._database.collection(MEMBERS), writes, session=self._session)
        new = [{"chain": self._chain, "member": id_, **self._content(id_, cursors[id_])} for id_ in self._admitted]
        await insert_new(self._database.collection(MEMBERS), new, session=self._session)
        await self._mark()
        if rows:
            await outbox.write(rows, self._session)

    async def _mark(self) -> None:
        """Note for the job that finds duplicates who is new or has changed; the erased have nothing left to find."""
        new = [(self._chain, id_) for id_ in self._admitted if is_comparable(self._changed[id_])]
        await likenesses.mark_new(self._database, new, session=self._session)
        changed = {
            id_: is_comparable(member)
            for id_, member in self._changed.items()
            if id_ not in self._admitted and not member.erased_at and member.version != self._documents[id_]["version"]
        }
        await likenesses.mark_changed(self._database, self._chain, changed, session=self._session)

    def _content(self, id_: str, cursor: EventCursor) -> Document:
        content: Document = {"events": {"sequence": cursor.sequence, "at": cursor.at}}
        if (member := self._changed.get(id_)) is not None:
            content |= member_content(member)
            key = self._keys.get(id_)
            content[PROFILE] = (
                b""
                if key is None
                else self._vault.seal(key, profile_bytes(member.profile), place=place(self._chain, id_, PROFILE))
            )
        if (portrait := self._portraits.get(id_)) is not None:
            content["portrait"] = portrait
        return content

    def _member(self, id_: str) -> Member:
        if (changed := self._changed.get(id_)) is not None:
            return changed
        document = self._documents[id_]
        where = place(self._chain, id_, PROFILE)
        return member_of(document, profile_in(self._vault, document, self._keys.get(id_), where=where))

    async def _load(self, ids: Collection[str]) -> None:
        missing = sorted(set(ids) - set(self._documents))
        if not missing:
            return
        condition = {"chain": self._chain, "member": {"$in": missing}}
        found = self._database.collection(MEMBERS).find(condition, {"_id": False}, session=self._session)
        self._documents |= {one["member"]: one for one in await found.to_list(len(missing))}
        self._keys |= await self._vault.keys(self._chain, missing, session=self._session)

    async def _held(self, condition: Document) -> list[Held]:
        found = self._database.collection(IDENTITIES).find(
            {"chain": self._chain, **condition}, {"_id": False}, session=self._session
        )
        return [
            Held(
                one["hash"], IdentityKind(one["kind"]), one["member"], one.get("lost_at"), tuple(one.get("merges", ()))
            )
            for one in await found.to_list()
        ]


def _held_document(chain: str, held: Held) -> Document:
    return {
        "chain": chain,
        "hash": held.hash,
        "kind": held.kind.value,
        "member": held.member,
        "lost_at": held.lost_at,
        "merges": list(held.merges),
    }
