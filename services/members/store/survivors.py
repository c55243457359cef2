"""Where members have gone to: read without opening anybody's profile."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pymongo import UpdateOne

from services.kit.mongo.collections import Document
from services.kit.mongo.database import Database, Session
from services.kit.mongo.guards import write_guarded
from services.members.domain.merging import MOST_MERGES
from services.members.store.collections import MEMBERS

_SHOWN = {"_id": False, "member": True, "merged_into": True, "absorbed": True, "erased_at": True}


@dataclass(frozen=True, slots=True)
class Survivor:
    """Who a member is by now. `ids` are all under which something may be known of it, its own first."""

    id: str
    ids: tuple[str, ...]
    erased: bool


async def survivors(
    database: Database, chain: str, members: Collection[str], *, session: Session | None = None
) -> Mapping[str, Survivor]:
    """Return those of `members` that exist, by the id that was asked for; one that was merged as where it has gone."""
    found: dict[str, Document] = {}
    missing = sorted(set(members))
    for _ in range(MOST_MERGES + 1):
        if not missing:
            break
        condition = {"chain": chain, "member": {"$in": missing}}
        some = await database.collection(MEMBERS).find(condition, _SHOWN, session=session).to_list(len(missing))
        found |= {one["member"]: one for one in some}
        missing = sorted({one["merged_into"] for one in some} - set(found) - {""})
    return {id_: _survivor(found[id_], found) for id_ in members if id_ in found}


async def hold(database: Database, chain: str, members: Collection[str], *, session: Session) -> None:
    """Write to members of whom something is written elsewhere in this transaction; `Conflict` when one is erased.

    To have read a member is not enough: an erasure at the same moment would neither see what is written, nor fail.
    """
    writes = [
        UpdateOne({"chain": chain, "member": id_, "erased_at": None}, {"$inc": {"held": 1}}) for id_ in sorted(members)
    ]
    await write_guarded(database.collection(MEMBERS), writes, session=session)


def _survivor(document: Document, found: Mapping[str, Document]) -> Survivor:
    while document["merged_into"] in found:
        document = found[document["merged_into"]]
    id_ = document["member"]
    return Survivor(id_, (id_, *document["absorbed"]), erased=document["erased_at"] is not None)
