"""Members become one while everybody goes on buying."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

import pytest

from protos.events.v1.members_pb2 import MemberErased, MemberMerged, MemberSplit
from protos.points.v1 import holds_pb2, ledger_pb2
from services.kit.errors import Kind, Problem
from services.kit.ids import make_id
from services.kit.mongo.chain_clocks import MongoChainClocks
from services.kit.mongo.database import Database
from services.kit.outbox.events import Event
from services.points.consumers import MembersHandler
from services.points.domain.accounts import InsufficientPointsError
from services.points.domain.batches import Recorded, Refunded
from services.points.domain.books import Posted
from services.points.domain.commands import AnyCommand, Freeze, Merge, Split
from services.points.domain.journal import Note
from services.points.store.accounts import MongoAccounts
from services.points.store.collections import ACCOUNTS, ERASURES, MERGE_WISHES, NOTES
from services.points.store.copies import MongoCopies
from services.points.store.items import ItemCopies
from services.points.store.merges import MongoHeardMerges, MongoWishes
from services.points.store.referrals import MongoHeardReferrals
from services.points.store.stores import StoreCopies
from services.points.usecases.merges import Merger
from tests.contract.points.booked import verified
from tests.contract.points.conftest import Ledger, ledger_on
from tests.contract.points.desk import KnownMembers, Points, receipt, refund
from tests.support.clock import START, FixedClock
from tests.unit.points.receipts import authorise, capture, command, keyed, purchase
from tests.unit.points.receipts import refund as refund_of

Told = MemberMerged | MemberSplit | MemberErased


def event(body: Told, sequence: int) -> Event:
    return Event(
        id=f"chn_1/{body.member_id}/{sequence}",
        chain="chn_1",
        stream="members.member",
        aggregate=body.member_id,
        sequence=sequence,
        type=body.DESCRIPTOR.full_name,
        at=START,
        body=body.SerializeToString(),
    )


def merged(member: str, into: str, merge: str, sequence: int = 2) -> Event:
    return event(MemberMerged(member_id=member, into_id=into, merge_id=merge), sequence)


async def hear(database: Database, *events: Event) -> None:
    stores = StoreCopies(database, source=KnownMembers(), clock=FixedClock())
    items = ItemCopies(database, source=KnownMembers(), clock=FixedClock())
    handler = MembersHandler(
        partial(MongoCopies, database, stores, items),
        partial(MongoHeardMerges, database),
        partial(MongoHeardReferrals, database),
    )
    await database.in_transaction(partial(handler, events))


def merger(database: Database, ledger: Any, clock: FixedClock) -> Merger:
    clocks = MongoChainClocks(database, system=clock)
    return Merger(MongoWishes(database), ledger, clocks, make_id)


async def test_a_merge_is_heard_and_carried_out_once(points: Points, clock: FixedClock) -> None:
    await points.record(receipt("R1"))
    await points.record(receipt("R2", paid_minor=20_000, member="mem_bob"))
    job = merger(points.database, points.recorder.ledger, clock)
    await hear(points.database, merged("mem_bob", "mem_ada", "mrg_1"), merged("mem_bob", "mem_ada", "mrg_1"))
    assert (await points.account("mem_bob")).available_points == 200  # right until then, too
    assert (await job.carry_out(), await job.carry_out()) == (1, 0)
    seen = [await points.account(one) for one in ("mem_ada", "mem_bob")]
    assert [(one.member_id, one.available_points) for one in seen] == [("mem_ada", 300), ("mem_ada", 300)]
    again = await points.record(receipt("R2", paid_minor=20_000, member="mem_bob"))
    assert again.repeated_call
    [taken] = await points.refund(refund("C1", "R2"))
    assert taken.recorded.booked.member_id == "mem_ada"
    await hear(points.database, event(MemberSplit(member_id="mem_bob", from_id="mem_ada", merge_id="mrg_1"), 3))
    assert await job.carry_out() == 1
    seen = [await points.account(one) for one in ("mem_ada", "mem_bob")]
    assert [(one.member_id, one.available_points) for one in seen] == [("mem_ada", 100), ("mem_bob", 0)]
    assert await points.database.collection(MERGE_WISHES).count_documents({}) == 0


async def test_a_merge_and_its_undoing_heard_at_once_leave_all_as_it_was(points: Points, clock: FixedClock) -> None:
    await points.record(receipt("R1"))
    undone = event(MemberSplit(member_id="mem_ada", from_id="mem_new", merge_id="mrg_1"), 3)
    stray = event(MemberSplit(member_id="mem_nobody", from_id="mem_ada", merge_id="mrg_7"), 1)
    await hear(points.database, undone, merged("mem_ada", "mem_new", "mrg_1"), stray)
    assert await merger(points.database, points.recorder.ledger, clock).carry_out() == 3
    assert (await points.account("mem_ada")).available_points == 100


async def test_an_open_hold_is_captured_by_its_id_wherever_it_is(points: Points, clock: FixedClock) -> None:
    await points.record(receipt("R1"))
    wish = holds_pb2.AuthoriseHoldRequest(key="hold-key-1", member_id="mem_ada", currency="points", amount=60)
    hold = (await points.call(points.holds.AuthoriseHold, wish)).hold.id
    job = merger(points.database, points.recorder.ledger, clock)
    await hear(points.database, merged("mem_ada", "mem_bob", "mrg_1"))
    await job.carry_out()
    found = await points.call(points.holds.GetHolds, holds_pb2.GetHoldsRequest(hold_ids=[hold]))
    assert [(one.member_id, one.state) for one in found.holds] == [("mem_bob", holds_pb2.HOLD_STATE_OPEN)]
    await points.call(points.holds.CaptureHold, holds_pb2.CaptureHoldRequest(key="capture-key-1", hold_id=hold))
    assert (await points.account("mem_ada")).available_points == 40


async def test_what_was_said_of_somebody_is_erased(points: Points) -> None:
    await points.record(receipt("R1"))
    request = ledger_pb2.FreezeAccountRequest(key="freeze-key-1", member_id="mem_ada", frozen=True, reason="sad story")
    await points.call(points.ledger.FreezeAccount, request)
    assert await points.database.collection(NOTES).count_documents({"chain": "chn_1"}) == 1
    for _ in range(2):
        await hear(points.database, event(MemberErased(member_id="mem_ada"), 2))
    assert await points.database.collection(NOTES).count_documents({"chain": "chn_1"}) == 0
    kept = await points.database.collection(ERASURES).find({"chain": "chn_1"}).to_list(None)
    assert [one["account"] for one in kept] == ["mem_ada"]
    assert await verified(points.database, chain="chn_1") == []
    assert (await points.record(receipt("R2"))).booked.points == 100


@pytest.fixture
async def ledgers(database: Database) -> AsyncIterator[list[Ledger]]:
    ledgers = [ledger_on(database) for _ in range(2)]
    for one in ledgers:
        await one.start()
    yield ledgers
    for one in ledgers:
        await one.stop()


class Fire:
    """Guests of two members who buy, redeem and bring back without looking, each wish until it is answered."""

    def __init__(self, ledgers: list[Ledger]) -> None:
        self.ledgers, self.owed, self.receipts = ledgers, 0, 0
        self.over = False

    async def ask(self, wish: AnyCommand, random: Random) -> Any:
        while True:
            try:
                return await random.choice(self.ledgers).submit(wish)
            except Problem as problem:
                if problem.kind is not Kind.OVERLOADED:
                    raise

    async def guest(self, name: str, visits: int) -> None:
        random = Random(name)  # noqa: S311 - which of two, not a secret
        for visit in range(visits):
            number, member = f"{name}-{visit}", random.choice(["mem_ada", "mem_bob"])
            await self.buy(number, member, random)
            await self.redeem(number, random)
            if visit % 3 == 0:
                await self.bring_back(number, random)

    async def buy(self, number: str, member: str, random: Random) -> None:
        bought = command(purchase(number, member=member))
        first, again = await asyncio.gather(self.ask(bought, random), self.ask(bought, random))
        assert isinstance(first, Recorded)
        assert {first.repeated_call, again.repeated_call} == {False, True}
        self.owed += first.booked.points
        self.receipts += 1

    async def redeem(self, number: str, random: Random) -> None:
        wish = authorise(number, 30)
        with suppress(InsufficientPointsError):  # where the other has spent it all
            held = await self.ask(wish, random)
            assert isinstance(held, Posted)
            assert held.hold is not None
            where = held.hold.account  # the member may have been another when it was authorised
            done = await self.ask(replace(capture(number, 20), account=where), random)
            assert isinstance(done, Posted)
            assert done.hold is not None
            self.owed -= done.hold.captured

    async def bring_back(self, number: str, random: Random) -> None:
        answer = await self.ask(refund_of(f"w{number}", number), random)
        assert isinstance(answer, Refunded)
        self.owed -= sum(one.taken + one.debt for one in answer.booked.taken)

    async def merge_and_split(self) -> int:
        random, number = Random(1), 0  # noqa: S311 - as above
        while not self.over:
            wish = Merge(**keyed(f"merge{number}", member="mem_ada"), into="mem_bob", merge=f"m{number}")
            await self.ask(wish, random)
            await self.ask(Freeze(**keyed(f"f{number}"), frozen=False, reason=Note(bytes(32), "x")), random)
            await self.ask(Split(**keyed(f"split{number}", member="mem_ada"), merge=f"m{number}"), random)
            number += 1
        return number


async def test_merge_under_fire(database: Database, ledgers: list[Ledger]) -> None:
    fire = Fire(ledgers)
    for member in ("mem_ada", "mem_bob"):
        await fire.buy(f"first-{member}", member, Random(member))  # noqa: S311 - as above
    merging = asyncio.create_task(fire.merge_and_split())
    await asyncio.gather(*(fire.guest(f"g{number}", 12) for number in range(8)))
    fire.over = True
    assert await merging >= 3
    whole = await MongoAccounts(database).accounts("chn_1", ["mem_ada", "mem_bob"])
    balances = [whole[name].account.balance("points") for name in ("mem_ada", "mem_bob")]
    assert sum(one.total - one.debt for one in balances) == fire.owed
    assert sum(one.held for one in balances) == 0
    documents = await database.collection(ACCOUNTS).find({"chain": "chn_1"}).to_list(None)
    assert sum(one["counts"]["visits"] for one in documents) == fire.receipts - 8 * 4
    assert await verified(database, chain="chn_1") == []
