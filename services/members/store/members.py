"""Members in MongoDB: looking them up, by id and by identity."""

from collections.abc import Mapping, Sequence

from services.kit.mongo.database import Database
from services.members.domain.members import Member
from services.members.store.collections import IDENTITIES, MEMBERS
from services.members.store.documents import member_of


class MongoMembers:
    """Members of one service's database."""

    def __init__(self, database: Database) -> None:
        self._members = database.collection(MEMBERS)
        self._identities = database.collection(IDENTITIES)

    async def find(self, chain: str, ids: Sequence[str]) -> Mapping[str, Member]:
        """Return those of `ids` that exist, by id."""
        found = await self._members.find({"chain": chain, "member": {"$in": list(ids)}}).to_list(len(ids))
        return {one["member"]: member_of(one) for one in found}

    async def holders(self, chain: str, hashes: frozenset[bytes]) -> Mapping[bytes, str]:
        """Return the ids of the members who have them, by hash."""
        condition = {"chain": chain, "hash": {"$in": sorted(hashes)}}
        found = await self._identities.find(condition, {"_id": False, "hash": True, "member": True}).to_list(
            len(hashes)
        )
        return {one["hash"]: one["member"] for one in found}
