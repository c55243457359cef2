"""The Insight servicer."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from protos.points.v1 import insight_pb2 as pb
from protos.points.v1 import insight_pb2_grpc
from services.kit.chain_clocks import ChainClocks
from services.kit.rpc.server import caller, time_left_s
from services.kit.timestamps import to_timestamp
from services.points.domain.purchases import Channel
from services.points.domain.reports import months_between
from services.points.domain.sales import FIELDS, Sums, Turned
from services.points.domain.sales_lines import AT_ONCE, sales_head, sales_lines
from services.points.domain.sales_reports import Dimension, InvalidReportError, Question, day_of
from services.points.rpc.audit import LEAVE_S, chain_named
from services.points.rpc.forecasts import ForecastReports
from services.points.usecases.rebuild_sales import Rebuilds, rebuild_sales
from services.points.usecases.sales_reports import Insight, guest_months, sales

PREFIX = "SALES_DIMENSION_"
DIMENSIONS = {pb.SalesDimension.Value(f"{PREFIX}{dimension.name}"): dimension for dimension in Dimension}
MOST_DIMENSIONS = 4


@dataclass(frozen=True, slots=True)
class InsightServicer(insight_pb2_grpc.InsightServicer):
    """protos/points/v1/insight.proto."""

    insight: Insight
    forecasts: ForecastReports
    rebuilds: Rebuilds
    clocks: ChainClocks

    async def GetSales(self, request: pb.GetSalesRequest, _context: Any) -> pb.GetSalesResponse:  # noqa: N802 - gRPC's name
        """Read sums of sales."""
        report = await sales(_question(request), caller=caller(), insight=self.insight)
        return pb.GetSalesResponse(
            rows=[pb.SalesRow(group=row.group, sums=_sums(row.sums)) for row in report.rows],
            total=_sums(report.total),
            currency=report.currency,
        )

    async def ExportSales(self, request: pb.GetSalesRequest, _context: Any) -> AsyncGenerator[pb.InsightPart, None]:  # noqa: N802 - gRPC's name
        """Write sums of sales, part by part."""
        question = _question(request)
        report = await sales(question, caller=caller(), insight=self.insight)
        yield pb.InsightPart(csv=sales_head(question.by))
        for start in range(0, len(report.rows), AT_ONCE):
            yield pb.InsightPart(csv=sales_lines(report.rows[start : start + AT_ONCE]))

    async def GetGuestMonths(self, request: pb.GetGuestMonthsRequest, _context: Any) -> pb.GetGuestMonthsResponse:  # noqa: N802 - gRPC's name
        """Read how many members came, and came again."""
        months = months_between(request.from_month, request.until_month)
        found = await guest_months(months, caller=caller(), insight=self.insight)
        return pb.GetGuestMonthsResponse(months=[_month(month, turned) for month, turned in found])

    async def GetForecast(self, request: pb.GetForecastRequest, _context: Any) -> pb.GetForecastResponse:  # noqa: N802 - gRPC's name
        """Forecast a store."""
        return await self.forecasts.GetForecast(request)

    async def ExportForecast(  # noqa: N802 - gRPC's name
        self, request: pb.GetForecastRequest, _context: Any
    ) -> AsyncGenerator[pb.InsightPart, None]:
        """Write a forecast, part by part."""
        async with aclosing(self.forecasts.ExportForecast(request)) as parts:
            async for part in parts:
                yield part

    async def GetStaffing(self, request: pb.GetStaffingRequest, _context: Any) -> pb.GetStaffingResponse:  # noqa: N802 - gRPC's name
        """Tell how many people a store needs."""
        return await self.forecasts.GetStaffing(request)

    async def ExportStaffing(  # noqa: N802 - gRPC's name
        self, request: pb.GetStaffingRequest, _context: Any
    ) -> AsyncGenerator[pb.InsightPart, None]:
        """Write how many people a store needs."""
        async with aclosing(self.forecasts.ExportStaffing(request)) as parts:
            async for part in parts:
                yield part

    async def RebuildSales(  # noqa: N802 - gRPC's name
        self, request: pb.RebuildSalesRequest, _context: Any
    ) -> AsyncGenerator[pb.RebuildSalesProgress, None]:
        """Count a chain's sales again, for as long as the call lasts."""
        chain = chain_named(request.chain_id)
        steps = rebuild_sales(chain, now=await self.clocks.now(chain), rebuilds=self.rebuilds)
        async with aclosing(steps):
            async for step in steps:
                told = pb.RebuildSalesProgress(receipts=step.receipts, done=step.done)
                if step.begins_at is not None:
                    told.begins_at.CopyFrom(to_timestamp(step.begins_at))
                yield told
                left_s = time_left_s()
                if left_s is not None and left_s < LEAVE_S:
                    return


def _question(request: pb.GetSalesRequest) -> Question:
    if len(request.by) > MOST_DIMENSIONS:
        raise InvalidReportError(field="by", why=f"name at most {MOST_DIMENSIONS} dimensions")
    if unknown := [value for value in request.by if value not in DIMENSIONS]:
        raise InvalidReportError(field="by", why=f"there is no dimension {unknown[0]}")
    channels = {channel.value for channel in Channel}
    if strange := [channel for channel in request.channels if channel not in channels]:
        raise InvalidReportError(field="channels", why=f"there is no channel {strange[0]}")
    return Question(
        since=day_of(request.from_day, field="from"),
        until=day_of(request.until_day, field="until"),
        by=tuple(DIMENSIONS[value] for value in request.by),
        stores=frozenset(request.store_ids),
        regions=frozenset(request.regions),
        channels=frozenset(request.channels),
        items=frozenset(request.item_codes),
        categories=frozenset(request.categories),
    )


def _sums(sums: Sums) -> pb.SalesSums:
    found = pb.SalesSums(**{name: getattr(sums, name) for name in FIELDS}, net_minor=sums.net_minor)
    for name in (
        "gross_profit_minor",
        "average_ticket_minor",
        "returning_share_of_visits",
        "returning_share_of_sales",
    ):
        if (value := getattr(sums, name)) is not None:
            setattr(found, name, value)
    return found


def _month(month: str, turned: Turned) -> pb.GuestMonth:
    found = pb.GuestMonth(month=month, guests=turned.guests, repeaters=turned.repeaters)
    if turned.repeat_rate is not None:
        found.repeat_rate = turned.repeat_rate
    return found
