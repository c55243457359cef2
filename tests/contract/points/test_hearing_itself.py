"""Points as a subscriber of its own stream: what was told before it was one is not waited for."""

from dataclasses import replace
from functools import partial

import pytest
from google.protobuf.message import Message

from protos.events.v1 import members_pb2, points_pb2
from services.kit.mongo.database import Database
from services.kit.outbox.events import Event
from services.kit.rabbit import inbox
from services.kit.rabbit.cursors import Cursor, read_cursors, seed_cursors
from services.kit.rabbit.messages import PoisonError
from services.kit.rabbit.sequencing import Origin
from services.points.consumers import Handlers, MembersHandler, SalesHandler
from services.points.domain.purchases import Line
from services.points.domain.refunds import RefundLine
from services.points.domain.sold_receipts import sold_of
from services.points.events.told import STREAM, sold
from services.points.store.collections import ACCOUNTS, SALES
from services.points.store.copies import MongoCopies
from services.points.store.items import ItemCopies
from services.points.store.merges import MongoHeardMerges
from services.points.store.migrations import MIGRATIONS
from services.points.store.receipt_reports import MongoReceipts
from services.points.store.referrals import MongoHeardReferrals
from services.points.store.sales import MongoSalesNews, MongoSalesRoll
from services.points.store.stores import StoreCopies
from tests.contract.points.booked import CHAIN, booker_on, day
from tests.contract.points.desk import KnownMembers
from tests.contract.points.selling import Seller
from tests.support.clock import START, FixedClock


def event(body: Message, stream: str, aggregate: str, raw: bytes | None = None) -> Event:
    return Event(
        id=f"{aggregate}/1",
        chain=CHAIN,
        stream=stream,
        aggregate=aggregate,
        sequence=1,
        type=body.DESCRIPTOR.full_name,
        at=START,
        body=body.SerializeToString() if raw is None else raw,
    )


async def test_what_was_told_before_is_not_waited_for(database: Database) -> None:
    async with booker_on(database) as booker:
        await inbox.set_up(database)
        await booker.book(booker.purchase("R1", at=day(0)), booker.purchase("R2", at=day(1)))
        await booker.book(booker.purchase("R3", at=day(1), member="mem_bob"))
        bob, ada = Origin(CHAIN, "mem_bob", STREAM), Origin(CHAIN, "mem_ada", STREAM)
        await seed_cursors(database, {bob: 7})  # it has been heard of already
        hears_itself = next(step for step in MIGRATIONS if "own events" in step.name)
        for _ in range(2):  # a step that was cut short is done again
            await hears_itself.apply(database)
        cursors = await read_cursors(database, [ada, bob])
    assert cursors == {ada: Cursor(sequence=2), bob: Cursor(sequence=7)}


async def test_one_batch_of_both_streams(database: Database) -> None:
    async with booker_on(database):
        stores = StoreCopies(database, source=KnownMembers(), clock=FixedClock())
        items = ItemCopies(database, source=KnownMembers(), clock=FixedClock())
        handle = Handlers(
            members=MembersHandler(
                partial(MongoCopies, database, stores, items),
                partial(MongoHeardMerges, database),
                partial(MongoHeardReferrals, database),
            ),
            sales=SalesHandler(partial(MongoSalesNews, database)),
        )
        bought = points_pb2.PurchaseBooked(member_id="mem_ada", store_id="sto_1", visit=2, time_zone="Asia/Shanghai")
        bought.lines.add(item_code="tea", quantity=1, paid_minor=300)
        both = [
            event(members_pb2.MemberEnrolled(member_id="mem_eve"), "members.member", "mem_eve"),
            event(bought, STREAM, "mem_ada"),
            event(points_pb2.TierChanged(member_id="mem_ada"), STREAM, "mem_ada"),
            event(points_pb2.RefundBooked(store_id="sto_1", refused_why="no room"), STREAM, "mem_ada"),
        ]
        await database.in_transaction(partial(handle, both))
        assert await database.collection(ACCOUNTS).count_documents({"chain": CHAIN, "account": "mem_eve"}) == 1
        assert await MongoSalesRoll(database).add_some(CHAIN) == 1
        assert await MongoSalesRoll(database).add_some(CHAIN) == 0
        month = await database.collection(SALES).find_one({"chain": CHAIN, "store": "sto_1", "span": "1970-01"})
    assert month is not None
    assert month["all"] == {"r": 1, "g": 1, "i": 1, "p": 300, "kr": 1, "kp": 300, "rr": 1, "rp": 300}


async def test_what_cannot_be_read_is_poison(database: Database) -> None:
    handler = SalesHandler(partial(MongoSalesNews, database))
    with pytest.raises(PoisonError):
        await database.in_transaction(
            partial(handler, [event(points_pb2.PurchaseBooked(), STREAM, "mem_ada", raw=b"\xff")])
        )


async def test_a_receipt_says_the_same_as_its_events(database: Database) -> None:
    async with booker_on(database) as booker:
        seller = Seller(booker)
        lines = (Line("tea", 2, 900, discount_minor=100, category="drinks", cost_minor=50), Line("cake", 1, 700))
        bought = seller.purchase("R1", lines=lines, party_size=3)
        await booker.book(
            seller.refund("C0", "R1", RefundLine(1, 1), at=day(2), store="sto_2", receipt_store="sto_1"),
            replace(bought, author=replace(bought.author, booked_at=day(5))),  # it comes late
            seller.refund("C1", "R1", at=day(6)),
        )
        told = [one for event in await seller.told() if (one := sold(event)) is not None]
        [receipt] = (await MongoReceipts(database).receipts(CHAIN, ["sto_1/R1"])).values()
    assert sorted(one.booked_at for one in told) == [day(5), day(5), day(6)]
    assert sorted(sold_of(receipt), key=repr) == sorted(told, key=repr)
