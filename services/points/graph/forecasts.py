"""What a store can expect in the next two weeks, in the graph, and the people that it needs."""

from typing import Annotated

import strawberry

from protos.points.v1 import insight_pb2 as pb
from protos.points.v1.insight_pb2_grpc import InsightStub
from services.kit.graph import Info, Instant, field, instant
from services.points.graph.insight_files import REPORT_S, collected
from services.points.graph.sales import INSIGHT_READERS

StoreId = Annotated[strawberry.ID, strawberry.argument(description="Which store.")]
ClosedDays = Annotated[
    list[str] | None,
    strawberry.argument(description='Days of these 14, like "2026-03-01", on which it will be closed.'),
]
PerStaffHour = Annotated[
    float, strawberry.argument(description="How many covers one person serves in an hour; above 0.")
]
MinStaff = Annotated[int, strawberry.argument(description="At least so many while the store is open; 0 to 1,000.")]
ForHigh = Annotated[bool, strawberry.argument(description="For the forecast's high value instead of the expected one.")]


@strawberry.type(description="What is expected.")
class Expected:
    """A number to come."""

    expected: float = strawberry.field(description="On average; never less than what is known.")
    low: float = strawberry.field(description="10th percentile: in 1 of 10 cases it is less.")
    high: float = strawberry.field(description="90th percentile: in 1 of 10 cases it is more.")
    known: float = strawberry.field(description="Of it known already, from bookings and pre-orders.")


@strawberry.type(description="An hour of the store's clock; one that comes twice is one of two hours.")
class ForecastHour:
    """An hour."""

    hour: int = strawberry.field(description="0 to 23.")
    begins_at: Instant = strawberry.field(description="When it begins.")
    covers: Expected = strawberry.field(description="Guests.")
    items: Expected = strawberry.field(description="Pieces of all items.")


@strawberry.type(description="A day to come.")
class ForecastDay:
    """A day."""

    day: str = strawberry.field(description='Like "2026-03-01", in the store\'s zone.')
    covers: Expected = strawberry.field(description="Guests.")
    items: Expected = strawberry.field(description="Pieces of all items.")
    hours: list[ForecastHour] = strawberry.field(description="Those in which something is expected.")


@strawberry.type(
    description="How far off the forecast was on weeks that it was not told of: the sum of absolute errors by the sum "
    "of what happened (WAPE); 0 is perfect."
)
class ForecastError:
    """Errors."""

    weeks: int = strawberry.field(description="Weeks that were held out; 0: too little history, and all else is null.")
    hourly: float | None = strawberry.field(description="By hour.")
    naive_hourly: float | None = strawberry.field(description='The same of "as on the same day last week".')
    daily: float | None = strawberry.field(description="By day.")
    naive_daily: float | None = strawberry.field(description='The same of "as on the same day last week".')


@strawberry.type(description="What a store can expect.")
class StoreForecast:
    """A forecast."""

    days: list[ForecastDay] = strawberry.field(description="14 days, from today on.")
    covers_error: ForecastError = strawberry.field(description="Of the guests.")
    items_error: ForecastError = strawberry.field(description="Of the items.")
    time_zone: str = strawberry.field(description="The store's.")
    without_known: bool = strawberry.field(
        description="Bookings and pre-orders could not be asked for just now: `known` is 0 everywhere."
    )


@strawberry.type(description="How many people an hour needs.")
class StaffingHour:
    """An hour."""

    day: str = strawberry.field(description='Like "2026-03-01", in the store\'s zone.')
    hour: int = strawberry.field(description="0 to 23.")
    begins_at: Instant = strawberry.field(description="When it begins.")
    covers: float = strawberry.field(description="The guests that it is planned for.")
    staff: int = strawberry.field(description="How many people.")


@strawberry.type
class ForecastQuery:
    """What is to come."""

    @field(INSIGHT_READERS, description="Expected guests and items of a store for the next 14 days, by hour.")
    async def forecast(self, info: Info, store_id: StoreId, closed_days: ClosedDays = None) -> StoreForecast:
        """Ask for the forecast."""
        points = info.context.channel("points")
        request = pb.GetForecastRequest(store_id=store_id, closed_days=closed_days or [])
        answer = await points.ask(points.stub(InsightStub).GetForecast, request, timeout_s=REPORT_S)
        return StoreForecast(
            days=[_day(one) for one in answer.days],
            covers_error=_error(answer.covers_error),
            items_error=_error(answer.items_error),
            time_zone=answer.time_zone,
            without_known=answer.without_known,
        )

    @field(INSIGHT_READERS, description="The same as CSV (RFC 4180), a line for each hour.")
    async def forecast_csv(self, info: Info, store_id: StoreId, closed_days: ClosedDays = None) -> str:
        """Collect the file."""
        points = info.context.channel("points")
        request = pb.GetForecastRequest(store_id=store_id, closed_days=closed_days or [])
        return await collected(points, points.stub(InsightStub).ExportForecast, request)

    @field(INSIGHT_READERS, description="How many people a store needs in each open hour of the next 14 days.")
    async def staffing(
        self,
        info: Info,
        store_id: StoreId,
        covers_per_staff_hour: PerStaffHour,
        min_staff: MinStaff = 1,
        *,
        for_high: ForHigh = False,
        closed_days: ClosedDays = None,
    ) -> list[StaffingHour]:
        """Ask for the hours."""
        points = info.context.channel("points")
        request = pb.GetStaffingRequest(
            store_id=store_id,
            covers_per_staff_hour=covers_per_staff_hour,
            min_staff=min_staff,
            for_high=for_high,
            closed_days=closed_days or [],
        )
        answer = await points.ask(points.stub(InsightStub).GetStaffing, request, timeout_s=REPORT_S)
        return [
            StaffingHour(
                day=one.day, hour=one.hour, begins_at=instant(one.begins_at), covers=one.covers, staff=one.staff
            )
            for one in answer.hours
        ]

    @field(INSIGHT_READERS, description="The same as CSV (RFC 4180).")
    async def staffing_csv(
        self,
        info: Info,
        store_id: StoreId,
        covers_per_staff_hour: PerStaffHour,
        min_staff: MinStaff = 1,
        *,
        for_high: ForHigh = False,
        closed_days: ClosedDays = None,
    ) -> str:
        """Collect the file."""
        points = info.context.channel("points")
        request = pb.GetStaffingRequest(
            store_id=store_id,
            covers_per_staff_hour=covers_per_staff_hour,
            min_staff=min_staff,
            for_high=for_high,
            closed_days=closed_days or [],
        )
        return await collected(points, points.stub(InsightStub).ExportStaffing, request)


def _day(day: pb.ForecastDay) -> ForecastDay:
    return ForecastDay(
        day=day.day,
        covers=_expected(day.covers),
        items=_expected(day.items),
        hours=[
            ForecastHour(
                hour=one.hour,
                begins_at=instant(one.begins_at),
                covers=_expected(one.covers),
                items=_expected(one.items),
            )
            for one in day.hours
        ],
    )


def _expected(one: pb.Expected) -> Expected:
    return Expected(expected=one.expected, low=one.low, high=one.high, known=one.known)


def _error(error: pb.ForecastError) -> ForecastError:
    return ForecastError(
        weeks=error.weeks,
        hourly=error.hourly if error.HasField("hourly") else None,
        naive_hourly=error.naive_hourly if error.HasField("naive_hourly") else None,
        daily=error.daily if error.HasField("daily") else None,
        naive_daily=error.naive_daily if error.HasField("naive_daily") else None,
    )
