"""Sales, forecasts and staffing in the graph, over a service that answers from memory."""

from datetime import UTC, datetime

import pytest

from protos.points.v1 import insight_pb2 as pb
from services.kit.errors import Kind
from services.kit.graph import timestamp
from services.kit.principal import Caller, Principal
from services.points.graph import insight_files
from tests.support.points_desk import PointsDesk, refusal

AT = datetime(2026, 3, 2, 4, tzinfo=UTC)
SALES = """query ($input: SalesInput!) { sales(input: $input) { currency
  total { receipts netMinor grossProfitMinor returningShareOfVisits }
  rows { storeId region channel day month weekday hour category itemCode sums { receipts averageTicketMinor } } } }"""
EMPTY_ROW = dict.fromkeys(("storeId", "region", "channel", "day", "month", "weekday", "hour", "category", "itemCode"))
MARCH = {"from": "2026-03-01", "until": "2026-03-31"}
FORECAST = """query ($closed: [String!]) { forecast(storeId: "sto_1", closedDays: $closed) { timeZone withoutKnown
  days { day covers { expected low high known } hours { hour beginsAt items { expected } } }
  coversError { weeks hourly naiveHourly } itemsError { weeks daily } } }"""
STAFFING = """{ staffing(storeId: "sto_1", coversPerStaffHour: 12.5, minStaff: 2, forHigh: true) {
  day hour beginsAt covers staff } }"""


async def test_sales_by_everything(points: PointsDesk) -> None:
    points.says(
        GetSales=pb.GetSalesResponse(
            rows=[
                pb.SalesRow(
                    group=["sto_1", "dine_in", "6", "09"], sums=pb.SalesSums(receipts=2, average_ticket_minor=7)
                ),
                pb.SalesRow(group=["sto_1", "", "0", "00"], sums=pb.SalesSums(refunds=1)),
            ],
            total=pb.SalesSums(receipts=2, net_minor=-3, gross_profit_minor=0, returning_share_of_visits=0.5),
            currency="CNY",
        )
    )
    by = ["STORE", "CHANNEL", "WEEKDAY", "HOUR"]
    found = (await points.ask(SALES, input={**MARCH, "by": by, "channels": ["DINE_IN"], "regions": ["east"]}))["sales"]
    assert found["total"] == {"receipts": 2, "netMinor": -3, "grossProfitMinor": 0, "returningShareOfVisits": 0.5}
    first = {"storeId": "sto_1", "channel": "DINE_IN", "weekday": 7, "hour": 9}
    second = {"storeId": "sto_1", "channel": None, "weekday": 1, "hour": 0}
    assert found["rows"] == [
        {**EMPTY_ROW, **first, "sums": {"receipts": 2, "averageTicketMinor": 7}},
        {**EMPTY_ROW, **second, "sums": {"receipts": 0, "averageTicketMinor": None}},
    ]
    asked = points.heard()
    assert (asked.from_day, asked.until_day) == ("2026-03-01", "2026-03-31")
    assert [pb.SalesDimension.Name(one) for one in asked.by] == [f"SALES_DIMENSION_{name}" for name in by]
    assert (list(asked.channels), list(asked.regions)) == (["dine_in"], ["east"])


async def test_guest_months(points: PointsDesk) -> None:
    months = [pb.GuestMonth(month="2026-02"), pb.GuestMonth(month="2026-03", guests=4, repeaters=1, repeat_rate=0.25)]
    points.says(GetGuestMonths=pb.GetGuestMonthsResponse(months=months))
    text = """{ guestMonths(fromMonth: "2026-02", untilMonth: "2026-03") { month guests repeaters repeatRate } }"""
    assert (await points.ask(text))["guestMonths"] == [
        {"month": "2026-02", "guests": 0, "repeaters": 0, "repeatRate": None},
        {"month": "2026-03", "guests": 4, "repeaters": 1, "repeatRate": 0.25},
    ]


