"""What members said, in MongoDB: read by the page, changed in units."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from pymongo import ASCENDING, DESCENDING

from services.feedback.domain import Case, Invitation
from services.feedback.store.collections import CASES, INVITATIONS, KNOWN_MEMBERS
from services.feedback.store.documents import Document, case_of, invitation_of
from services.feedback.store.merges import MongoMerges
from services.feedback.store.units import MongoUnit
from services.kit.mongo.collections import Keyed
from services.kit.mongo.database import Database, Session
from services.kit.outbox.outbox import Outbox

T = TypeVar("T")


class MongoVoices:
    """Invitations, answers, cases, known members and the outbox of one service's database."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database, self._outbox = database, outbox

    async def in_unit(self, body: Callable[[MongoUnit], Awaitable[T]]) -> T:
        """Return what `body` returns once it is committed; `body` runs again when somebody else was faster.

        A transaction for each command, not a group commit: people answer by the dozen a second, and no two of them
        change the same thing.
        """
        return await self._database.in_transaction(lambda session: body(self.unit(session)))

    def unit(self, session: Session) -> MongoUnit:
        """Return what is read and written within the transaction of `session`."""
        return MongoUnit(self._database, self._outbox, session)

    async def known(self, chain: str, ids: frozenset[str]) -> frozenset[str]:
        """Return those of `ids` that are known."""
        wanted = {"chain": chain, "member": {"$in": sorted(ids)}}
        found = await self._database.collection(KNOWN_MEMBERS).find(wanted).to_list(len(ids))
        return frozenset(one["member"] for one in found)

    async def cases(
        self, chain: str, members: Sequence[str], *, after: str, first: int
    ) -> Mapping[str, Sequence[Case]]:
        """Return up to `first` cases of each member that are older than the case `after`, the newest first."""
        wanted: Document = {"case": {"$lt": after}} if after else {}
        found = await self._newest(CASES, chain, members, wanted, by="case", first=first)
        return {member: [case_of(one) for one in some] for member, some in found.items()}

    async def waiting(self, chain: str, members: Sequence[str], *, first: int) -> Mapping[str, Sequence[Invitation]]:
        """Return up to `first` unanswered invitations of each member, the newest first."""
        found = await self._newest(INVITATIONS, chain, members, {"answer": ""}, by="invitation", first=first)
        return {member: [invitation_of(one) for one in some] for member, some in found.items()}

    async def _newest(
        self, keyed: Keyed, chain: str, members: Sequence[str], wanted: Document, *, by: str, first: int
    ) -> Mapping[str, list[Document]]:
        """Return the `first` newest of each member, and of the ids that are one with it, with one query: a member has
        few, so that reading them all costs less than a query for each member."""
        families = await MongoMerges(self._database).families({(chain, member) for member in members})
        ids = sorted({id_ for family in families.values() for id_ in family})
        pipeline: list[Document] = [
            {"$match": {"chain": chain, "member": {"$in": ids}, **wanted}},
            {"$sort": {"member": ASCENDING, by: DESCENDING}},
            {"$group": {"_id": "$member", "newest": {"$firstN": {"input": "$$ROOT", "n": first}}}},
        ]
        found = await self._database.aggregate(keyed, pipeline)
        by_id = {one["_id"]: one["newest"] for one in found}
        of = {member: [one for id_ in family for one in by_id.get(id_, ())] for (_, member), family in families.items()}
        return {member: sorted(some, key=lambda one: one[by], reverse=True)[:first] for member, some in of.items()}
