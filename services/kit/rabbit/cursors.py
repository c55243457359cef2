"""How far a service has come with each aggregate's events."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from pymongo import UpdateOne

from services.kit.mongo.collections import Document, Keyed, Session
from services.kit.mongo.database import Database
from services.kit.outbox.events import Event
from services.kit.rabbit.sequencing import Origin

CURSORS = Keyed("inbox_cursors", ("chain", "aggregate"))

ERROR_LENGTH = 500
"""Characters kept of a handler's words."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far one aggregate has come."""

    sequence: int = 0  # the last that was applied
    parked: int = 0  # how many wait for the next one
    failed: int = 0  # the sequence that a handler failed at last; 0: none since the last success
    error: str = ""  # the handler's words then


async def read_cursors(
    database: Database, origins: Collection[Origin], *, session: Session | None = None
) -> dict[Origin, Cursor]:
    """Return how far each of `origins` has come; one that was never heard of is at the beginning."""
    found = database.collection(CURSORS).find(among(origins, map(document_id, origins)), session=session)
    cursors = dict.fromkeys(origins, Cursor())
    for row in await found.to_list(len(origins)):
        failed = row.get("failed") or {}
        cursors[Origin(row["chain"], row["aggregate"], row["stream"])] = Cursor(
            sequence=row["sequence"],
            parked=row["parked"],
            failed=failed.get("sequence", 0),
            error=failed.get("error", ""),
        )
    return cursors


async def count_heard(database: Database, chain: str) -> dict[str, int]:
    """Return how many events of each stream have been applied for `chain`: a sum over all its aggregates."""
    sums: list[Document] = [
        {"$match": {"chain": chain}},
        {"$group": {"_id": "$stream", "events": {"$sum": "$sequence"}}},
    ]
    return {row["_id"]: row["events"] for row in await database.aggregate(CURSORS, sums)}


async def note_failure(database: Database, event: Event, error: str) -> None:
    """Keep a handler's words about the next event of its aggregate, for whoever looks at dead letters."""
    origin = Origin.of(event)
    failed = {"sequence": event.sequence, "error": error[:ERROR_LENGTH]}
    start = {"stream": origin.stream, "sequence": 0, "parked": 0}
    await database.collection(CURSORS).update_one(
        cursor_key(origin), {"$set": {"failed": failed}, "$setOnInsert": start}, upsert=True
    )


def moved(origin: Origin, *, sequence: int, parked: int, before: Cursor) -> UpdateOne:
    """Return the write that brings a cursor from `before` to a new place."""
    change: Document = {
        "$set": {"sequence": sequence, "parked": parked},
        "$setOnInsert": {"stream": origin.stream},
    }
    if sequence > before.sequence:
        change["$unset"] = {"failed": ""}
    return UpdateOne(cursor_key(origin), change, upsert=True)


async def seed_cursors(database: Database, places: Mapping[Origin, int]) -> None:
    """Let events of these origins be heard from after these sequences on, for a subscriber that came later; whatever
    has been heard of already stays as it is."""
    if not places:
        return
    seeds = [
        UpdateOne(
            cursor_key(origin),
            {"$setOnInsert": {"stream": origin.stream, "sequence": sequence, "parked": 0}},
            upsert=True,
        )
        for origin, sequence in places.items()
    ]
    await database.collection(CURSORS).bulk_write(seeds, ordered=False)


def cursor_key(origin: Origin) -> Document:
    """Return the filter for the origin's cursor."""
    return {"chain": origin.chain, "aggregate": origin.aggregate, "_id": document_id(origin)}


def document_id(origin: Origin, sequence: int | None = None) -> str:
    """Return the `_id` of the origin's cursor, or of its parked event. A chain's id and a stream have no slash."""
    name = f"{origin.chain}/{origin.stream}/{origin.aggregate}"
    return name if sequence is None else f"{name}/{sequence}"


def among(origins: Iterable[Origin], ids: Iterable[str]) -> Document:
    """Return the filter for documents of `origins` by `_id`."""
    chains, aggregates = {origin.chain for origin in origins}, {origin.aggregate for origin in origins}
    return {"chain": {"$in": list(chains)}, "aggregate": {"$in": list(aggregates)}, "_id": {"$in": list(ids)}}
