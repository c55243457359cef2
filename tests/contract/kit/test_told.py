"""What a sandbox told and heard is counted; a real chain pays nothing for it."""

from collections.abc import Sequence

import pytest

from services.kit.mongo.database import Database, Session
from services.kit.outbox import outbox, told
from services.kit.outbox.events import Event
from services.kit.outbox.outbox import Outbox
from services.kit.rabbit import inbox
from services.kit.rabbit.cursors import count_heard
from services.kit.rabbit.inbox import Inbox
from tests.support.clock import START


def event(sequence: int, aggregate: str = "mem_1", *, chain: str = "sbx_1", stream: str = "points.account") -> Event:
    return Event(
        id=f"{chain}/{stream}/{aggregate}/{sequence}",
        chain=chain,
        stream=stream,
        aggregate=aggregate,
        sequence=sequence,
        type="huitou.events.v1.PurchaseBooked",
        at=START,
        body=b"",
    )


@pytest.fixture
async def prepared(database: Database) -> Database:
    for set_up in (outbox.set_up, told.set_up, inbox.set_up):
        await set_up(database)
    return database


async def write(database: Database, *events: Event) -> None:
    async def body(session: Session) -> None:
        await Outbox(database).write(events, session)

    await database.in_transaction(body)


async def test_told_events_are_counted_by_stream_and_stay_so_when_their_rows_are_gone(prepared: Database) -> None:
    await write(prepared, event(1), event(2), event(1, "mem_2"), event(1, stream="campaigns.coupon"))
    await write(prepared, event(3), event(1, chain="sbx_2"))
    await Outbox(prepared).delete([event(1), event(2), event(3)], partition=outbox.partition_of("mem_1", 8))
    assert await told.count_told(prepared, "sbx_1") == {"points.account": 4, "campaigns.coupon": 1}
    assert await told.count_told(prepared, "sbx_2") == {"points.account": 1}
    assert await told.count_told(prepared, "sbx_3") == {}


async def test_what_is_undone_was_not_told(prepared: Database) -> None:
    async def body(session: Session) -> None:
        await Outbox(prepared).write([event(1)], session)
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        await prepared.in_transaction(body)
    assert await told.count_told(prepared, "sbx_1") == {}


async def test_a_real_chain_writes_nothing_of_it(prepared: Database) -> None:
    await write(prepared, event(1, chain="chn_1"))
    assert await told.count_told(prepared, "chn_1") == {}


async def test_heard_is_what_was_applied(prepared: Database) -> None:
    async def handle(_events: Sequence[Event], _session: Session) -> None:
        pass

    taking = Inbox(prepared, handle=handle)
    await taking.take([event(1), event(2), event(2, "mem_2"), event(1, chain="sbx_2")])
    assert await count_heard(prepared, "sbx_1") == {"points.account": 2}  # mem_2's second waits for its first
    await taking.take([event(1, "mem_2")])
    assert await count_heard(prepared, "sbx_1") == {"points.account": 4}
    await taking.take([event(2), event(1, "mem_2")])
    assert await count_heard(prepared, "sbx_1") == {"points.account": 4}
