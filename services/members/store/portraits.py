"""Portraits and timelines in MongoDB, within the transaction of the consumer that heard of something."""

from collections.abc import Collection, Mapping, Sequence

from pymongo import UpdateOne

from services.kit.mongo.collections import Document
from services.kit.mongo.database import Database, Session
from services.kit.mongo.guards import write_guarded
from services.members.domain.merging import MOST_MERGES
from services.members.domain.portraits import InChain, Portrait
from services.members.domain.timeline import Happening
from services.members.store import timeline
from services.members.store.collections import MEMBERS
from services.members.store.documents import portrait_document, portrait_of
from services.members.usecases.portraits import FoundPortraits, Person

PORTRAIT = {
    "_id": False,
    "chain": True,
    "member": True,
    "portrait": True,
    "merged_into": True,
    "absorbed": True,
    "erased_at": True,
}


class MongoPortraits:
    """Portraits in one service's database. Read and written in one snapshot, so a change in between is a conflict."""

    def __init__(self, database: Database, session: Session) -> None:
        self._database, self._session = database, session
        self._members = database.collection(MEMBERS)

    async def find(self, members: Collection[InChain]) -> FoundPortraits:
        """Return the portraits of those members that exist, or of those whom they have gone to."""
        portraits: dict[InChain, Portrait] = {}
        persons: dict[InChain, Person] = {}
        next_of: dict[InChain, InChain] = {}
        asked = set(members)
        for _ in range(MOST_MERGES + 1):
            for one in await self._read(asked):
                key = one["chain"], one["member"]
                portraits[key] = portrait_of(one)
                persons[key] = Person((one["member"], *one["absorbed"]), erased=one["erased_at"] is not None)
                if one["merged_into"]:
                    next_of[key] = one["chain"], one["merged_into"]
            asked = set(next_of.values()) - set(portraits)
            if not asked:
                break
        return FoundPortraits(portraits, {key: _end(key, next_of) for key in members if key in next_of}, persons)

    async def note(self, told: Sequence[Happening]) -> Sequence[Happening]:
        """Write `told` into the timelines, and return what was not there before."""
        return await timeline.note(self._database, told, session=self._session)

    async def keep(self, changed: Mapping[InChain, Portrait]) -> None:
        """Write portraits that were found before."""
        writes = [
            UpdateOne({"chain": chain, "member": member}, {"$set": {"portrait": portrait_document(portrait)}})
            for (chain, member), portrait in sorted(changed.items())
        ]
        await write_guarded(self._members, writes, session=self._session)

    async def _read(self, members: Collection[InChain]) -> list[Document]:
        condition = {
            "chain": {"$in": sorted({chain for chain, _ in members})},
            "member": {"$in": sorted({member for _, member in members})},
        }
        return await self._members.find(condition, PORTRAIT, session=self._session).to_list(len(members))


def _end(key: InChain, next_of: Mapping[InChain, InChain]) -> InChain:
    while key in next_of:
        key = next_of[key]
    return key
