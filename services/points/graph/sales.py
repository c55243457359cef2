"""Sales and guests of the chain, in the graph, from sums that are kept."""

from collections.abc import Sequence
from enum import Enum
from typing import Annotated

import strawberry

from protos.points.v1 import insight_pb2 as pb
from protos.points.v1.insight_pb2_grpc import InsightStub
from services.kit.graph import INPUT, Caller, Info, SafeInt, allow, field
from services.points.graph.insight_files import REPORT_S, collected
from services.points.graph.receipts import SaleChannel

INSIGHT_READERS = allow(Caller.STAFF, scope="insight:read")


@strawberry.enum(description="By what rows of sales are told apart.")
class SalesDimension(Enum):
    """Dimensions, named as in the proto."""

    STORE = strawberry.enum_value("STORE", description="The store.")
    REGION = strawberry.enum_value("REGION", description="The region that the store is in now.")
    CHANNEL = strawberry.enum_value("CHANNEL", description="The channel.")
    DAY = strawberry.enum_value("DAY", description="The store's own day.")
    MONTH = strawberry.enum_value("MONTH", description="The month.")
    WEEKDAY = strawberry.enum_value("WEEKDAY", description="The day of the week.")
    HOUR = strawberry.enum_value("HOUR", description="The hour of the store's clock.")
    CATEGORY = strawberry.enum_value("CATEGORY", description="The item's category, as the receipt's line named it.")
    ITEM = strawberry.enum_value("ITEM", description="The item.")


@strawberry.input(description="Which sales, told apart by what.")
class SalesInput:
    """A question."""

    since: str = strawberry.field(name="from", description='The first day, like "2026-03-01", in each store\'s zone.')
    until: str = strawberry.field(description="The last day, itself included; up to 1,100 days.")
    by: list[SalesDimension] = strawberry.field(
        default_factory=list,
        description="Up to 4, each once; none: all in one row. CATEGORY and ITEM go with neither CHANNEL nor HOUR.",
    )
    store_ids: list[strawberry.ID] = strawberry.field(default_factory=list, description="Only these; none: all.")
    regions: list[str] = strawberry.field(default_factory=list, description="Only these; none: all.")
    channels: list[SaleChannel] = strawberry.field(default_factory=list, description="Only these; none: all.")
    item_codes: list[str] = strawberry.field(default_factory=list, description="Only these; none: all.")
    categories: list[str] = strawberry.field(default_factory=list, description="Only these; none: all.")


@strawberry.type(description="Sums of sales; amounts are in minor units of the report's currency.")
class SalesSums:
    """Sums."""

    receipts: SafeInt = strawberry.field(description="How many; for an item: those that it stands on.")
    covers: SafeInt = strawberry.field(description="Guests: the party's size, 1 where it is not known; for items 0.")
    items: SafeInt = strawberry.field(description="Pieces.")
    paid_minor: SafeInt = strawberry.field(description="After discounts, before refunds.")
    discount_minor: SafeInt = strawberry.field(description="Discounts.")
    refunds: SafeInt = strawberry.field(description="Refunds that were made then, of whatever day their receipt is.")
    refunded_items: SafeInt = strawberry.field(description="Pieces that came back.")
    refunded_minor: SafeInt = strawberry.field(description="Money that was given back.")
    net_minor: SafeInt = strawberry.field(description="Paid less refunded.")
    costed_minor: SafeInt = strawberry.field(description="Paid for lines whose cost is known.")
    cost_minor: SafeInt = strawberry.field(description="Their cost.")
    gross_profit_minor: SafeInt | None = strawberry.field(
        description="What these lines brought beyond their cost, less their refunds; null: no cost is known."
    )
    average_ticket_minor: SafeInt | None = strawberry.field(
        description="Paid for a receipt on average; null: no receipts."
    )
    returning_receipts: SafeInt = strawberry.field(description="Of guests who had bought before.")
    returning_minor: SafeInt = strawberry.field(description="What these paid.")
    returning_share_of_visits: float | None = strawberry.field(
        description="0 to 1, of the receipts of which it is known; null: of none."
    )
    returning_share_of_sales: float | None = strawberry.field(description="The same of what was paid.")


@strawberry.type(description="A group of sales. What it was not asked by is null, as is what is not known.")
class SalesRow:
    """A row."""

    store_id: strawberry.ID | None = strawberry.field(description="`sto_…`.")
    region: str | None = strawberry.field(description="The region's code.")
    channel: SaleChannel | None = strawberry.field(description="The channel.")
    day: str | None = strawberry.field(description='Like "2026-03-01".')
    month: str | None = strawberry.field(description='Like "2026-03".')
    weekday: int | None = strawberry.field(description="From 1, Monday, to 7.")
    hour: int | None = strawberry.field(description="0 to 23.")
    category: str | None = strawberry.field(description="The category's code.")
    item_code: str | None = strawberry.field(
        description='The chain\'s own code; "…": others, in a store that sells more than can be told apart.'
    )
    sums: SalesSums = strawberry.field(description="Its sums.")


