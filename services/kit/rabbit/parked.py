"""Events that came before the one that they follow, kept until it has come."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict

from pymongo import IndexModel

from services.kit.mongo.collections import Document, Keyed, Session
from services.kit.mongo.database import Database, create_indexes
from services.kit.outbox.events import Event
from services.kit.rabbit.cursors import among, document_id
from services.kit.rabbit.sequencing import Origin

PARKED = Keyed("inbox_parked", ("chain", "aggregate"))

IN_ORDER = [("chain", 1), ("aggregate", 1), ("stream", 1), ("sequence", 1)]


class Parked:
    """The parked events of one service."""

    def __init__(self, database: Database) -> None:
        self._rows = database.collection(PARKED)

    async def which(self, places: Collection[tuple[Origin, int]], session: Session) -> set[tuple[Origin, int]]:
        """Return those of `places` (origin and sequence) that are parked."""
        ids = {document_id(origin, sequence): (origin, sequence) for origin, sequence in places}
        found = self._rows.find(among([origin for origin, _ in places], ids), {"_id": 1}, session=session)
        return {ids[row["_id"]] for row in await found.to_list(len(ids))}

    async def after(self, reached: Mapping[Origin, int], session: Session, *, most: int) -> list[Event]:
        """Return events that come after what is reached, one origin after the other, each in order."""
        later = [asdict(origin) | {"sequence": {"$gt": sequence}} for origin, sequence in reached.items()]
        found = self._rows.find({"$or": later}, session=session).sort(IN_ORDER).limit(most)
        return [_event(row) for row in await found.to_list(most)]

    async def find(self, origin: Origin, sequence: int) -> Event | None:
        """Return one event, if it is parked."""
        row = await self._rows.find_one(among([origin], [document_id(origin, sequence)]))
        return _event(row) if row else None

    async def add(self, events: Sequence[Event], session: Session) -> None:
        """Park events that are not parked yet."""
        await self._rows.insert_many([_row(event) for event in events], session=session)

    async def remove(self, places: Iterable[tuple[Origin, int]], session: Session) -> int:
        """Remove events; return how many there were."""
        places = list(places)
        ids = [document_id(origin, sequence) for origin, sequence in places]
        gone = await self._rows.delete_many(among([origin for origin, _ in places], ids), session=session)
        return gone.deleted_count


async def set_up(database: Database) -> None:
    """Create the collection and its index; safe to repeat."""
    await create_indexes(database, PARKED, [IndexModel(IN_ORDER, name="in_order")])


def _row(event: Event) -> Document:
    return asdict(event) | {"_id": document_id(Origin.of(event), event.sequence)}


def _event(row: Document) -> Event:
    return Event(**{name: value for name, value in row.items() if name != "_id"})
