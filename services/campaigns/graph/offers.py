"""Offers in the graph."""

from enum import Enum
from typing import Annotated

import strawberry

from protos.campaigns.v1 import campaigns_pb2 as pb
from protos.campaigns.v1.campaigns_pb2_grpc import CampaignsStub
from services.kit.graph import INPUT, Caller, Info, SafeInt, UserError, allow, mutation

PLANNERS = allow(Caller.STAFF, Caller.OPERATOR, scope="campaigns:write")


@strawberry.type(description="What members get when they reach a level.")
class TierOffer:
    """An offer."""

    id: strawberry.ID = strawberry.field(description="`off_…`.")
    level: str = strawberry.field(description="The level's code in the chain's program.")
    title: str = strawberry.field(description="What the member reads.")
    value_minor: SafeInt = strawberry.field(description="What a coupon takes off, in minor units.")
    valid_days: int = strawberry.field(description="How long a coupon is good for.")


@strawberry.input(description="An offer for reaching a level. It takes the place of the level's offer before it.")
class SaveTierOfferInput:
    """The wish to offer something."""

    key: str = strawberry.field(description="The command key: 8 to 128 characters, one for each wish.")
    level: str = strawberry.field(description="The level's code in the chain's program.")
    title: str = strawberry.field(description="What the member reads; up to 200 characters.")
    value_minor: SafeInt = strawberry.field(description="What a coupon takes off, in minor units; at least 1.")
    valid_days: int = strawberry.field(description="How long a coupon is good for; 1 to 3,650.")


@strawberry.enum(description="Why an offer was not saved.")
class SaveTierOfferErrorCode(Enum):
    """Codes of `SaveTierOfferError`."""

    INVALID = strawberry.enum_value("INVALID", description="The input is wrong by itself.")
    NOT_FOUND = strawberry.enum_value("NOT_FOUND", description="What is named does not exist in this chain.")
    CONFLICT = strawberry.enum_value("CONFLICT", description="It is in use with other content.")
    REFUSED = strawberry.enum_value("REFUSED", description="The state does not allow it.")
    INVALID_KEY = strawberry.enum_value("INVALID_KEY", description="The command key is too short or too long.")
    KEY_REUSED = strawberry.enum_value("KEY_REUSED", description="The key was used for another wish.")
    INVALID_TIER_OFFER = strawberry.enum_value("INVALID_TIER_OFFER", description="No offer can be like that.")


@strawberry.type(description="Why an offer was not saved.")
class SaveTierOfferError(UserError):
    """An item of `userErrors`."""

    code: SaveTierOfferErrorCode = strawberry.field(description="For programs.")


@strawberry.type(description="The offer, or why it was not saved.")
class SaveTierOfferPayload:
    """The answer to an offer."""

    user_errors: list[SaveTierOfferError] = strawberry.field(description="Empty: it holds from now on.")
    offer: TierOffer | None = strawberry.field(default=None, description="Null when it was not saved.")


@strawberry.type
class Mutation:
    """What can be told to campaigns about offers."""

    @mutation(PLANNERS, description="Lets an offer hold for its level from now on.")
    async def save_tier_offer(self, info: Info, wish: Annotated[SaveTierOfferInput, INPUT]) -> SaveTierOfferPayload:
        """Save an offer."""
        campaigns = info.context.channel("campaigns")
        request = pb.SaveTierOfferRequest(
            key=wish.key,
            level=wish.level,
            title=wish.title,
            value_minor=wish.value_minor,
            valid_days=wish.valid_days,
        )
        # The key makes asking again safe.
        answer = await campaigns.ask(campaigns.stub(CampaignsStub).SaveTierOffer, request)
        return SaveTierOfferPayload(user_errors=[], offer=_offer_of(answer.offer))


def _offer_of(offer: pb.TierOffer) -> TierOffer:
    return TierOffer(
        id=strawberry.ID(offer.id),
        level=offer.level,
        title=offer.title,
        value_minor=offer.value_minor,
        valid_days=offer.valid_days,
    )
