"""Events made up for tests, and a handler whose effects can be counted."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pymongo import UpdateOne

from services.kit.mongo.collections import Keyed, Session
from services.kit.mongo.database import Database
from services.kit.outbox.events import Event

AT = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
CHAIN = "chn_1"
STREAM = "points.account"
EFFECTS = Keyed("effects", ("chain", "aggregate"))


def event(
    sequence: int, aggregate: str = "mem_1", *, stream: str = STREAM, body: bytes = b"body", traceparent: str = ""
) -> Event:
    return Event(
        id=f"evt_{stream}_{aggregate}_{sequence}",
        chain=CHAIN,
        stream=stream,
        aggregate=aggregate,
        sequence=sequence,
        type="huitou.events.v1.PurchaseBooked",
        at=AT,
        body=body,
        traceparent=traceparent,
    )


def events(count: int, aggregate: str = "mem_1") -> list[Event]:
    return [event(sequence, aggregate) for sequence in range(1, count + 1)]


@dataclass(slots=True)
class Effects:
    """Notes the sequence of every event it handles, in the event's own transaction; fails where it is told to."""

    database: Database
    fails: dict[tuple[str, int], Exception] = field(default_factory=dict)  # (aggregate, sequence) → what is raised
    tries: list[tuple[str, int]] = field(default_factory=list)
    handled: list[Event] = field(default_factory=list)
    gate: Callable[[], Awaitable[None]] | None = None  # awaited after the effects are written

    async def handle(self, events: Sequence[Event], session: Session) -> None:
        for one in events:
            self.tries.append((one.aggregate, one.sequence))
            if error := self.fails.get((one.aggregate, one.sequence)):
                raise error
        pushes = [
            UpdateOne(
                {"chain": one.chain, "aggregate": one.aggregate},
                {"$push": {one.stream.replace(".", "_"): one.sequence}},
                upsert=True,
            )
            for one in events
        ]
        await self.database.collection(EFFECTS).bulk_write(pushes, session=session)
        if self.gate:
            await self.gate()
        self.handled += events

    async def of(self, aggregate: str, *, stream: str = STREAM) -> list[int]:
        row = await self.database.collection(EFFECTS).find_one({"chain": CHAIN, "aggregate": aggregate})
        return list((row or {}).get(stream.replace(".", "_"), []))
