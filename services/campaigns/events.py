"""What campaigns tells and hears, as protos."""

from datetime import datetime

from google.protobuf.message import Message

from protos.events.v1 import campaigns_pb2, members_pb2, points_pb2
from services.campaigns.domain import Coupon, TierReached
from services.campaigns.usecases.merges import Joined
from services.kit.outbox.events import Event, EventCursor
from services.kit.timestamps import from_timestamp, to_timestamp

STREAM = "campaigns.coupon"
"""All events of campaigns, in the order of each coupon's life."""


def told(chain: str, coupon: Coupon, cursor: EventCursor, *, traceparent: str) -> Event:
    """Return the event that tells what the coupon has become; `cursor` is its place among the coupon's events."""
    body = _body(coupon)
    return Event(
        id=f"{chain}/{coupon.id}/{cursor.sequence}",
        chain=chain,
        stream=STREAM,
        aggregate=coupon.id,
        sequence=cursor.sequence,
        type=body.DESCRIPTOR.full_name,
        at=cursor.at or coupon.issued_at,
        body=body.SerializeToString(),
        traceparent=traceparent,
    )


def _body(coupon: Coupon) -> Message:
    if coupon.use is None:
        return campaigns_pb2.CouponIssued(
            coupon_id=coupon.id,
            member_id=coupon.member,
            offer_id=coupon.offer,
            reason=coupon.reason,
            issued_at=to_timestamp(coupon.issued_at),
            expires_at=to_timestamp(coupon.expires_at),
        )
    return campaigns_pb2.CouponRedeemed(
        coupon_id=coupon.id,
        member_id=coupon.member,
        store_id=coupon.use.store,
        redeemed_at=to_timestamp(coupon.use.at),
    )


def tier_reached(event: Event) -> TierReached | None:
    """Return who reached which level, None when the event tells something else: also of one lost, or held before."""
    if event.type != points_pb2.TierChanged.DESCRIPTOR.full_name:
        return None
    changed = points_pb2.TierChanged.FromString(event.body)
    if changed.falls or changed.again:
        return None
    return TierReached(
        chain=event.chain,
        member=changed.member_id,
        level=changed.to_level,
        grant=f"{event.aggregate}/{event.sequence}",
        traceparent=event.traceparent,
    )


def joined_members(event: Event) -> Joined | None:
    """Return who went into whom, or no longer is, None when the event tells something else."""
    if event.type == members_pb2.MemberMerged.DESCRIPTOR.full_name:
        merged = members_pb2.MemberMerged.FromString(event.body)
        return Joined(event.chain, merged.member_id, merged.merge_id, merged.into_id)
    if event.type == members_pb2.MemberSplit.DESCRIPTOR.full_name:
        split = members_pb2.MemberSplit.FromString(event.body)
        return Joined(event.chain, split.member_id, split.merge_id)
    return None


def erased_member(event: Event) -> tuple[str, datetime] | None:
    """Return who is to be forgotten since when, None when the event tells something else."""
    if event.type != members_pb2.MemberErased.DESCRIPTOR.full_name:
        return None
    erased = members_pb2.MemberErased.FromString(event.body)
    return erased.member_id, from_timestamp(erased.erased_at)
