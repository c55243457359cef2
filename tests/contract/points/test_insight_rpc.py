"""The Insight service over a real connection: what it answers, to whom, and what it refuses."""

import csv
from datetime import timedelta
from functools import partial
from io import StringIO
from typing import Any

import pytest

from protos.points.v1 import insight_pb2 as pb
from protos.points.v1 import points_pb2
from services.kit.outbox.outbox import Outbox
from services.kit.principal import Caller, Principal
from services.kit.timestamps import from_timestamp, to_timestamp
from services.points.consumers import SalesHandler
from services.points.store.collections import ITEM_SALES, SALES
from services.points.store.sales import MongoSalesNews, MongoSalesRoll
from tests.contract.points.desk import ADA, STAFF, TILL, Points, receipt
from tests.contract.points.selling import PARTITIONS
from tests.support.clock import START, FixedClock

OPERATOR = Principal(chain="", kind=Caller.OPERATOR, id="opr_1")


def march(*by: "pb.SalesDimension.ValueType", **filters: list[str]) -> pb.GetSalesRequest:
    request = pb.GetSalesRequest(from_day="2026-03-01", until_day="2026-03-31", by=by)
    for name, named in filters.items():
        getattr(request, name).extend(named)
    return request


BY_ITEM = march(pb.SALES_DIMENSION_STORE, pb.SALES_DIMENSION_ITEM)


async def hear(points: Points) -> None:
    """Let the sums hear what the ledger has told."""
    outbox = Outbox(points.database)
    for partition in range(PARTITIONS):
        while some := await outbox.first("chn_1", partition, most=1_000):
            await points.database.in_transaction(partial(SalesHandler(partial(MongoSalesNews, points.database)), some))
            await outbox.delete(some, partition=partition)
    while await MongoSalesRoll(points.database).add_some("chn_1"):
        pass


async def sell(points: Points, *bought: points_pb2.Purchase) -> None:
    for one in bought:
        await points.record(one, STAFF)
    await hear(points)


async def written(points: Points, method: Any, request: Any, caller: Principal = STAFF) -> list[list[str]]:
    async with points.channel.stream(method, request, principal=caller) as parts:
        text = "".join([part.csv async for part in parts])
    assert text.endswith("\r\n")
    return list(csv.reader(StringIO(text)))


async def test_a_real_purchase_is_a_row(points: Points) -> None:
    await sell(points, receipt("R1"), receipt("R2", paid_minor=5_000))
    answer = await points.call(points.insight.GetSales, BY_ITEM)
    assert [(list(row.group), row.sums.receipts, row.sums.paid_minor) for row in answer.rows] == [
        (["sto_1", "noodles"], 2, 15_000)
    ]
    assert (answer.total.net_minor, answer.total.average_ticket_minor, answer.currency) == (15_000, 7_500, "CNY")
    assert not answer.total.HasField("gross_profit_minor")  # no cost is known


async def test_the_same_as_a_file_without_formulas(points: Points) -> None:
    evil = receipt("R1")
    evil.lines[0].item_code = '=HYPERLINK("x")'
    await sell(points, evil)
    head, line = await written(points, points.insight.ExportSales, BY_ITEM)
    assert head[:4] == ["store", "item", "receipts", "covers"]
    assert line[:2] == ["sto_1", '\'=HYPERLINK("x")']
    assert dict(zip(head, line, strict=True))["gross_profit_minor"] == ""
    assert dict(zip(head, line, strict=True))["net_minor"] == "10000"


async def test_guests_of_a_month(points: Points) -> None:
    await sell(points, receipt("R1"), receipt("R2"), receipt("R3", member="mem_bob"))
    request = pb.GetGuestMonthsRequest(from_month="2026-02", until_month="2026-03")
    february, march = (await points.call(points.insight.GetGuestMonths, request)).months
    assert (february.guests, february.HasField("repeat_rate")) == (0, False)
    assert (march.guests, march.repeaters, march.repeat_rate) == (2, 1, 0.5)


async def sell_for_weeks(points: Points, clock: FixedClock) -> None:
    """A receipt each noon for eight weeks, two on Saturdays."""
    for number in range(56):
        at = clock.now
        for each in range(2 if at.weekday() == 5 else 1):
            bought = receipt(f"R{number}-{each}")
            bought.occurred_at.CopyFrom(to_timestamp(at))
            await points.record(bought, STAFF)
        clock.move(timedelta(days=1))
    await hear(points)


