"""What the rules' conditions see of a purchase that is recorded."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from services.kit.ids import make_id
from services.kit.mongo.database import Database
from services.kit.principal import Principal
from services.points.domain.batches import Recorded
from services.points.domain.programs import DEFAULT_PROGRAM, Programs, rate
from services.points.domain.rules import Earning, Factor, Rule, Where
from services.points.store.stores import StoreCopies
from services.points.usecases.ledger import Call
from services.points.usecases.programs import OneProgram
from services.points.usecases.record_purchases import Receipt, Recorder, Store, record_purchases
from tests.contract.points.conftest import ledger_on
from tests.contract.points.desk import STAFF, KnownMembers, Points
from tests.support.clock import FixedClock
from tests.unit.points.receipts import LATER, purchase

CONDITIONS = replace(
    DEFAULT_PROGRAM,
    earning=Earning(
        (
            rate(1, 100),
            Rule("south", Factor(2_000), where=Where(condition='purchase.region == "south"')),
        )
    ),
)


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
