"""What is booked, held, reported and done by the clock in a sandbox is at its own time."""

from dataclasses import replace
from datetime import timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from protos.points.v1 import holds_pb2, ledger_pb2
from protos.points.v1 import points_pb2 as pb
from services.kit.ids import make_id
from services.kit.mongo.chain_clocks import MongoChainClocks
from services.kit.outbox.outbox import Outbox
from services.kit.timestamps import to_timestamp
from services.points.store.accounts import MongoPayers
from services.points.store.collections import ACCOUNTS
from services.points.store.reports import MongoJournalSums
from services.points.store.seals import MongoSeals
from services.points.usecases.payers import Mover
from services.points.usecases.reports import DaySums
from services.points.usecases.seal_ledger import Sealing
from tests.contract.points.conftest import SIGNER
from tests.contract.points.desk import STAFF, TILL, Points, receipt
from tests.support.clock import START, FixedClock

SANDBOX = "sbx_1"
SANDBOX_TILL, SANDBOX_STAFF = replace(TILL, chain=SANDBOX), replace(STAFF, chain=SANDBOX)
THEN = START + timedelta(days=40)


def at(moment: Timestamp, number: str = "R1") -> pb.Purchase:
    bought = receipt(number)
    bought.occurred_at.CopyFrom(moment)
    return bought


async def moved(points: Points, clock: FixedClock) -> MongoChainClocks:
    clocks = MongoChainClocks(points.database, system=clock)
    await clocks.move(SANDBOX, THEN)
    return clocks


async def test_calls_are_answered_at_the_sandboxs_time_and_others_at_the_systems(
    points: Points, clock: FixedClock
) -> None:
    await moved(points, clock)
    now = to_timestamp(THEN)
    assert (await points.refusal(at(now))).code == "INVALID_PURCHASE"  # for a real chain, it lies in the future
    await points.record(at(now), SANDBOX_TILL)
    [page] = (
        await points.call(points.stub.ListEntries, pb.ListEntriesRequest(member_ids=["mem_ada"]), SANDBOX_STAFF)
    ).pages
    assert [entry.booked_at for entry in page.entries] == [now]

    wish = holds_pb2.AuthoriseHoldRequest(key="h1", member_id="mem_ada", currency="points", amount=60)
    held = (await points.call(points.holds.AuthoriseHold, wish, SANDBOX_STAFF)).hold
    assert held.expires_at == to_timestamp(THEN + timedelta(minutes=15))
    adjusting = ledger_pb2.AdjustPointsRequest(
        key="a1", member_id="mem_ada", currency="points", amount=5, reason="cold soup"
    )
    adjusted = (await points.call(points.ledger.AdjustPoints, adjusting, SANDBOX_STAFF)).adjustment
    assert adjusted.asked_at == now

    report = ledger_pb2.GetBalancesAtRequest(member_id="mem_ada", at=to_timestamp(THEN))
    assert (await points.call(points.ledger.GetBalancesAt, report, SANDBOX_STAFF)).balances[0].available == 45
    assert (await points.problem(points.ledger.GetBalancesAt, report, STAFF)).code == "IN_THE_FUTURE"

    await MongoChainClocks(points.database, system=clock).move(SANDBOX, THEN + timedelta(minutes=15))
    assert (await points.account("mem_ada", SANDBOX_STAFF)).available_points == 105  # the hold has run out


async def test_jobs_take_each_chains_own_time(points: Points, clock: FixedClock) -> None:
    await points.record(at(to_timestamp(START)))
    await points.record(at(to_timestamp(START)), SANDBOX_TILL)
    clocks = await moved(points, clock)
    outbox, seals, sums = Outbox(points.database), MongoSeals(points.database), MongoJournalSums(points.database)
    await Sealing(seals, outbox, SIGNER, clocks).seal_all()
    await DaySums(sums, outbox, clocks).keep_all()
    assert len(await seals.all("chn_1")) == 0
    assert await sums.last_day("chn_1") is None
    assert {seal.sealed_at for seal in await seals.all(SANDBOX)} == {THEN}
    last = await sums.last_day(SANDBOX)
    assert last is not None
    assert last.isoformat() == "2026-04-09"


async def test_payers_are_moved_at_the_sandboxs_time(points: Points, clock: FixedClock) -> None:
    clocks = await moved(points, clock)
    points.members.away = True
    bought = at(to_timestamp(THEN))
    bought.member_id = ""
    bought.payment.kind, bought.payment.payer_id = "wechat", "openid-7"
    await points.record(bought, SANDBOX_TILL)
    points.members.away = False
    await clocks.move(SANDBOX, THEN + timedelta(hours=1))
    mover = Mover(
        payers=MongoPayers(points.database),
        members=points.members,
        ledger=points.recorder.ledger,
        clocks=clocks,
        make_id=make_id,
    )
    assert await mover.move() == 1
    accounts = points.database.collection(ACCOUNTS).find({"chain": SANDBOX})
    assert {one["booked_at"] for one in await accounts.to_list(10)} == {THEN + timedelta(hours=1)}