async def test_a_forecast_with_its_error_and_the_people_it_needs(points: Points, clock: FixedClock) -> None:
    await sell_for_weeks(points, clock)
    answer = await points.call(points.insight.GetForecast, pb.GetForecastRequest(store_id="sto_1"))
    today = clock.now.date()
    assert [day.day for day in answer.days] == [(today + timedelta(days=number)).isoformat() for number in range(14)]
    assert [round(day.covers.expected, 6) for day in answer.days[:7]] == [1, 1, 1, 1, 1, 1, 2]  # a Sunday first
    [noon] = answer.days[0].hours
    assert (noon.hour, from_timestamp(noon.begins_at)) == (12, clock.now)
    assert answer.covers_error.weeks == 6
    assert (answer.covers_error.naive_daily, round(answer.covers_error.daily, 9)) == (0, 0)
    lines = await written(points, points.insight.ExportForecast, pb.GetForecastRequest(store_id="sto_1"))
    assert (len(lines), lines[1][:2]) == (15, [today.isoformat(), "12"])
    wanted = pb.GetStaffingRequest(
        store_id="sto_1", covers_per_staff_hour=1.0, min_staff=1, closed_days=[today.isoformat()]
    )
    hours = (await points.call(points.insight.GetStaffing, wanted)).hours
    assert [(one.day, one.staff) for one in hours[:7]] == [
        ((today + timedelta(days=number)).isoformat(), 2 if number == 6 else 1) for number in range(1, 8)
    ]
    assert len(await written(points, points.insight.ExportStaffing, wanted)) == 14


REFUSED = [
    (pb.GetSalesRequest(from_day="2026-03-02", until_day="2026-03-01"), "INVALID_REPORT", "until"),
    (pb.GetSalesRequest(from_day="2020-01-01", until_day="2026-03-01"), "INVALID_REPORT", "until"),
    (pb.GetSalesRequest(from_day="1.3.2026", until_day="2026-03-01"), "INVALID_REPORT", "from"),
    (march(pb.SALES_DIMENSION_ITEM, pb.SALES_DIMENSION_HOUR), "INVALID_REPORT", "by"),
    (march(item_codes=["x"], channels=["dine_in"]), "INVALID_REPORT", "by"),
    (march(pb.SALES_DIMENSION_DAY, pb.SALES_DIMENSION_DAY), "INVALID_REPORT", "by"),
    (march(pb.SALES_DIMENSION_UNSPECIFIED), "INVALID_REPORT", "by"),
    (march(*pb.SalesDimension.values()[1:6]), "INVALID_REPORT", "by"),
    (march(channels=["fax"]), "INVALID_REPORT", "channels"),
    (march(regions=[str(number) for number in range(501)]), "INVALID_REPORT", "regions"),
    (march(store_ids=["sto_9"]), "STORE_NOT_FOUND", "storeIds"),
]


@pytest.mark.parametrize(("request_", "code", "field"), REFUSED, ids=range(len(REFUSED)))
async def test_what_no_report_can_be(points: Points, request_: pb.GetSalesRequest, code: str, field: str) -> None:
    problem = await points.problem(points.insight.GetSales, request_)
    assert (problem.code, problem.field) == (code, field)


async def test_what_no_forecast_can_be(points: Points) -> None:
    problem = await points.problem(points.insight.GetForecast, pb.GetForecastRequest(store_id="sto_9"))
    assert problem.code == "STORE_NOT_FOUND"
    problem = await points.problem(points.insight.GetStaffing, pb.GetStaffingRequest(store_id="sto_1"))
    assert (problem.code, problem.field) == ("INVALID_FORECAST", "coversPerStaffHour")


async def test_who_may_ask(points: Points) -> None:
    without = Principal(chain="chn_1", kind=Caller.STAFF, id="key_9", scopes=frozenset({"ledger:read"}))
    forecast = pb.GetForecastRequest(store_id="sto_1")
    for caller in (TILL, ADA, without, OPERATOR):
        assert (await points.problem(points.insight.GetSales, BY_ITEM, caller)).code == "DENIED"
        assert (await points.problem(points.insight.GetForecast, forecast, caller)).code == "DENIED"
    limited = Principal(STAFF.chain, Caller.STAFF, "key_8", STAFF.scopes, frozenset({"sto_2"}))
    assert (await points.problem(points.insight.GetForecast, forecast, limited)).code == "DENIED"
    stranger = Principal("chn_2", Caller.STAFF, "key_7", STAFF.scopes)
    assert (await points.problem(points.insight.GetForecast, forecast, stranger)).code == "STORE_NOT_FOUND"
    await sell(points, receipt("R1"))
    assert list((await points.call(points.insight.GetSales, BY_ITEM, stranger)).rows) == []


async def rebuild(points: Points, *, caller: Principal = OPERATOR) -> list[pb.RebuildSalesProgress]:
    request = pb.RebuildSalesRequest(chain_id="chn_1")
    async with points.channel.stream(points.insight.RebuildSales, request, principal=caller) as steps:
        return [step async for step in steps]


async def test_an_operator_counts_again(points: Points, clock: FixedClock) -> None:
    await sell(points, receipt("R1"))
    before = await points.call(points.insight.GetSales, BY_ITEM)
    for keyed in (SALES, ITEM_SALES):
        await points.database.collection(keyed).delete_many({"chain": "chn_1"})
    assert list((await points.call(points.insight.GetSales, BY_ITEM)).rows) == []
    [waits] = await rebuild(points)
    assert (waits.receipts, from_timestamp(waits.begins_at), waits.done) == (0, START + timedelta(minutes=4), False)
    clock.move(timedelta(minutes=4))
    steps = await rebuild(points)
    assert {(step.receipts, step.done) for step in steps[:-1]} == {(1, False)}
    assert (steps[-1].receipts, steps[-1].done) == (1, True)
    assert await points.call(points.insight.GetSales, BY_ITEM) == before
