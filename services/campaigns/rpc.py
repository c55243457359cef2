"""The Campaigns servicer: translate, call one use case, translate."""

from base64 import b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from protos.campaigns.v1 import campaigns_pb2 as pb
from protos.campaigns.v1 import campaigns_pb2_grpc
from services.campaigns.domain import Coupon, CouponState, TierOffer
from services.campaigns.usecases.coupons import (
    CouponPage,
    Coupons,
    RedeemCoupon,
    SaveTierOffer,
    Work,
    list_coupons,
    redeem_coupon,
    save_tier_offer,
)
from services.kit.chain_clocks import ChainClocks
from services.kit.errors import Kind, Problem
from services.kit.ids import MakeId
from services.kit.rpc.server import caller
from services.kit.telemetry import current_traceparent
from services.kit.timestamps import to_timestamp

STATES = {
    CouponState.OPEN: pb.COUPON_STATE_OPEN,
    CouponState.REDEEMED: pb.COUPON_STATE_REDEEMED,
    CouponState.EXPIRED: pb.COUPON_STATE_EXPIRED,
}


class CursorError(Problem):
    """This cursor was not made by an earlier answer."""

    kind = Kind.INVALID
    code = "INVALID_CURSOR"


@dataclass(frozen=True, slots=True)
class CampaignsServicer(campaigns_pb2_grpc.CampaignsServicer):
    """protos/campaigns/v1/campaigns.proto."""

    work: Work
    coupons: Coupons
    make_id: MakeId
    clocks: ChainClocks

    async def SaveTierOffer(self, request: pb.SaveTierOfferRequest, _context: Any) -> pb.SaveTierOfferResponse:  # noqa: N802 - gRPC's name
        """Let an offer hold for its level."""
        command = SaveTierOffer(
            key=request.key,
            level=request.level,
            title=request.title,
            value_minor=request.value_minor,
            valid_days=request.valid_days,
        )
        who = caller()
        now = await self.clocks.now(who.chain)
        offer = await save_tier_offer(command, caller=who, work=self.work, make_id=self.make_id, now=now)
        return pb.SaveTierOfferResponse(offer=_offer(offer))

    async def ListCoupons(self, request: pb.ListCouponsRequest, _context: Any) -> pb.ListCouponsResponse:  # noqa: N802 - gRPC's name
        """Read a page of coupons."""
        pages = await list_coupons(
            request.member_ids,
            caller=caller(),
            first=request.page.first,
            after=_after(request.page.after),
            coupons=self.coupons,
        )
        now = await self.clocks.now(caller().chain)
        return pb.ListCouponsResponse(pages=[_page(page, now) for page in pages])

    async def RedeemCoupon(self, request: pb.RedeemCouponRequest, _context: Any) -> pb.RedeemCouponResponse:  # noqa: N802 - gRPC's name
        """Use a coupon up."""
        command = RedeemCoupon(
            key=request.key,
            coupon=request.coupon_id,
            member=request.member_id,
            store=request.store_id,
            traceparent=current_traceparent(),
        )
        now = await self.clocks.now(caller().chain)
        redeemed = await redeem_coupon(command, caller=caller(), work=self.work, now=now)
        return pb.RedeemCouponResponse(coupon=_coupon(redeemed.coupon, now), repeated_call=redeemed.repeated_call)


def _offer(offer: TierOffer) -> pb.TierOffer:
    return pb.TierOffer(
        id=offer.id,
        level=offer.level,
        title=offer.title,
        value_minor=offer.value_minor,
        valid_days=offer.valid_days,
    )


def _coupon(coupon: Coupon, now: datetime) -> pb.Coupon:
    return pb.Coupon(
        id=coupon.id,
        member_id=coupon.member,
        title=coupon.title,
        value_minor=coupon.value_minor,
        state=STATES[coupon.state_at(now)],
        issued_at=to_timestamp(coupon.issued_at),
        expires_at=to_timestamp(coupon.expires_at),
        reason=coupon.reason,
    )


def _page(page: CouponPage, now: datetime) -> pb.CouponPage:
    return pb.CouponPage(
        coupons=[_coupon(coupon, now) for coupon in page.coupons],
        end_cursor=urlsafe_b64encode(page.next_after.encode()).decode(),
    )


def _after(cursor: str) -> str:
    try:
        after = b64decode(cursor, altchars="-_", validate=True).decode()
    except ValueError:  # neither base64 nor text
        raise CursorError(field="after") from None
    if after and not after.startswith("cpn_"):
        raise CursorError(field="after")
    return after
