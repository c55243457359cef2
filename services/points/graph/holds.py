"""Holds in the graph: points set aside for an order."""

from enum import Enum
from typing import Annotated

import strawberry

from protos.points.v1 import holds_pb2 as pb
from protos.points.v1.holds_pb2_grpc import HoldsStub
from services.kit.graph import BY_ID, Caller, GraphContext, Info, Instant, SafeInt, allow, field, instant, loader
from services.points.graph.accounts import Member, member_of
from services.points.graph.balances import PointsCurrency, currency_of

HOLD_READERS = allow(Caller.STAFF, Caller.PARTNER, Caller.TILL, scope="points:read")


@strawberry.enum(description="What became of a hold.")
class HoldState(Enum):
    """States, named as in the proto."""

    OPEN = strawberry.enum_value("OPEN", description="It sets points aside.")
    CAPTURED = strawberry.enum_value("CAPTURED", description="It was consumed, whole or in part.")
    VOIDED = strawberry.enum_value("VOIDED", description="What it set aside was given back.")
    EXPIRED = strawberry.enum_value("EXPIRED", description="It ran out, and what it set aside came back.")
    REVERSED = strawberry.enum_value("REVERSED", description="It was captured, and given back: the order failed.")


@strawberry.type(description="Points set aside for an order: nobody else's meanwhile, consumed only when captured.")
class Hold:
    """A hold."""

    id: strawberry.ID = strawberry.field(description="`hold_…`.")
    member_id: strawberry.ID = strawberry.field(description="Whose points.")
    member: Member | None = strawberry.field(description="The same, as of now.")
    currency: PointsCurrency = strawberry.field(description="What the amounts are counted in.")
    amount: SafeInt = strawberry.field(description="How much was authorised.")
    captured: SafeInt = strawberry.field(description="How much was consumed so far.")
    left: SafeInt = strawberry.field(description="How much is still set aside.")
    state: HoldState = strawberry.field(description="What became of it.")
    expires_at: Instant = strawberry.field(description="When it runs out.")
    pinned: bool = strawberry.field(description="It does not run out while its order is being paid.")
    reference: str | None = strawberry.field(description="The caller's own order or basket; null: not given.")


@loader(most=100)
async def holds(context: GraphContext, ids: list[str]) -> list[Hold | None]:
    """Fetch holds; None for those that are not there, or not for the caller."""
    points = context.channel("points")
    answer = await points.ask(points.stub(HoldsStub).GetHolds, pb.GetHoldsRequest(hold_ids=ids))
    return [hold_of(one) if one.id else None for one in answer.holds]


@strawberry.type
class HoldQuery:
    """What can be asked of holds."""

    @field(HOLD_READERS, description="A hold; null when there is none.")
    async def hold(self, info: Info, hold_id: Annotated[strawberry.ID, BY_ID]) -> Hold | None:
        """Load one hold."""
        return await holds.load(info, hold_id)


def hold_of(hold: pb.Hold) -> Hold:
    """Make it of the proto."""
    return Hold(
        id=strawberry.ID(hold.id),
        member_id=strawberry.ID(hold.member_id),
        member=member_of(hold.member_id),
        currency=currency_of(hold.currency),
        amount=hold.amount,
        captured=hold.captured,
        left=hold.left,
        state=HoldState[pb.HoldState.Name(hold.state).removeprefix("HOLD_STATE_")],
        expires_at=instant(hold.expires_at),
        pinned=hold.pinned,
        reference=hold.reference or None,
    )
