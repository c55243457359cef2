"""Portraits in MongoDB, within the transaction of the consumer that heard of something."""

from collections.abc import Collection, Mapping

from pymongo import UpdateOne

from services.kit.mongo.database import Database, Session
from services.kit.mongo.guards import write_guarded
from services.members.domain.portraits import InChain, Portrait
from services.members.store.collections import MEMBERS
from services.members.store.documents import portrait_document, portrait_of

PORTRAIT = {"_id": False, "chain": True, "member": True, "portrait": True}


class MongoPortraits:
    """Portraits in one service's database. Read and written in one snapshot, so a change in between is a conflict."""

    def __init__(self, database: Database, session: Session) -> None:
        self._members, self._session = database.collection(MEMBERS), session

    async def find(self, members: Collection[InChain]) -> Mapping[InChain, Portrait]:
        """Return the portraits of those members that exist."""
        condition = {
            "chain": {"$in": sorted({chain for chain, _ in members})},
            "member": {"$in": sorted({member for _, member in members})},
        }
        found = await self._members.find(condition, PORTRAIT, session=self._session).to_list(len(members))
        return {(one["chain"], one["member"]): portrait_of(one) for one in found}

    async def keep(self, changed: Mapping[InChain, Portrait]) -> None:
        """Write portraits that were found before."""
        writes = [
            UpdateOne({"chain": chain, "member": member}, {"$set": {"portrait": portrait_document(portrait)}})
            for (chain, member), portrait in sorted(changed.items())
        ]
        await write_guarded(self._members, writes, session=self._session)
