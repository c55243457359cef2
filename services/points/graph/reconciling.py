"""A store's day compared with what was booked, in the graph."""

from typing import Annotated

import strawberry

from protos.points.v1 import points_pb2 as pb
from protos.points.v1.points_pb2_grpc import PointsStub
from services.kit.graph import INPUT, Caller, Info, SafeInt, allow, field

RECONCILERS = allow(Caller.STAFF, Caller.PARTNER, Caller.TILL, scope="purchases:write")

DAY_S = 20.0
"""For a day of 20,000 receipts."""


@strawberry.input(description="What a store counts at the end of a day; amounts are in minor units of its currency.")
class DayTotalsInput:
    """Totals."""

    purchases: SafeInt = strawberry.field(description="How many receipts.")
    paid_minor: SafeInt = strawberry.field(description="What was paid for them, after discounts.")
    refunds: SafeInt = strawberry.field(default=0, description="How many refunds.")
    refunded_minor: SafeInt = strawberry.field(default=0, description="What was given back for them.")


@strawberry.input(description="A receipt or a refund as the store has it.")
class DayItemInput:
    """An item."""

    number: str = strawberry.field(description="Of the receipt, or of the refund.")
    amount_minor: SafeInt = strawberry.field(description="Paid, or given back, in minor units of the store's currency.")
    is_refund: bool = strawberry.field(default=False, description="It is a refund.")


@strawberry.input(description="A store's day as the store has it.")
class ReconcileDayInput:
    """A day."""

    store_id: strawberry.ID = strawberry.field(description="Which store.")
    day: str = strawberry.field(description='The store\'s own day, like "2026-03-01", in its time zone.')
    totals: DayTotalsInput = strawberry.field(description="What the store counts.")
    items: list[DayItemInput] = strawberry.field(
        default_factory=list,
        description="All of the day's receipts and refunds, up to 20,000; none: only the totals are compared.",
    )


@strawberry.type(description="What a day comes to; amounts are in minor units of the store's currency.")
class DayTotals:
    """Totals."""

    purchases: SafeInt = strawberry.field(description="How many receipts.")
    paid_minor: SafeInt = strawberry.field(description="What was paid for them, after discounts.")
    refunds: SafeInt = strawberry.field(description="How many refunds.")
    refunded_minor: SafeInt = strawberry.field(description="What was given back for them.")


@strawberry.type(description="A receipt or refund that differs.")
class DayDifference:
    """A difference."""

    number: str = strawberry.field(description="Of the receipt, or of the refund.")
    is_refund: bool = strawberry.field(description="It is a refund.")
    booked_minor: SafeInt | None = strawberry.field(
        description="What was booked, in minor units of the store's currency; null: nothing under this number."
    )
    store_minor: SafeInt | None = strawberry.field(
        description="What the store has, likewise; null: the store did not send it."
    )


@strawberry.type(description="A store's day compared with what was booked.")
class DayReconciliation:
    """The comparison."""

    matches: bool = strawberry.field(description="Nothing differs.")
    totals: DayTotals = strawberry.field(description="What was booked.")
    differences: list[DayDifference] = strawberry.field(
        description="What differs, by number; complete only when items were sent."
    )


@strawberry.type
class ReconcilingQuery:
    """Comparing changes nothing, so it is asked, not told."""

    @field(RECONCILERS, description="Compares a store's day with what was booked, and tells what differs.")
    async def reconcile_day(self, info: Info, wish: Annotated[ReconcileDayInput, INPUT]) -> DayReconciliation:
        """Compare a day."""
        points = info.context.channel("points")
        answer = await points.ask(points.stub(PointsStub).ReconcileDay, _request_of(wish), timeout_s=DAY_S)
        totals = answer.totals
        return DayReconciliation(
            matches=answer.matches,
            totals=DayTotals(
                purchases=totals.purchases,
                paid_minor=totals.paid_minor,
                refunds=totals.refunds,
                refunded_minor=totals.refunded_minor,
            ),
            differences=[_difference(one) for one in answer.differences],
        )


def _request_of(wish: ReconcileDayInput) -> pb.ReconcileDayRequest:
    totals = pb.DayTotals(
        purchases=wish.totals.purchases,
        paid_minor=wish.totals.paid_minor,
        refunds=wish.totals.refunds,
        refunded_minor=wish.totals.refunded_minor,
    )
    items = [
        pb.DayItem(number=item.number, is_refund=item.is_refund, amount_minor=item.amount_minor) for item in wish.items
    ]
    return pb.ReconcileDayRequest(store_id=wish.store_id, day=wish.day, totals=totals, items=items)


def _difference(difference: pb.DayDifference) -> DayDifference:
    return DayDifference(
        number=difference.number,
        is_refund=difference.is_refund,
        booked_minor=difference.booked_minor if difference.HasField("booked_minor") else None,
        store_minor=difference.store_minor if difference.HasField("store_minor") else None,
    )
