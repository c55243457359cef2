"""One transaction over invitations, answers, cases, known members, command keys and the outbox."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from pymongo import UpdateOne

from services.feedback.domain import Answer, Case, Invitation
from services.feedback.events import opened
from services.feedback.store.collections import ANSWERS, CASES, INVITATIONS, KNOWN_MEMBERS
from services.feedback.store.documents import (
    answer_document,
    case_document,
    case_of,
    invitation_document,
    invitation_of,
)
from services.feedback.store.merges import MongoMerges
from services.feedback.usecases.answers import Answered, AnswerSurvey, Name
from services.feedback.usecases.merges import Joined
from services.kit.mongo import command_keys
from services.kit.mongo.database import Database, Session
from services.kit.mongo.guards import insert_new, write_guarded
from services.kit.outbox.events import EventCursor
from services.kit.outbox.outbox import Outbox


class MongoUnit:
    """One transaction."""

    def __init__(self, database: Database, outbox: Outbox, session: Session) -> None:
        self._database, self._outbox, self._session = database, outbox, session
        self._merges = MongoMerges(database, session)

    async def asked_about(self, members: Collection[Name], *, since: datetime) -> Mapping[Name, datetime]:
        """Return when the newest purchase took place that each member was asked about, under any of its ids, if after
        `since`."""
        families = await self._merges.families(members)
        wanted = {
            "chain": {"$in": sorted({chain for chain, _ in members})},
            "member": {"$in": sorted({id_ for family in families.values() for id_ in family})},
            "occurred_at": {"$gt": since},
        }
        only = {"_id": False, "chain": True, "member": True, "occurred_at": True}
        found = await self._database.collection(INVITATIONS).find(wanted, only, session=self._session).to_list(None)
        newest: dict[Name, datetime] = {}
        for one in found:
            name = one["chain"], one["member"]
            newest[name] = max(one["occurred_at"], newest.get(name, one["occurred_at"]))
        asked = {
            name: [newest[name[0], id_] for id_ in family if (name[0], id_) in newest]
            for name, family in families.items()
        }
        return {name: max(moments) for name, moments in asked.items() if moments}

    async def families(self, members: Collection[Name]) -> Mapping[Name, frozenset[str]]:
        """Return the ids that are one with each member, its own among them."""
        return await self._merges.families(members)

    async def save(self, joined: Sequence[Joined]) -> None:
        """Keep who went into whom, in their order."""
        await self._merges.save(joined)

    async def is_erased(self, chain: str, member: str) -> bool:
        """Tell whether the member is forgotten; who would forget it now waits for this transaction."""
        # Counted up, so that an erasure at the same time conflicts: else it would not see this answer, nor this it.
        known = await self._database.collection(KNOWN_MEMBERS).find_one_and_update(
            {"chain": chain, "member": member}, {"$inc": {"answers": 1}}, session=self._session
        )
        return known is not None and "erased_at" in known

    async def erase(self, chain: str, member: str, *, at: datetime) -> None:
        """Delete what the member said in words, for good, and keep that this was done."""
        which = {"chain": chain, "member": member}
        await self._database.collection(KNOWN_MEMBERS).bulk_write(
            [UpdateOne(which, {"$min": {"erased_at": at}}, upsert=True)], session=self._session
        )
        for keyed in (ANSWERS, CASES):
            await self._database.collection(keyed).update_many(
                {**which, "comment": {"$ne": ""}}, {"$set": {"comment": ""}}, session=self._session
            )

    async def add_invitations(self, invitations: Sequence[tuple[str, Invitation]]) -> None:
        """Write invitations, each with its chain."""
        documents = [invitation_document(chain, invitation) for chain, invitation in invitations]
        await insert_new(self._database.collection(INVITATIONS), documents, session=self._session)

    async def keep_members(self, members: Collection[Name]) -> None:
        """Remember who exists."""
        writes = [
            UpdateOne({"chain": chain, "member": member}, {"$setOnInsert": {}}, upsert=True)
            for chain, member in sorted(set(members))
        ]
        await self._database.collection(KNOWN_MEMBERS).bulk_write(writes, ordered=True, session=self._session)

    async def answered_before(self, chain: str, command: AnswerSurvey) -> Answered | None:
        """Return the first answer to the key; raise `KeyReusedError` when the key came with other content."""
        found = await command_keys.kept(self._database, chain, [command.key], session=self._session)
        if (first := found.get(command.key)) is None:
            return None
        answer, _, case = first.answer_to(command.fingerprint()).decode().partition(" ")
        return Answered(answer, await self._case(chain, command.member, case) if case else None, repeated_call=True)

    async def invitation(self, chain: str, *, member: str, invitation: str) -> Invitation | None:
        """Return the invitation of the member, or of an id that is one with it."""
        family = (await self._merges.families([(chain, member)]))[chain, member]
        which = {"chain": chain, "member": {"$in": sorted(family)}, "invitation": invitation}
        found = await self._database.collection(INVITATIONS).find_one(which, session=self._session)
        return invitation_of(found) if found else None

    async def add_answer(
        self, chain: str, command: AnswerSurvey, answer: Answer, case: Case | None, *, invited: Invitation | None
    ) -> None:
        """Write the answer, the invitation's end, the case and its event, and the answer to the key."""
        document = answer_document(chain, answer)
        await insert_new(self._database.collection(ANSWERS), [document], session=self._session)
        if invited is not None:
            waiting = {"chain": chain, "member": invited.member, "invitation": invited.id, "answer": ""}
            end = UpdateOne(waiting, {"$set": {"answer": answer.id}})
            await write_guarded(self._database.collection(INVITATIONS), [end], session=self._session)
        if case:
            await self._add_case(chain, case, traceparent=command.traceparent)
        # The ids only: what the member wrote must not outlive its erasure in a kept answer.
        row = command_keys.row(
            chain=chain,
            key=command.key,
            fingerprint=command.fingerprint(),
            answer=f"{answer.id} {case.id if case else ''}".encode(),
            summary=f"score {answer.score} of {answer.member}",
            now=answer.answered_at,
        )
        await command_keys.keep(self._database, [row], session=self._session)

    async def _add_case(self, chain: str, case: Case, *, traceparent: str) -> None:
        cursor = EventCursor().next(case.opened_at)
        document = case_document(chain, case, cursor)
        await insert_new(self._database.collection(CASES), [document], session=self._session)
        await self._outbox.write([opened(chain, case, cursor, traceparent=traceparent)], self._session)

    async def _case(self, chain: str, member: str, case: str) -> Case | None:
        found = await self._database.collection(CASES).find_one(
            {"chain": chain, "member": member, "case": case}, session=self._session
        )
        return case_of(found) if found else None
