"""Purchases before and after they are booked: what one would give, and that its order has been delivered."""

from enum import Enum
from typing import Annotated

import strawberry

from protos.points.v1 import points_pb2 as pb
from protos.points.v1.points_pb2_grpc import PointsStub
from services.kit.graph import INPUT, Info, UserError, mutation
from services.points.graph.accounts import Member, member_of
from services.points.graph.balances import PointsBalance, balance_of
from services.points.graph.codes import KEY, code
from services.points.graph.purchases import RECORDERS, RecordPurchaseError, RecordPurchaseInput, purchase_wish
from services.points.graph.receipts import Purchase, purchase_of


@strawberry.type(description="What booking would give, or why it would be refused.")
class SimulatePurchasePayload:
    """The answer to `simulatePurchase`."""

    user_errors: list[RecordPurchaseError] = strawberry.field(description="Empty: it would be booked.")
    purchase: Purchase | None = strawberry.field(default=None, description="As it would be; its id is of this try.")
    is_booked: bool = strawberry.field(
        default=False, description="The receipt's number is booked already, and this is that purchase."
    )


@strawberry.input(description="An order whose pending points become available.")
class ReleasePointsInput:
    """A purchase."""

    key: str = strawberry.field(description=KEY)
    store_id: strawberry.ID = strawberry.field(description="Where it was paid.")
    receipt_number: str = strawberry.field(description="As it was booked.")


@strawberry.enum(description="Why nothing was released.")
class ReleasePointsErrorCode(Enum):
    """Codes of `ReleasePointsError`."""

    INVALID = code("INVALID")
    NOT_FOUND = code("NOT_FOUND")
    CONFLICT = code("CONFLICT")
    REFUSED = code("REFUSED")
    DENIED = code("DENIED")
    INVALID_KEY = code("INVALID_KEY")
    KEY_REUSED = code("KEY_REUSED")
    STORE_NOT_FOUND = code("STORE_NOT_FOUND")
    RECEIPT_NOT_FOUND = code("RECEIPT_NOT_FOUND")


@strawberry.type(description="Why nothing was released.")
class ReleasePointsError(UserError):
    """An item of `userErrors`."""

    code: ReleasePointsErrorCode = strawberry.field(description="For programs.")


@strawberry.type(description="What the member has now, or why nothing was released.")
class ReleasePointsPayload:
    """The answer to `releasePoints`."""

    user_errors: list[ReleasePointsError] = strawberry.field(description="Empty: nothing of it is pending any more.")
    member: Member | None = strawberry.field(default=None, description="Whose points they are.")
    balances: list[PointsBalance] = strawberry.field(default_factory=list, description="Afterwards.")
    repeated_call: bool = strawberry.field(
        default=False, description="The key had been used before, and this is the first answer."
    )


@strawberry.type
class OrderMutation:
    """Around a purchase."""

    @mutation(
        RECORDERS,
        description="What booking this receipt now would give, limits and caps included. Changes nothing. A buyer "
        "known by a payer's identity alone is taken for a new one.",
    )
    async def simulate_purchase(
        self, info: Info, wish: Annotated[RecordPurchaseInput, INPUT]
    ) -> SimulatePurchasePayload:
        """Try a receipt."""
        points = info.context.channel("points")
        request = pb.SimulatePurchaseRequest(purchase=purchase_wish(wish))
        answer = await points.ask(points.stub(PointsStub).SimulatePurchase, request)
        return SimulatePurchasePayload(
            user_errors=[], purchase=purchase_of(answer.booked), is_booked=answer.repeated_call
        )

    @mutation(
        RECORDERS,
        description="Makes a purchase's pending points available: what they waited for, such as a delivery, happened.",
    )
    async def release_points(self, info: Info, wish: Annotated[ReleasePointsInput, INPUT]) -> ReleasePointsPayload:
        """Release points."""
        points = info.context.channel("points")
        request = pb.ReleasePointsRequest(key=wish.key, store_id=wish.store_id, receipt_number=wish.receipt_number)
        answer = await points.ask(points.stub(PointsStub).ReleasePoints, request)
        return ReleasePointsPayload(
            user_errors=[],
            member=member_of(answer.member_id),
            balances=[balance_of(one) for one in answer.balances],
            repeated_call=answer.repeated_call,
        )
