"""Sections that tell the documents of a collection as they are."""

from collections.abc import AsyncIterator, Callable, Collection, Sequence

from services.kit.member_records import Record, Section
from services.kit.mongo.collections import Document, Keyed
from services.kit.mongo.database import Database


def of_documents(
    database: Database,
    keyed: Keyed,
    name: str,
    *,
    by: str = "member",
    order: Sequence[str] = (),
    hidden: Collection[str] = (),
    told: Callable[[Document], Record] = lambda document: document,
) -> Section:
    """Return the section of a collection.

    `by` is the field that says whose a document is. `order` are those that sort it for good, by an index, with what is
    new last ("-": from the last on). `hidden` is what of a document is not the person's: the platform's own marks, or
    somebody else's data.
    """
    shown = dict.fromkeys(("_id", "chain", *hidden), False)

    async def read(chain: str, ids: Sequence[str], skip: int) -> AsyncIterator[Record]:
        condition: Document = {"chain": chain, by: {"$in": list(ids)}}
        found = database.collection(keyed).find(condition, shown).sort([_sorted(one) for one in order or (by,)])
        async for document in found.skip(skip):
            yield told(document)

    return Section(name, read, (keyed.name,))


def _sorted(name: str) -> tuple[str, int]:
    return name.removeprefix("-"), -1 if name[0] == "-" else 1
