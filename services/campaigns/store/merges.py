"""Who is one with whom: members that were merged, in MongoDB.

Nothing that a member has is moved. Whoever reads looks at all ids that are one by now; each thing keeps the id that it
came under, and so goes with it when a merge is undone.
"""

from collections.abc import Collection, Mapping, Sequence

from pymongo import UpdateOne

from services.campaigns.store.collections import MERGED_MEMBERS
from services.campaigns.usecases.merges import Joined, Name
from services.kit.mongo.collections import Document
from services.kit.mongo.database import Database, Session

MOST_MERGES = 10
"""How many members may have gone into one another, one after the other: beyond that none is looked for."""


class MongoMerges:
    """Merged members of one service's database, within a transaction or without."""

    def __init__(self, database: Database, session: Session | None = None) -> None:
        self._merged = database.collection(MERGED_MEMBERS)
        self._session = session

    async def save(self, joined: Sequence[Joined]) -> None:
        """Keep who went into whom, or, with nobody to go into, that this merge is undone; in their order."""
        for one in joined:
            which: Document = {"chain": one.chain, "member": one.member}
            if one.into:
                content = {"$set": {"into": one.into, "merge": one.merge}}
                await self._merged.bulk_write([UpdateOne(which, content, upsert=True)], session=self._session)
            else:
                await self._merged.delete_one({**which, "merge": one.merge}, session=self._session)

    async def families(self, names: Collection[Name]) -> Mapping[Name, frozenset[str]]:
        """Return the ids that are one with each (chain, member), its own among them."""
        found: dict[Name, frozenset[str]] = {}
        for chain in sorted({chain for chain, _ in names}):
            members = {member for of, member in names if of == chain}
            roots = await self._roots(chain, members)
            below = await self._below(chain, set(roots.values()))
            found.update({(chain, member): below[root] for member, root in roots.items()})
        return found

    async def _roots(self, chain: str, members: set[str]) -> dict[str, str]:
        roots = {member: member for member in members}
        for _ in range(MOST_MERGES):
            into = {one["member"]: one["into"] for one in await self._find(chain, "member", set(roots.values()))}
            if not into:
                break
            roots = {member: into.get(root, root) for member, root in roots.items()}
        return roots

    async def _below(self, chain: str, roots: set[str]) -> dict[str, frozenset[str]]:
        root_of = {root: root for root in roots}
        layer = roots
        for _ in range(MOST_MERGES):
            some = await self._find(chain, "into", layer)
            layer = {one["member"] for one in some} - root_of.keys()
            if not layer:
                break
            root_of |= {one["member"]: root_of[one["into"]] for one in some if one["member"] in layer}
        return {root: frozenset(one for one, of in root_of.items() if of == root) for root in roots}

    async def _find(self, chain: str, field: str, values: set[str]) -> list[Document]:
        which = {"chain": chain, field: {"$in": sorted(values)}}
        return await self._merged.find(which, {"_id": False}, session=self._session).to_list(None)
