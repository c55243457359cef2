"""What writes events as a service does, and what receives them as a consumer does."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

from pymongo import UpdateOne

from services.kit.mongo.collections import Document, Keyed, Session
from services.kit.mongo.database import Database, create_indexes
from services.kit.mongo.guards import insert_new, write_guarded
from services.kit.outbox import outbox as outboxes
from services.kit.outbox.events import Event, EventCursor
from services.kit.outbox.outbox import OUTBOX, Outbox

AGGREGATES = Keyed("aggregates", ("chain", "aggregate"))


class Writer:
    """A replica of a service: each aggregate's document keeps the cursor of its events."""

    def __init__(self, database: Database, outbox: Outbox, clock: Callable[[], datetime]) -> None:
        self._database, self._outbox, self._clock = database, outbox, clock

    async def set_up(self) -> None:
        await create_indexes(self._database, AGGREGATES, [])
        await outboxes.set_up(self._database)

    async def happen(self, *aggregates: str, chain: str = "c") -> None:
        """Write one event of each aggregate, in one transaction."""

        async def body(session: Session) -> None:
            await self._outbox.write([await self._next(chain, each, session) for each in aggregates], session)

        await self._database.in_transaction(body)

    async def _next(self, chain: str, aggregate: str, session: Session) -> Event:
        rows = self._database.collection(AGGREGATES)
        which = {"chain": chain, "aggregate": aggregate}
        row = await rows.find_one(which, session=session)
        cursor = (EventCursor(**row["events"]) if row else EventCursor()).next(self._clock())
        events: Document = {"sequence": cursor.sequence, "at": cursor.at}
        if row is None:
            await insert_new(rows, [which | {"events": events}], session=session)
        else:
            unchanged = which | {"events.sequence": row["events"]["sequence"]}
            await write_guarded(rows, [UpdateOne(unchanged, {"$set": {"events": events}})], session=session)
        return an_event(chain=chain, aggregate=aggregate, cursor=cursor)


def an_event(*, chain: str, aggregate: str, cursor: EventCursor) -> Event:
    assert cursor.at is not None
    return Event(
        id=f"evt_{chain}_{aggregate}_{cursor.sequence}",
        chain=chain,
        stream="points.account",
        aggregate=aggregate,
        sequence=cursor.sequence,
        type="huitou.events.v1.PurchaseBooked",
        at=cursor.at,
        body=b"body",
    )


class Received(list[Event]):
    """A publisher that keeps what it was given, and counts as a consumer does."""

    def __init__(self) -> None:
        super().__init__()
        self.failures = 0  # how many of the next publications fail, after half of their events
        self.hanging = asyncio.Event()  # set when a publication hangs
        self.hang = False

    async def publish(self, events: Sequence[Event]) -> None:
        if self.failures:
            self.failures -= 1
            self.extend(events[: len(events) // 2])
            message = "the broker is away"
            raise ConnectionError(message)
        if self.hang:
            self.extend(events[: len(events) // 2])
            self.hanging.set()
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        self.extend(events)

    def counts(self) -> dict[tuple[str, str], int]:
        """Return the last sequence of each aggregate; a sequence that comes before its turn fails."""
        last: Counter[tuple[str, str]] = Counter()
        for event in self:
            key = (event.chain, event.aggregate)
            assert event.sequence <= last[key] + 1, f"{event.id} overtook another"
            last[key] = max(last[key], event.sequence)
        return dict(last)


async def left(database: Database, *chains: str) -> int:
    """Return how many events wait in the outbox."""
    return await database.collection(OUTBOX).count_documents({"chain": {"$in": list(chains or ["c"])}})
