"""Events taken in order and once: how far each aggregate has come, and what came too early, in the same transaction
as the effects.

Every transaction that applies or parks an event of an aggregate writes the aggregate's cursor. So two consumers that
have the same aggregate for a moment (one was cut off and does not know yet) never both succeed with it.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace

from opentelemetry.trace import Span

from services.kit.mongo.collections import Session
from services.kit.mongo.database import Database, create_indexes
from services.kit.outbox.events import Event
from services.kit.rabbit import parked as parking
from services.kit.rabbit.cursors import (
    CURSORS,
    Cursor,
    cursor_key,
    moved,
    note_failure,
    read_cursors,
)
from services.kit.rabbit.sequencing import Arranged, Origin, arrange
from services.kit.telemetry import SpanKind, current_traceparent, span

MAX_PARKED = 1_000
"""Early events kept for one aggregate. More means that the missing one is a dead letter that nobody looks after;
they become dead letters themselves, in order, instead of filling the database."""

FOLLOW = 500
"""Parked events that one transaction applies at most."""

Place = tuple[Origin, int]
"""An origin and a sequence: one event's place in the order."""

Handle = Callable[[Sequence[Event], Session], Awaitable[None]]
"""`handle(events, session)`: writes the effects of all `events` through `session`, each aggregate's in order.

May be called again with the same events when the transaction was not committed, so it keeps nothing elsewhere. The
`traceparent` of each event is the span in which it is handled: the parent for whatever follows from it.
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """What is left to do after a transaction."""

    refused: tuple[Event, ...] = ()  # too many of their aggregate are parked already
    unfinished: tuple[Origin, ...] = ()  # a parked event is now next: take again


class Inbox:
    """The inbox of one service."""

    def __init__(
        self, database: Database, *, handle: Handle, max_parked: int = MAX_PARKED, follow: int = FOLLOW
    ) -> None:
        self._database, self._handle = database, handle
        self._max_parked, self._follow = max_parked, follow
        self._parked = parking.Parked(database)

    async def take(self, events: Sequence[Event], *, origins: Iterable[Origin] = (), follow: int = -1) -> Taken:
        """Apply what is next of `events`, park what is early, drop what was applied before; all in one transaction.

        Parked events of the same aggregates, and of `origins`, that have become next are applied with them: at most
        `follow` (negative: as many as the inbox does at once). Raises what the handler raises, and then nothing is
        written.
        """
        touched = tuple(dict.fromkeys([*origins, *map(Origin.of, events)]))
        most = self._follow if follow < 0 else follow

        async def body(session: Session) -> Taken:
            return await self._take(events, touched, most, session)

        return await self._database.in_transaction(body)

    async def _take(self, events: Sequence[Event], origins: Collection[Origin], most: int, session: Session) -> Taken:
        cursors = await read_cursors(self._database, origins, session=session)
        reached = {origin: cursor.sequence for origin, cursor in cursors.items()}
        arranged = arrange(events, reached)
        waiting = {origin: arranged.reached[origin] for origin, cursor in cursors.items() if cursor.parked}
        parked = await self._parked_among(events, waiting, session)
        ready = {origin: last for origin, last in waiting.items() if (origin, last + 1) in parked}
        followers = await self._parked.after(ready, session, most=most) if ready and most else []
        if followers:
            arranged = arrange([*events, *followers], reached)
            parked |= {_place(event) for event in followers}
        if arranged.apply:
            await self._apply(arranged.apply, session)
        refused = await self._save(cursors, arranged, parked, session)
        # All that were ready are looked at again when the bound was met: one empty question more at worst.
        return Taken(refused=tuple(refused), unfinished=tuple(ready) if len(followers) >= most else ())

    async def _apply(self, events: Sequence[Event], session: Session) -> None:
        with ExitStack() as spans:
            handled = []
            for event in events:
                spans.enter_context(_handling(event))
                handled.append(replace(event, traceparent=current_traceparent()))
            await self._handle(handled, session)

    async def _parked_among(
        self, events: Iterable[Event], waiting: Mapping[Origin, int], session: Session
    ) -> set[Place]:
        """Return which of `events`, and of the next ones of the origins that wait, are parked."""
        if not waiting:
            return set()
        places = {place for place in map(_place, events) if place[0] in waiting}
        return await self._parked.which(places | {(origin, last + 1) for origin, last in waiting.items()}, session)

    async def _save(
        self, cursors: Mapping[Origin, Cursor], arranged: Arranged, parked: Collection[Place], session: Session
    ) -> list[Event]:
        """Write what is parked and the cursors; return those events for which there is no room.

        `parked`: the places of all parked events that are concerned.
        """
        counts = {origin: cursor.parked for origin, cursor in cursors.items()}
        if past := {_place(event) for event in arranged.apply} & set(parked):
            await self._parked.remove(past, session)
            for origin, _ in past:
                counts[origin] -= 1
        kept, refused = [], []
        for event in arranged.early:
            origin = Origin.of(event)
            if (origin, event.sequence) in parked:
                continue
            if counts[origin] >= self._max_parked:
                refused.append(event)
            else:
                counts[origin] += 1
                kept.append(event)
        if kept:
            await self._parked.add(kept, session)
        updates = [
            moved(origin, sequence=arranged.reached[origin], parked=counts[origin], before=cursor)
            for origin, cursor in cursors.items()
            if (arranged.reached[origin], counts[origin]) != (cursor.sequence, cursor.parked)
        ]
        if updates:
            await self._database.collection(CURSORS).bulk_write(updates, ordered=False, session=session)
        return refused

    async def next_parked(self, origin: Origin) -> Event | None:
        """Return the parked event that is next in its order, if there is one."""
        reached = (await read_cursors(self._database, [origin]))[origin].sequence
        return await self._parked.find(origin, reached + 1)

    async def note_failure(self, event: Event, error: str) -> None:
        """Keep a handler's words about the next event of its aggregate, for whoever looks at dead letters."""
        await note_failure(self._database, event, error)

    async def forget_parked(self, event: Event) -> None:
        """Remove a parked event that has been put back into its queue."""
        origin = Origin.of(event)

        async def body(session: Session) -> None:
            gone = await self._parked.remove([_place(event)], session)
            await self._database.collection(CURSORS).update_one(
                cursor_key(origin), {"$inc": {"parked": -gone}}, session=session
            )

        await self._database.in_transaction(body)


async def set_up(database: Database) -> None:
    """Create the collections and their indexes; safe to repeat."""
    await create_indexes(database, CURSORS, [])
    await parking.set_up(database)


def _place(event: Event) -> Place:
    return Origin.of(event), event.sequence


def _handling(event: Event) -> AbstractContextManager[Span]:
    kind = event.type.rpartition(".")[2]
    return span(
        f"handle {kind}",
        SpanKind.CONSUMER,
        parent_traceparent=event.traceparent,
        attributes={
            "messaging.system": "rabbitmq",
            "messaging.operation.type": "process",
            "messaging.message.id": event.id,
            "huitou.stream": event.stream,
        },
    )
