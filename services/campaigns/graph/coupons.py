"""Coupons in the graph."""

from enum import Enum

import strawberry

from protos.campaigns.v1 import campaigns_pb2 as pb
from protos.campaigns.v1.campaigns_pb2_grpc import CampaignsStub
from services.kit.graph import (
    After,
    Caller,
    Connection,
    First,
    GraphContext,
    Info,
    Instant,
    Page,
    SafeInt,
    allow,
    field,
    instant,
    page_loader,
)

READERS = allow(Caller.MEMBER, Caller.STAFF, Caller.PARTNER, Caller.TILL, scope="coupons:read")


@strawberry.enum(description="What a coupon is at.")
class CouponState(Enum):
    """States of a coupon."""

    OPEN = strawberry.enum_value("OPEN", description="Can be used.")
    REDEEMED = strawberry.enum_value("REDEEMED", description="Was used.")
    EXPIRED = strawberry.enum_value("EXPIRED", description="Was not used in time.")


@strawberry.type(description="What one member may take off one sale.")
class Coupon:
    """A coupon."""

    id: strawberry.ID = strawberry.field(description="`cpn_…`.")
    title: str = strawberry.field(description="What the member reads.")
    value_minor: SafeInt = strawberry.field(description="What it takes off, in the minor unit of the chain's currency.")
    state: CouponState = strawberry.field(description="What it is at now.")
    issued_at: Instant = strawberry.field(description="When the member got it.")
    expires_at: Instant = strawberry.field(description="From this moment on it is too late.")
    reason: str = strawberry.field(description='What it was issued for, like "tier:silver".')


@page_loader()
async def coupons_of(context: GraphContext, ids: list[str], page: Page) -> list[Connection[Coupon]]:
    """Fetch a page of each member's coupons."""
    campaigns = context.channel("campaigns")
    request = pb.ListCouponsRequest(member_ids=ids, page=page.to_proto())
    answer = await campaigns.ask(campaigns.stub(CampaignsStub).ListCoupons, request)
    return [
        Connection.of([coupon_of(one) for one in found.coupons], page, end_cursor=found.end_cursor)
        for found in answer.pages
    ]


@strawberry.federation.type(keys=["id"], description="A guest of the chain, wherever met.")
class Member:
    """What campaigns knows of a member."""

    id: strawberry.ID = strawberry.field(description="`mem_…`.")

    @field(READERS, description="The member's coupons, the newest first.")
    async def coupons(self, info: Info, first: First = 20, after: After = None) -> Connection[Coupon]:
        """Load a page of coupons, together with those of the other members of this level."""
        return await coupons_of.load(info, self.id, first=first, after=after)


def coupon_of(coupon: pb.Coupon) -> Coupon:
    """Return the coupon as the graph has it."""
    return Coupon(
        id=strawberry.ID(coupon.id),
        title=coupon.title,
        value_minor=coupon.value_minor,
        state=CouponState[pb.CouponState.Name(coupon.state).removeprefix("COUPON_STATE_")],
        issued_at=instant(coupon.issued_at),
        expires_at=instant(coupon.expires_at),
        reason=coupon.reason,
    )
