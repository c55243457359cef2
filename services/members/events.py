"""What members tells and hears, as protos."""

from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import sha256

from google.protobuf.message import Message

from protos.events.v1 import campaigns_pb2, feedback_pb2, members_pb2, points_pb2
from services.kit.outbox.events import Event, EventCursor
from services.kit.timestamps import from_timestamp, to_timestamp
from services.members.domain.brands import Brand
from services.members.domain.enrollment import Enroll
from services.members.domain.facts import (
    ConsentChanged,
    MemberErased,
    MemberFact,
    MemberMerged,
    MemberSplit,
    ReferralCompleted,
    ReviewRaised,
)
from services.members.domain.menu import MenuItem
from services.members.domain.partners import Partner
from services.members.domain.regions import Region
from services.members.domain.staff import StaffMember
from services.members.domain.stores import Store
from services.members.domain.timeline import Happening, HappeningKind
from services.members.usecases.credits import EnrolledByStaff, Visited

MEMBER_STREAM = "members.member"
STORE_STREAM = "members.store"
MENU_STREAM = "members.menu"
CHAIN_STREAM = "members.chain"
STAFF_STREAM = "members.staff"


def member_enrolled(command: Enroll, cursor: EventCursor) -> Event:
    """Return the event of an enrollment; `cursor` is its place among the member's."""
    member = command.member
    body = members_pb2.MemberEnrolled(
        member_id=member.id,
        enrolled_at=to_timestamp(member.enrolled_at),
        channel=member.channel.value,
        store_id=member.source.store,
        provisional=member.provisional,
        staff_id=member.source.staff,
        campaign=member.source.campaign,
        referrer_id=member.source.referrer,
    )
    return _event(
        body, MEMBER_STREAM, member.id, cursor, chain=command.chain, now=command.at, traceparent=command.traceparent
    )


def member_told(fact: MemberFact, cursor: EventCursor, *, chain: str, now: datetime, traceparent: str) -> Event:
    """Return the event of a fact about a member; `cursor` is its place among the member's."""
    return _event(_fact_body(fact), MEMBER_STREAM, fact.member, cursor, chain=chain, now=now, traceparent=traceparent)


def _fact_body(fact: MemberFact) -> Message:
    at = to_timestamp(fact.at)
    match fact:
        case MemberMerged():
            return members_pb2.MemberMerged(member_id=fact.member, into_id=fact.into, merge_id=fact.merge, merged_at=at)
        case MemberSplit():
            return members_pb2.MemberSplit(member_id=fact.member, from_id=fact.was_in, merge_id=fact.merge, split_at=at)
        case MemberErased():
            return members_pb2.MemberErased(member_id=fact.member, erased_at=at)
        case ConsentChanged():
            return members_pb2.ConsentChanged(
                member_id=fact.member, channel=fact.channel, purpose=fact.purpose, granted=fact.granted, at=at
            )
        case ReferralCompleted():
            return members_pb2.ReferralCompleted(
                member_id=fact.member, referral_id=fact.referral, referrer_id=fact.referrer, completed_at=at
            )
        case ReviewRaised():
            return members_pb2.ReviewRaised(
                member_id=fact.member,
                review_id=fact.review,
                rule=fact.rule,
                kind=fact.kind.value,
                severity=fact.severity.value,
                staff_code=fact.staff,
                raised_at=at,
            )


def store_saved(store: Store, cursor: EventCursor, *, chain: str, now: datetime, traceparent: str) -> Event:
    """Return the event of a new or changed store; `cursor` is its place among the store's."""
    body = members_pb2.StoreSaved(
        store_id=store.id,
        version=store.version,
        name=store.name,
        time_zone=store.time_zone,
        currency=store.currency,
        region=store.region,
        brand=store.brand,
        closed=store.closed,
    )
    return _event(body, STORE_STREAM, store.id, cursor, chain=chain, now=now, traceparent=traceparent)


