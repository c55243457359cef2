"""The latest of what is kept under each of many members' ids, in one query."""

from collections.abc import Collection

from services.kit.mongo.collections import Document, Keyed
from services.kit.mongo.database import Database


async def latest_of_each(
    database: Database,
    keyed: Keyed,
    chain: str,
    members: Collection[str],
    *,
    by: str,
    before: str,
    first: int,
    condition: Document | None = None,
) -> dict[str, list[Document]]:
    """Return by member up to `first` documents of `keyed` before `before` (empty: all), by the field `by` downwards."""
    wanted: Document = {"chain": chain, "member": {"$in": sorted(members)}, **(condition or {})}
    if before:
        wanted[by] = {"$lt": before}
    latest = {"$topN": {"n": first, "sortBy": {by: -1}, "output": "$$ROOT"}}
    pipeline = [{"$match": wanted}, {"$group": {"_id": "$member", "latest": latest}}]
    found = await database.aggregate(keyed, pipeline, limit=max(1, len(members)))
    return {one["_id"]: one["latest"] for one in found}
