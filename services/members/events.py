"""What members tells and hears, as protos."""

from datetime import datetime
from hashlib import sha256

from google.protobuf.message import Message

from protos.events.v1 import campaigns_pb2, feedback_pb2, members_pb2, points_pb2
from services.kit.outbox.events import Event, EventCursor
from services.kit.timestamps import from_timestamp, to_timestamp
from services.members.domain.brands import Brand
from services.members.domain.enrollment import Enroll
from services.members.domain.menu import MenuItem
from services.members.domain.partners import Partner
from services.members.domain.portraits import CasesChanged, CouponsChanged, Told
from services.members.domain.regions import Region
from services.members.domain.staff import StaffMember
from services.members.domain.stores import Store
from services.members.domain.visits import Paid

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
        store_id=member.store,
        provisional=member.provisional,
    )
    return _event(
        body, MEMBER_STREAM, member.id, cursor, chain=command.chain, now=command.at, traceparent=command.traceparent
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


def told_by(event: Event) -> Told | None:
    """Return what the event tells of a member, None when it is nothing that a portrait shows.

    Raises protobuf's DecodeError for a body that is not of the event's type.
    """
    match event.type:
        case "huitou.events.v1.PurchaseBooked":
            booked = points_pb2.PurchaseBooked.FromString(event.body)
            paid = Paid(
                at=from_timestamp(booked.occurred_at),
                amount_minor=booked.paid.amount_minor,
                currency=booked.paid.currency,
                time_zone=booked.time_zone,
            )
            return Told(event.chain, booked.member_id, paid)
        case "huitou.events.v1.CouponIssued":
            issued = campaigns_pb2.CouponIssued.FromString(event.body)
            return Told(event.chain, issued.member_id, CouponsChanged(by=1))
        case "huitou.events.v1.CouponRedeemed":
            redeemed = campaigns_pb2.CouponRedeemed.FromString(event.body)
            return Told(event.chain, redeemed.member_id, CouponsChanged(by=-1))
        case "huitou.events.v1.CaseOpened":
            opened = feedback_pb2.CaseOpened.FromString(event.body)
            return Told(event.chain, opened.member_id, CasesChanged(by=1))
        case _:
            return None
