"""Around a purchase: what it would give, and its order's delivery; a level by hand."""

import random
from dataclasses import replace
from datetime import timedelta

import pytest

from protos.points.v1 import ledger_pb2, points_pb2
from services.kit.ids import make_id
from services.kit.mongo.collections import Keyed
from services.kit.mongo.database import Database
from services.kit.outbox.outbox import Outbox
from services.kit.rpc import RemoteProblem
from services.kit.timestamps import to_timestamp
from services.points.domain.batches import Recorded
from services.points.domain.expiries import Release
from services.points.domain.programs import DEFAULT_PROGRAM, Programs, rate
from services.points.domain.purchases import Line, Purchase
from services.points.domain.rules import Cap, CapUnit, CapWindow, Earning, Factor, Fixed, LineMatch, Rule, Where
from services.points.main import group_commit
from services.points.store.collections import ACCOUNTS, ENTRIES, LOTS, RECEIPTS
from services.points.store.journal import MongoJournal
from services.points.usecases.ledger import Call
from services.points.usecases.orders import release_points
from services.points.usecases.record_purchases import Receipt, record_purchases
from services.points.usecases.simulate import simulate_purchase
from tests.contract.points.desk import ADA, STAFF, TILL, Points, receipt
from tests.support.clock import START
from tests.support.programs import OneProgram, stamps

RICH = replace(
    DEFAULT_PROGRAM,
    earning=Earning(
        (
            rate(1, 100),
            stamps("coffee"),
            Rule("double", Factor(2_000), LineMatch(items=frozenset({"tea"})), caps=(Cap(60, CapWindow.DAY),)),
            Rule(
                "back",
                Fixed(15),
                where=Where(condition="member.visits > 2"),
                caps=(Cap(2, CapWindow.EVER, CapUnit.TIMES),),
            ),
        ),
        caps=(Cap(900, CapWindow.MONTH),),
    ),
)


async def everything(database: Database) -> list[list[object]]:
    async def rows(keyed: Keyed) -> list[object]:
        found = database.collection(keyed).find({"chain": "chn_1"}, {"_id": False})
        return [row async for row in found]

    return [await rows(keyed) for keyed in (ACCOUNTS, ENTRIES, LOTS, RECEIPTS)]


def sale(number: int, dice: random.Random) -> Receipt:
    lines = tuple(
        Line(dice.choice(["tea", "latte"]), dice.randint(1, 3), dice.randint(0, 9_000), category="coffee")
        for _ in range(dice.randint(1, 3))
    )
    moment = START - timedelta(hours=dice.randint(0, 90))
    member = dice.choice(["mem_ada", "mem_bob"])
    return Receipt(Purchase("sto_1", f"R{number}", member, moment, "CNY", lines), buyer=member)


async def test_a_simulation_says_exactly_what_booking_gives_and_changes_nothing(points: Points) -> None:
    source = OneProgram(Programs((RICH,), "Asia/Shanghai"))
    journal = MongoJournal(points.database, Outbox(points.database), source)
    ledger = group_commit(points.database, Outbox(points.database), source)
    await ledger.start()
    recorder = replace(points.recorder, ledger=ledger, programs=source)
    call = Call(caller=STAFF, now=START, make_id=make_id)
    cut: set[str] = set()
    dice = random.Random(20_261_123)  # noqa: S311 - a table of sales
    try:
        for number in range(40):
            wanted = sale(number, dice)
            before = await everything(points.database)
            tried = await simulate_purchase(wanted, call=call, recorder=recorder, journal=journal)
            assert await everything(points.database) == before
            [booked] = await record_purchases([wanted], call=call, recorder=recorder)
            assert isinstance(booked, Recorded)
            assert replace(booked.booked, id=tried.booked.id, entry=tried.booked.entry) == tried.booked
            assert (tried.repeated_call, booked.repeated_call) == (False, False)
            cut |= {part.cap for part in booked.booked.breakdown}
    finally:
        await ledger.stop()
    assert {"double/day/points", "back/ever/times", "*/month/points"} <= cut


