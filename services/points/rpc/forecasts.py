"""Forecasts and staff, as calls: what the Insight servicer answers with."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import date

from protos.points.v1 import insight_pb2 as pb
from services.kit.chain_clocks import ChainClocks
from services.kit.rpc.server import caller
from services.kit.timestamps import to_timestamp
from services.points.domain.expectations import Expected, ExpectedDay, Needs, StaffedHour, StoreForecast
from services.points.domain.forecast_lines import forecast_head, forecast_lines, staffing_lines
from services.points.domain.forecasting import Errors
from services.points.domain.sales_reports import day_of
from services.points.usecases.forecasts import Forecaster, forecast_store, staff_store


@dataclass(frozen=True, slots=True)
class ForecastReports:
    """The calls that tell of the next two weeks."""

    forecaster: Forecaster
    clocks: ChainClocks

    async def GetForecast(self, request: pb.GetForecastRequest) -> pb.GetForecastResponse:  # noqa: N802 - gRPC's name
        """Forecast a store."""
        found = await self._forecast(request)
        return pb.GetForecastResponse(
            days=[_day(day) for day in found.days],
            covers_error=_errors(found.covers_errors),
            items_error=_errors(found.items_errors),
            time_zone=found.time_zone,
            without_known=found.without_known,
        )

    async def ExportForecast(self, request: pb.GetForecastRequest) -> AsyncGenerator[pb.InsightPart, None]:  # noqa: N802 - gRPC's name
        """Write a forecast, day by day."""
        found = await self._forecast(request)
        yield pb.InsightPart(csv=forecast_head())
        for day in found.days:
            yield pb.InsightPart(csv=forecast_lines(day))

    async def GetStaffing(self, request: pb.GetStaffingRequest) -> pb.GetStaffingResponse:  # noqa: N802 - gRPC's name
        """Tell how many people a store needs."""
        expected, hours = await self._staffing(request)
        return pb.GetStaffingResponse(
            hours=[
                pb.StaffingHour(
                    day=one.day.isoformat(),
                    hour=one.hour,
                    begins_at=to_timestamp(one.begins_at),
                    covers=one.covers,
                    staff=one.staff,
                )
                for one in hours
            ],
            time_zone=expected.time_zone,
            without_known=expected.without_known,
        )

    async def ExportStaffing(self, request: pb.GetStaffingRequest) -> AsyncGenerator[pb.InsightPart, None]:  # noqa: N802 - gRPC's name
        """Write how many people a store needs."""
        _, hours = await self._staffing(request)
        yield pb.InsightPart(csv=staffing_lines(hours))

    async def _forecast(self, request: pb.GetForecastRequest) -> StoreForecast:
        return await forecast_store(
            request.store_id,
            closed=_days(request.closed_days),
            caller=caller(),
            now=await self.clocks.now(caller().chain),
            forecaster=self.forecaster,
        )

    async def _staffing(self, request: pb.GetStaffingRequest) -> tuple[StoreForecast, list[StaffedHour]]:
        return await staff_store(
            request.store_id,
            needs=Needs(request.covers_per_staff_hour, request.min_staff, for_high=request.for_high),
            closed=_days(request.closed_days),
            caller=caller(),
            now=await self.clocks.now(caller().chain),
            forecaster=self.forecaster,
        )


def _days(texts: Sequence[str]) -> list[date]:
    return [day_of(text, field="closedDays") for text in texts]


def _day(day: ExpectedDay) -> pb.ForecastDay:
    return pb.ForecastDay(
        day=day.day.isoformat(),
        covers=_expected(day.covers),
        items=_expected(day.items),
        hours=[
            pb.ForecastHour(
                hour=one.hour,
                begins_at=to_timestamp(one.begins_at),
                covers=_expected(one.covers),
                items=_expected(one.items),
            )
            for one in day.hours
        ],
    )


def _expected(one: Expected) -> pb.Expected:
    return pb.Expected(expected=one.expected, low=one.low, high=one.high, known=one.known)


def _errors(errors: Errors) -> pb.ForecastError:
    return pb.ForecastError(
        weeks=errors.weeks,
        hourly=errors.hourly,
        naive_hourly=errors.naive_hourly,
        daily=errors.daily,
        naive_daily=errors.naive_daily,
    )