@strawberry.type(description="Sales, by groups.")
class SalesReport:
    """The report."""

    rows: list[SalesRow] = strawberry.field(description="In the order of their groups; more than 5,000 are refused.")
    total: SalesSums = strawberry.field(description="All rows together; a receipt counts once for each of its items.")
    currency: str | None = strawberry.field(description="ISO 4217; null: the chain has no stores.")


@strawberry.type(description="A month's guests over the whole chain.")
class GuestMonth:
    """A month."""

    month: str = strawberry.field(description='Like "2026-03".')
    guests: SafeInt = strawberry.field(description="Members who bought in it.")
    repeaters: SafeInt = strawberry.field(description="Of these, at least twice.")
    repeat_rate: float | None = strawberry.field(description="Repeaters by guests, 0 to 1; null: no guests.")


@strawberry.type
class SalesQuery:
    """Sales and guests."""

    @field(INSIGHT_READERS, description="Sums of sales. For staff; a key that is limited to stores sees these only.")
    async def sales(self, info: Info, wish: Annotated[SalesInput, INPUT]) -> SalesReport:
        """Ask for the sums."""
        points = info.context.channel("points")
        answer = await points.ask(points.stub(InsightStub).GetSales, _request_of(wish), timeout_s=REPORT_S)
        return SalesReport(
            rows=[_row(one, wish.by) for one in answer.rows],
            total=_sums(answer.total),
            currency=answer.currency or None,
        )

    @field(INSIGHT_READERS, description="The same as CSV (RFC 4180); at most 5 MB, else EXPORT_TOO_LONG.")
    async def sales_csv(self, info: Info, wish: Annotated[SalesInput, INPUT]) -> str:
        """Collect the file."""
        points = info.context.channel("points")
        return await collected(points, points.stub(InsightStub).ExportSales, _request_of(wish))

    @field(INSIGHT_READERS, description="How many members bought in each month, and how many of them again.")
    async def guest_months(
        self,
        info: Info,
        from_month: Annotated[str, strawberry.argument(description='The first, like "2026-01".')],
        until_month: Annotated[str, strawberry.argument(description="The last, itself included; up to 36 in all.")],
    ) -> list[GuestMonth]:
        """Ask for the months."""
        points = info.context.channel("points")
        request = pb.GetGuestMonthsRequest(from_month=from_month, until_month=until_month)
        answer = await points.ask(points.stub(InsightStub).GetGuestMonths, request, timeout_s=REPORT_S)
        return [
            GuestMonth(
                month=one.month,
                guests=one.guests,
                repeaters=one.repeaters,
                repeat_rate=one.repeat_rate if one.HasField("repeat_rate") else None,
            )
            for one in answer.months
        ]


def _request_of(wish: SalesInput) -> pb.GetSalesRequest:
    return pb.GetSalesRequest(
        from_day=wish.since,
        until_day=wish.until,
        by=[pb.SalesDimension.Value(f"SALES_DIMENSION_{dimension.name}") for dimension in wish.by],
        store_ids=wish.store_ids,
        regions=wish.regions,
        channels=[channel.name.lower() for channel in wish.channels],
        item_codes=wish.item_codes,
        categories=wish.categories,
    )


def _row(row: pb.SalesRow, by: Sequence[SalesDimension]) -> SalesRow:
    group: dict[SalesDimension, str] = {
        dimension: value for dimension, value in zip(by, row.group, strict=True) if value
    }
    store, channel = group.get(SalesDimension.STORE), group.get(SalesDimension.CHANNEL)
    weekday, hour = group.get(SalesDimension.WEEKDAY), group.get(SalesDimension.HOUR)
    return SalesRow(
        store_id=strawberry.ID(store) if store else None,
        region=group.get(SalesDimension.REGION),
        channel=SaleChannel[channel.upper()] if channel else None,
        day=group.get(SalesDimension.DAY),
        month=group.get(SalesDimension.MONTH),
        weekday=int(weekday) + 1 if weekday else None,
        hour=int(hour) if hour else None,
        category=group.get(SalesDimension.CATEGORY),
        item_code=group.get(SalesDimension.ITEM),
        sums=_sums(row.sums),
    )


def _sums(sums: pb.SalesSums) -> SalesSums:
    return SalesSums(
        receipts=sums.receipts,
        covers=sums.covers,
        items=sums.items,
        paid_minor=sums.paid_minor,
        discount_minor=sums.discount_minor,
        refunds=sums.refunds,
        refunded_items=sums.refunded_items,
        refunded_minor=sums.refunded_minor,
        net_minor=sums.net_minor,
        costed_minor=sums.costed_minor,
        cost_minor=sums.cost_minor,
        gross_profit_minor=sums.gross_profit_minor if sums.HasField("gross_profit_minor") else None,
        average_ticket_minor=sums.average_ticket_minor if sums.HasField("average_ticket_minor") else None,
        returning_receipts=sums.returning_receipts,
        returning_minor=sums.returning_minor,
        returning_share_of_visits=(
            sums.returning_share_of_visits if sums.HasField("returning_share_of_visits") else None
        ),
        returning_share_of_sales=sums.returning_share_of_sales if sums.HasField("returning_share_of_sales") else None,
    )
