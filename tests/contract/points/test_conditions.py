"""What the rules' conditions see of a purchase that is recorded."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from protos.points.v1 import points_pb2 as pb
from services.kit.ids import make_id
from services.kit.mongo.database import Database
from services.kit.principal import Caller, Principal
from services.points.domain.batches import Recorded
from services.points.domain.programs import DEFAULT_PROGRAM, Programs, rate
from services.points.domain.rules import Earning, Factor, Fixed, Rule, Where
from services.points.store.stores import StoreCopies
from services.points.usecases.ledger import Call
from services.points.usecases.record_purchases import Receipt, Recorder, Store, record_purchases
from tests.contract.points.conftest import ledger_on
from tests.contract.points.desk import STAFF, KnownMembers, Points, receipt
from tests.support.clock import FixedClock
from tests.support.programs import OneProgram
from tests.unit.points.receipts import LATER, purchase

CONDITIONS = replace(
    DEFAULT_PROGRAM,
    earning=Earning(
        (
            rate(1, 100),
            Rule("south", Factor(2_000), where=Where(condition='purchase.region == "south"')),
            Rule("cinema", Fixed(7), where=Where(partners=frozenset({"key_cinema"}))),
        )
    ),
)
CINEMA = Principal(chain="chn_1", kind=Caller.PARTNER, id="key_cinema", scopes=frozenset({"purchases:write"}))


@pytest.fixture
async def recorder(points: Points) -> AsyncIterator[Recorder]:
    programs = Programs((CONDITIONS,))
    ledger = ledger_on(points.database, programs)
    await ledger.start()
    yield replace(points.recorder, ledger=ledger, programs=OneProgram(programs))
    await ledger.stop()


async def record(content: Receipt, recorder: Recorder, caller: Principal = STAFF) -> Recorded:
    [answer] = await record_purchases([content], call=Call(caller, LATER, make_id), recorder=recorder)
    assert isinstance(answer, Recorded), answer
    return answer


async def lies_in(region: str, database: Database, store: str = "sto_1") -> None:
    copies = StoreCopies(database, source=KnownMembers(), clock=FixedClock())
    await copies.save([("chn_1", Store(store, 2, "Asia/Shanghai", "CNY", region))])


async def test_the_region_is_that_of_the_store(points: Points, recorder: Recorder) -> None:
    await lies_in("south", points.database)
    south = await record(Receipt(purchase("R1"), "mem_ada"), recorder)
    north = await record(Receipt(replace(purchase("R2"), store="sto_2"), "mem_ada"), recorder)
    assert (south.booked.points, north.booked.points) == (200, 100)
    assert south.booked.rated is not None
    assert south.booked.rated.region == "south"  # by which a refund rates it again


async def test_a_partners_own_key_says_that_the_partner_sold_it(recorder: Recorder) -> None:
    for number, said in enumerate(("", "key_other", "key_cinema")):
        content = purchase(f"R{number}", partner=said)
        own = await record(Receipt(content, "mem_ada"), recorder, CINEMA)
        assert (own.booked.purchase.partner, own.booked.points) == ("key_cinema", 107)
    till = await record(Receipt(purchase("R9", partner="key_other"), "mem_ada"), recorder)
    assert (till.booked.purchase.partner, till.booked.points) == ("key_other", 100)


async def test_the_partner_is_shown_as_it_was_booked(points: Points) -> None:
    sent = receipt()
    sent.partner_id = "key_other"
    tried = await points.call(points.stub.SimulatePurchase, pb.SimulatePurchaseRequest(purchase=sent), CINEMA)
    answers = [await points.record(sent, CINEMA) for _ in range(2)]
    shown = [one.booked.purchase.partner_id for one in (tried, *answers)]
    assert shown == ["key_cinema"] * 3
    assert [one.repeated_call for one in answers] == [False, True]