def menu_item_saved(item: MenuItem, cursor: EventCursor, *, chain: str, now: datetime, traceparent: str) -> Event:
    """Return the event of a new or changed menu item; `cursor` is its place among the item's."""
    body = members_pb2.MenuItemSaved(
        item_code=item.code,
        version=item.version,
        name=item.name,
        category=item.category,
        price_minor=item.price_minor,
        launched_on=item.launched_on,
        cost_minor=item.cost_minor,
        on_sale=item.on_sale,
        in_stock=item.in_stock,
        stock_exception_store_ids=item.stock_exceptions,
        brand=item.brand,
    )
    return _event(
        body, MENU_STREAM, _aggregate("itm", item.code), cursor, chain=chain, now=now, traceparent=traceparent
    )


def brand_saved(brand: Brand, cursor: EventCursor, *, chain: str, now: datetime, traceparent: str) -> Event:
    """Return the event of a new or changed brand; `cursor` is its place among the brand's."""
    body = members_pb2.BrandSaved(code=brand.code, version=brand.version, name=brand.name)
    aggregate = _aggregate("brd", brand.code)
    return _event(body, CHAIN_STREAM, aggregate, cursor, chain=chain, now=now, traceparent=traceparent)


def region_saved(region: Region, cursor: EventCursor, *, chain: str, now: datetime, traceparent: str) -> Event:
    """Return the event of a new or changed region; `cursor` is its place among the region's."""
    body = members_pb2.RegionSaved(code=region.code, version=region.version, name=region.name, parent=region.parent)
    aggregate = _aggregate("reg", region.code)
    return _event(body, CHAIN_STREAM, aggregate, cursor, chain=chain, now=now, traceparent=traceparent)


def partner_saved(partner: Partner, cursor: EventCursor, *, chain: str, now: datetime, traceparent: str) -> Event:
    """Return the event of a new or changed partner; `cursor` is its place among the partner's."""
    body = members_pb2.PartnerSaved(
        code=partner.code, version=partner.version, name=partner.name, state=partner.state.value
    )
    aggregate = _aggregate("ptn", partner.code)
    return _event(body, CHAIN_STREAM, aggregate, cursor, chain=chain, now=now, traceparent=traceparent)


def staff_saved(one: StaffMember, cursor: EventCursor, *, chain: str, now: datetime, traceparent: str) -> Event:
    """Return the event of a new or changed staff member; `cursor` is its place among the person's."""
    body = members_pb2.StaffSaved(
        staff_id=one.id,
        version=one.version,
        code=one.code,
        roles=sorted(role.value for role in one.roles),
        store_ids=sorted(one.stores),
        regions=sorted(one.regions),
        active=one.active,
        member_id=one.member,
    )
    return _event(body, STAFF_STREAM, one.id, cursor, chain=chain, now=now, traceparent=traceparent)


def _aggregate(prefix: str, code: str) -> str:
    """Return an aggregate's name made of a code, which may be longer than a message's name."""
    return f"{prefix}_{sha256(code.encode()).hexdigest()[:32]}"


def _event(
    body: Message, stream: str, aggregate: str, cursor: EventCursor, *, chain: str, now: datetime, traceparent: str
) -> Event:
    return Event(
        id=f"{chain}/{aggregate}/{cursor.sequence}",
        chain=chain,
        stream=stream,
        aggregate=aggregate,
        sequence=cursor.sequence,
        type=body.DESCRIPTOR.full_name,
        at=cursor.at or now,
        body=body.SerializeToString(),
        traceparent=traceparent,
    )


def happening_of(event: Event) -> Happening | None:
    """Return what the event tells of a member, None when it is nothing that its timeline shows.

    Raises protobuf's DecodeError for a body that is not of the event's type.
    """
    told = _HAPPENINGS.get(event.type)
    return None if told is None else told(event)


