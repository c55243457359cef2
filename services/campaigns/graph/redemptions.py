"""The use of coupons in the graph."""

from enum import Enum
from typing import Annotated

import strawberry

from protos.campaigns.v1 import campaigns_pb2 as pb
from protos.campaigns.v1.campaigns_pb2_grpc import CampaignsStub
from services.campaigns.graph.coupons import Coupon, coupon_of
from services.kit.graph import INPUT, Caller, Info, UserError, allow, mutation

REDEEMERS = allow(Caller.STAFF, Caller.TILL, scope="coupons:redeem")


@strawberry.input(description="The use of a coupon in a store.")
class RedeemCouponInput:
    """The wish to use a coupon up."""

    key: str = strawberry.field(description="The command key: 8 to 128 characters, one for each wish.")
    coupon_id: strawberry.ID = strawberry.field(description="`cpn_…`.")
    member_id: strawberry.ID = strawberry.field(description="Whose coupon it is.")
    store_id: strawberry.ID = strawberry.field(description="Where it is used.")


@strawberry.enum(description="Why a coupon was not redeemed.")
class RedeemCouponErrorCode(Enum):
    """Codes of `RedeemCouponError`."""

    INVALID = strawberry.enum_value("INVALID", description="The input is wrong by itself.")
    NOT_FOUND = strawberry.enum_value("NOT_FOUND", description="What is named does not exist in this chain.")
    CONFLICT = strawberry.enum_value("CONFLICT", description="It is in use with other content.")
    REFUSED = strawberry.enum_value("REFUSED", description="The state does not allow it.")
    INVALID_KEY = strawberry.enum_value("INVALID_KEY", description="The command key is too short or too long.")
    KEY_REUSED = strawberry.enum_value("KEY_REUSED", description="The key was used for another wish.")
    STORE_MISSING = strawberry.enum_value("STORE_MISSING", description="A coupon is used in a store.")
    COUPON_NOT_FOUND = strawberry.enum_value("COUPON_NOT_FOUND", description="There is no such coupon.")
    COUPON_OF_ANOTHER_MEMBER = strawberry.enum_value(
        "COUPON_OF_ANOTHER_MEMBER", description="It was given to somebody else."
    )
    COUPON_REDEEMED = strawberry.enum_value("COUPON_REDEEMED", description="It was used before.")
    COUPON_EXPIRED = strawberry.enum_value("COUPON_EXPIRED", description="It was not used in time.")


@strawberry.type(description="Why a coupon was not redeemed.")
class RedeemCouponError(UserError):
    """An item of `userErrors`."""

    code: RedeemCouponErrorCode = strawberry.field(description="For programs.")


@strawberry.type(description="The coupon, or why it was not redeemed.")
class RedeemCouponPayload:
    """The answer to a redemption."""

    user_errors: list[RedeemCouponError] = strawberry.field(description="Empty: it was used up.")
    coupon: Coupon | None = strawberry.field(default=None, description="Null when it was not redeemed.")
    repeated_call: bool = strawberry.field(
        default=False, description="The key had been used before, and this is the first answer."
    )


@strawberry.type
class Mutation:
    """What can be told to campaigns about coupons."""

    @mutation(REDEEMERS, description="Uses a coupon up, once.")
    async def redeem_coupon(self, info: Info, wish: Annotated[RedeemCouponInput, INPUT]) -> RedeemCouponPayload:
        """Redeem a coupon."""
        campaigns = info.context.channel("campaigns")
        request = pb.RedeemCouponRequest(
            key=wish.key, coupon_id=wish.coupon_id, member_id=wish.member_id, store_id=wish.store_id
        )
        # The key makes asking again safe.
        answer = await campaigns.ask(campaigns.stub(CampaignsStub).RedeemCoupon, request)
        return RedeemCouponPayload(user_errors=[], coupon=coupon_of(answer.coupon), repeated_call=answer.repeated_call)
