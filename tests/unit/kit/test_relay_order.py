"""Whatever fails and whenever events arrive: a relay's events come in order, none is missing, none stays behind."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.kit.mongo.leases import Lease
from services.kit.outbox import serving as module
from services.kit.outbox.events import Event, EventCursor
from services.kit.outbox.outbox import partition_of
from services.kit.outbox.serving import Serving

NOON = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
AWAY = ConnectionError("away")


@dataclass
class Store:
    """An outbox in memory: sorted as the real one is."""

    fails: list[bool]
    events: dict[str, Event] = field(default_factory=dict)

    async def first(self, chain: str, partition: int, *, most: int) -> list[Event]:
        await asyncio.sleep(0)
        lane = [
            each
            for each in self.events.values()
            if each.chain == chain and partition_of(each.aggregate, 2) == partition
        ]
        return sorted(lane, key=lambda each: (each.at, each.sequence))[:most]

    async def delete(self, events: Sequence[Event], *, partition: int) -> None:
        await asyncio.sleep(0)
        if self.fails and self.fails.pop():
            raise AWAY
        for event in events:
            assert partition_of(event.aggregate, 2) == partition
            del self.events[event.id]


@dataclass
class Broker:
    """Fails after a part of what it was given, as often as it is told to."""

    fails_after: list[int | None]
    received: list[Event] = field(default_factory=list)

    async def publish(self, events: Sequence[Event]) -> None:
        after = self.fails_after.pop() if self.fails_after else None
        for event in events[:after]:
            await asyncio.sleep(0)
            self.received.append(event)
        if after is not None:
            raise AWAY


def consumed(received: Sequence[Event]) -> Counter[str]:
    """Count as a consumer does: what was seen is dropped, and nothing may come before its turn."""
    last: Counter[str] = Counter()
    for event in received:
        lane = f"{event.chain}/{event.aggregate}"
        assert event.sequence <= last[lane] + 1
        last[lane] = max(last[lane], event.sequence)
    return last


Happening = tuple[str, str, int]  # chain, aggregate, how many seconds the replica's clock is off


async def relay(happenings: Sequence[Happening], store: Store, broker: Broker) -> Counter[str]:
    """Let `happenings` be written while both partitions are relayed; return how many events each aggregate had."""
    loop = asyncio.get_running_loop()
    servings = [
        Serving(store, broker, partition=number, lease=Lease("partition", "relay", 1, loop.time() + 60))
        for number in range(2)
    ]
    cursors: dict[str, EventCursor] = {}
    for number, (chain, aggregate, skew_s) in enumerate(happenings):
        lane = f"{chain}/{aggregate}"
        cursor = cursors[lane] = cursors.get(lane, EventCursor()).next(NOON + timedelta(seconds=skew_s))
        assert cursor.at is not None
        store.events[str(number)] = Event(
            id=str(number),
            chain=chain,
            stream="points.account",
            aggregate=aggregate,
            sequence=cursor.sequence,
            type="huitou.events.v1.PurchaseBooked",
            at=cursor.at,
            body=b"",
        )
        servings[partition_of(aggregate, 2)].wake(chain)
        await asyncio.sleep(0)
    async with asyncio.timeout(10):
        for serving in servings:
            await serving.settled()
            serving.finish()
            await serving.finished()
    return Counter({lane: cursor.sequence for lane, cursor in cursors.items()})


@example([("c", "t", 0), ("c", "s", 0), *[("c", "t", 0)] * 3, ("c", "s", 0)], [], [True, False], 2)
@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("cd"), st.sampled_from("stuv"), st.integers(-60, 60)), min_size=1, max_size=30),
    st.lists(st.one_of(st.none(), st.integers(0, 3)), max_size=8),
    st.lists(st.booleans(), max_size=4),
    st.integers(1, 5),
)
def test_order_holds_whatever_fails(
    happenings: list[Happening], fails_after: list[int | None], delete_fails: list[bool], at_once: int
) -> None:
    failing = any(after is not None for after in fails_after)
    store, broker = Store(list(delete_fails)), Broker(list(fails_after))
    with patch.object(module, "AT_ONCE", at_once), patch.object(module, "LONGEST_REST_S", 0):
        written = asyncio.run(relay(happenings, store, broker))
    assert consumed(broker.received) == written
    assert store.events == {}
    if not failing:
        assert len(broker.received) == len(happenings)