def credited_of(event: Event) -> EnrolledByStaff | Visited | None:
    """Return what the event may credit to staff, None when it is nothing of the kind.

    Raises protobuf's DecodeError for a body that is not of the event's type.
    """
    if event.type == members_pb2.MemberEnrolled.DESCRIPTOR.full_name:
        enrolled = members_pb2.MemberEnrolled.FromString(event.body)
        at = from_timestamp(enrolled.enrolled_at)
        brought = EnrolledByStaff(event.chain, enrolled.staff_id, enrolled.store_id, enrolled.member_id, at)
        return brought if enrolled.staff_id else None
    if event.type == points_pb2.PurchaseBooked.DESCRIPTOR.full_name:
        booked = points_pb2.PurchaseBooked.FromString(event.body)
        return Visited(event.chain, booked.store_id, booked.member_id, from_timestamp(booked.occurred_at))
    return None


def _purchase(event: Event) -> Happening:
    booked = points_pb2.PurchaseBooked.FromString(event.body)
    return Happening(
        event.chain,
        booked.member_id,
        HappeningKind.PURCHASE,
        booked.purchase_id,
        from_timestamp(booked.occurred_at),
        store=booked.store_id,
        amount=booked.paid.amount_minor,
        currency=booked.paid.currency,
        time_zone=booked.time_zone,
        detail=booked.channel,
        staff=booked.staff_code,
    )


def _refund(event: Event) -> Happening | None:
    refund = points_pb2.RefundBooked.FromString(event.body)
    if refund.refused_why:
        return None
    return Happening(
        event.chain,
        refund.member_id,
        HappeningKind.REFUND,
        refund.refund_id,
        from_timestamp(refund.occurred_at),
        store=refund.store_id,
        amount=-refund.refunded.amount_minor,
        currency=refund.refunded.currency,
        time_zone=refund.time_zone,
        detail=refund.purchase_id,
    )


def _points(event: Event) -> Happening:
    posted = points_pb2.AccountPosted.FromString(event.body)
    return Happening(
        event.chain,
        posted.member_id,
        HappeningKind.POINTS,
        posted.entry_id,
        from_timestamp(posted.occurred_at),
        amount=posted.amount,
        currency=posted.currency,
        detail=posted.kind,
    )


def _level(event: Event) -> Happening:
    tier = points_pb2.TierChanged.FromString(event.body)
    return Happening(
        event.chain, tier.member_id, HappeningKind.LEVEL, event.id, from_timestamp(tier.since), detail=tier.to_level
    )


def _coupon_issued(event: Event) -> Happening:
    issued = campaigns_pb2.CouponIssued.FromString(event.body)
    at = from_timestamp(issued.issued_at)
    return Happening(
        event.chain, issued.member_id, HappeningKind.COUPON_ISSUED, issued.coupon_id, at, detail=issued.offer_id
    )


def _coupon_redeemed(event: Event) -> Happening:
    redeemed = campaigns_pb2.CouponRedeemed.FromString(event.body)
    at = from_timestamp(redeemed.redeemed_at)
    return Happening(
        event.chain,
        redeemed.member_id,
        HappeningKind.COUPON_REDEEMED,
        redeemed.coupon_id,
        at,
        store=redeemed.store_id,
    )


def _case_opened(event: Event) -> Happening:
    opened = feedback_pb2.CaseOpened.FromString(event.body)
    at = from_timestamp(opened.opened_at)
    return Happening(
        event.chain, opened.member_id, HappeningKind.CASE_OPENED, opened.case_id, at, store=opened.store_id
    )


_HAPPENINGS: Mapping[str, Callable[[Event], Happening | None]] = {
    "huitou.events.v1.PurchaseBooked": _purchase,
    "huitou.events.v1.RefundBooked": _refund,
    "huitou.events.v1.AccountPosted": _points,
    "huitou.events.v1.TierChanged": _level,
    "huitou.events.v1.CouponIssued": _coupon_issued,
    "huitou.events.v1.CouponRedeemed": _coupon_redeemed,
    "huitou.events.v1.CaseOpened": _case_opened,
}