async def test_a_forecast(points: PointsDesk) -> None:
    covers, items = pb.Expected(expected=4.5, low=2, high=7, known=1), pb.Expected(expected=9)
    hour = pb.ForecastHour(hour=12, begins_at=timestamp(AT), covers=covers, items=items)
    points.says(
        GetForecast=pb.GetForecastResponse(
            days=[pb.ForecastDay(day="2026-03-02", covers=covers, items=items, hours=[hour])],
            covers_error=pb.ForecastError(weeks=8, hourly=0.5, naive_hourly=0.75),
            time_zone="Asia/Shanghai",
            without_known=True,
        )
    )
    found = (await points.ask(FORECAST, closed=["2026-03-03"]))["forecast"]
    assert found == {
        "timeZone": "Asia/Shanghai",
        "withoutKnown": True,
        "days": [
            {
                "day": "2026-03-02",
                "covers": {"expected": 4.5, "low": 2, "high": 7, "known": 1},
                "hours": [{"hour": 12, "beginsAt": "2026-03-02T04:00:00.000Z", "items": {"expected": 9}}],
            }
        ],
        "coversError": {"weeks": 8, "hourly": 0.5, "naiveHourly": 0.75},
        "itemsError": {"weeks": 0, "daily": None},
    }
    assert list(points.heard().closed_days) == ["2026-03-03"]


async def test_staffing(points: PointsDesk) -> None:
    one = pb.StaffingHour(day="2026-03-02", hour=12, begins_at=timestamp(AT), covers=30, staff=3)
    points.says(GetStaffing=pb.GetStaffingResponse(hours=[one]))
    shown = {"day": "2026-03-02", "hour": 12, "beginsAt": "2026-03-02T04:00:00.000Z", "covers": 30, "staff": 3}
    assert (await points.ask(STAFFING))["staffing"] == [shown]
    asked = points.heard()
    assert (asked.covers_per_staff_hour, asked.min_staff, asked.for_high) == (12.5, 2, True)


FILES = [
    ("ExportSales", 'salesCsv(input: { from: "2026-03-01", until: "2026-03-31" })'),
    ("ExportForecast", 'forecastCsv(storeId: "sto_1")'),
    ("ExportStaffing", 'staffingCsv(storeId: "sto_1", coversPerStaffHour: 10)'),
]


@pytest.mark.parametrize(("method", "field"), FILES, ids=[name for name, _ in FILES])
async def test_as_a_file(points: PointsDesk, method: str, field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    points.says(**{method: [pb.InsightPart(csv="a,b\r\n"), pb.InsightPart(csv="1,2\r\n")]})
    assert list((await points.ask(f"{{ {field} }}")).values()) == ["a,b\r\n1,2\r\n"]
    monkeypatch.setattr(insight_files, "EXPORT_BYTES", 9)
    assert (await points.answer(f"{{ {field} }}"))[1] == ["EXPORT_TOO_LONG"]


async def test_what_the_service_refuses_is_said(points: PointsDesk) -> None:
    points.says(GetSales=refusal("REPORT_TOO_LARGE", Kind.REFUSED, field="by"))
    assert await points.answer(SALES, input=MARCH) == ({}, ["REPORT_TOO_LARGE"])


async def test_only_staff_with_the_scope_may_ask(points: PointsDesk) -> None:
    scopes = frozenset({"insight:read", "ledger:read"})
    callers = [Principal("chn_1", kind, "key_1", scopes) for kind in (Caller.MEMBER, Caller.TILL, Caller.PARTNER)]
    callers.append(Principal("chn_1", Caller.STAFF, "key_1", frozenset({"ledger:read"})))
    for caller in callers:
        assert (await points.answer(SALES, by=caller, input=MARCH))[1] == ["DENIED"]
        assert (await points.answer(STAFFING, by=caller))[1] == ["DENIED"]
    assert points.desk.asked == []
