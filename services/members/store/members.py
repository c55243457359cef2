"""Members in MongoDB: looking them up, by id and by identity."""

import asyncio
from collections.abc import Mapping, Sequence

from services.kit.mongo.collections import Document
from services.kit.mongo.database import Database
from services.members.domain.members import Member
from services.members.domain.merging import MOST_MERGES
from services.members.store.collections import IDENTITIES, MEMBERS
from services.members.store.documents import member_of
from services.members.store.profiles import PROFILE, place, profile_in
from services.members.store.vault import Vault


class MongoMembers:
    """Members of one service's database."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._vault = vault
        self._members = database.collection(MEMBERS)
        self._identities = database.collection(IDENTITIES)

    async def find(self, chain: str, ids: Sequence[str]) -> Mapping[str, Member]:
        """Return those of `ids` that exist, by the id that was asked for; one that was merged as where it has gone."""
        found: dict[str, Member] = {}
        missing = list(dict.fromkeys(ids))
        for _ in range(MOST_MERGES + 1):
            found |= await self._exactly(chain, missing)
            missing = sorted({one.merged_into for one in found.values()} - set(found) - {""})
            if not missing:
                break
        return {id_: _end(found[id_], found) for id_ in ids if id_ in found}

    async def ids_of(self, chain: str, member_id: str) -> tuple[str, ...]:
        """Return all ids under which something may be known of the member; none of one that does not exist."""
        found = (await self.find(chain, [member_id])).get(member_id)
        return () if found is None else found.ids

    async def holders(self, chain: str, hashes: frozenset[bytes]) -> Mapping[bytes, str]:
        """Return the ids of the members who have them, by hash. What was lost names nobody."""
        condition = {"chain": chain, "hash": {"$in": sorted(hashes)}}
        shown = {"_id": False, "hash": True, "member": True, "lost_at": True}
        found = await self._identities.find(condition, shown).to_list(len(hashes))
        return {one["hash"]: one["member"] for one in found if not one.get("lost_at")}

    async def _exactly(self, chain: str, ids: Sequence[str]) -> dict[str, Member]:
        condition = {"chain": chain, "member": {"$in": list(ids)}}
        documents, keys = await asyncio.gather(
            self._members.find(condition).to_list(len(ids)), self._vault.keys(chain, ids)
        )
        # Who was enrolled between the two reads has a document and, to the first of them, no key yet.
        late = [one["member"] for one in documents if one["member"] not in keys and not one["erased_at"]]
        if late:
            keys |= await self._vault.keys(chain, late)
        return {one["member"]: self._member(one, keys) for one in documents}

    def _member(self, document: Document, keys: Mapping[str, bytes]) -> Member:
        id_ = document["member"]
        where = place(document["chain"], id_, PROFILE)
        return member_of(document, profile_in(self._vault, document, keys.get(id_), where=where))


def _end(member: Member, found: Mapping[str, Member]) -> Member:
    while member.merged_into in found:
        member = found[member.merged_into]
    return member