async def test_what_booking_would_refuse_the_simulation_refuses(points: Points) -> None:
    await points.record(receipt("R1"))
    request = points_pb2.SimulatePurchaseRequest(purchase=receipt("R1", paid_minor=1))
    with pytest.raises(RemoteProblem) as refused:
        await points.call(points.stub.SimulatePurchase, request, TILL)
    assert refused.value.code == "RECEIPT_REUSED"
    again = points_pb2.SimulatePurchaseRequest(purchase=receipt("R1"))
    answer = await points.call(points.stub.SimulatePurchase, again, TILL)
    assert (answer.repeated_call, answer.booked.points) == (True, 100)
    with pytest.raises(RemoteProblem) as refused:
        await points.call(points.stub.SimulatePurchase, again, ADA)
    assert refused.value.code == "DENIED"


async def test_a_payer_is_not_enrolled_by_a_simulation(points: Points) -> None:
    bought = receipt("R1")
    bought.ClearField("buyer")
    bought.payment.kind, bought.payment.payer_id = "wechat", "openid-1"
    answer = await points.call(points.stub.SimulatePurchase, points_pb2.SimulatePurchaseRequest(purchase=bought), TILL)
    assert answer.booked.points == 100
    assert await everything(points.database) == [[], [], [], []]


async def test_points_that_wait_for_a_delivery_are_released_once(points: Points) -> None:
    source = OneProgram(Programs((replace(DEFAULT_PROGRAM, release=Release(on_action=True)),)))
    ledger = group_commit(points.database, Outbox(points.database), source)
    await ledger.start()
    recorder = replace(points.recorder, ledger=ledger, programs=source)
    call = Call(caller=STAFF, now=START, make_id=make_id)
    try:
        content = Purchase("sto_1", "R1", "mem_ada", START, "CNY", (Line("tea", 1, 10_000),))
        await record_purchases([Receipt(content, buyer="mem_ada")], call=call, recorder=recorder)
        for repeated in (False, True):
            posted = await release_points("k1", store="sto_1", receipt_number="R1", call=call, recorder=recorder)
            assert posted.account.balance("points").available == 100
            assert posted.repeated_call is repeated
    finally:
        await ledger.stop()


async def test_nothing_is_released_of_what_is_not_there(points: Points) -> None:
    for store, number, code in (("sto_1", "R9", "RECEIPT_NOT_FOUND"), ("sto_x", "R9", "STORE_NOT_FOUND")):
        request = points_pb2.ReleasePointsRequest(key="k", store_id=store, receipt_number=number)
        with pytest.raises(RemoteProblem) as refused:
            await points.call(points.stub.ReleasePoints, request, STAFF)
        assert refused.value.code == code


async def test_a_level_is_given_and_taken_back(points: Points) -> None:
    await points.record(receipt("R1"))
    ends = START + timedelta(days=30)
    request = ledger_pb2.GrantLevelRequest(key="k1", member_id="mem_ada", level="gold", reason="a friend of the house")
    request.until.CopyFrom(to_timestamp(ends))
    for repeated in (False, True):
        answer = await points.call(points.ledger.GrantLevel, request, STAFF)
        assert (answer.tier.level, answer.tier.given, answer.repeated_call) == ("gold", True, repeated)
        assert answer.tier.until.ToDatetime() == ends.replace(tzinfo=None)
    tier = (await points.account("mem_ada")).tier
    assert (tier.level, tier.falls_to, tier.earn_permille) == ("gold", "regular", 1_500)
    assert [one.kind for one in tier.benefits] == [points_pb2.BENEFIT_KIND_BIRTHDAY_PACK]
    back = ledger_pb2.GrantLevelRequest(key="k2", member_id="mem_ada", reason="it was a mistake")
    assert (await points.call(points.ledger.GrantLevel, back, STAFF)).tier.level == "regular"
    with pytest.raises(RemoteProblem) as refused:
        await points.call(points.ledger.GrantLevel, request, TILL)
    assert refused.value.code == "DENIED"
    nowhere = ledger_pb2.GrantLevelRequest(key="k3", member_id="mem_ada", level="diamond", reason="because")
    with pytest.raises(RemoteProblem) as refused:
        await points.call(points.ledger.GrantLevel, nowhere, STAFF)
    assert refused.value.code == "LEVEL_NOT_FOUND"
