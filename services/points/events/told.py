"""What points tells and hears, as protos."""

from datetime import date

from google.protobuf.message import Message

from protos.common.v1.money_pb2 import Money
from protos.events.v1 import members_pb2, points_pb2
from services.kit.outbox.events import Event, EventCursor
from services.kit.timestamps import from_timestamp, to_timestamp
from services.points.domain.commands import AnyCommand
from services.points.domain.drafts import Key
from services.points.domain.facts import (
    AccountPosted,
    LedgerEvent,
    PointsExpiring,
    PurchaseBooked,
    RefundBooked,
    TierChanged,
)
from services.points.domain.items import Item
from services.points.domain.receipts import returned_lines
from services.points.domain.rules import POINTS
from services.points.domain.sales import Item as SoldItem
from services.points.domain.sales import Return, Sale, Sold, SoldLine
from services.points.usecases.keep_copies import Enrolled
from services.points.usecases.merges import Erased, Wish
from services.points.usecases.record_purchases import Store
from services.points.usecases.referrals import Completed

STREAM = "points.account"
"""All events of points, in the order of each account's journal."""


def told(event: LedgerEvent, key: Key, command: AnyCommand, cursor: EventCursor) -> Event:
    """Return what the account named by `key` tells as number `cursor.sequence`."""
    chain, account = key
    body = _body(event)
    return Event(
        id=f"{chain}/{account}/{cursor.sequence}",
        chain=chain,
        stream=STREAM,
        aggregate=account,
        sequence=cursor.sequence,
        type=body.DESCRIPTOR.full_name,
        at=command.author.booked_at if cursor.at is None else cursor.at,
        body=body.SerializeToString(),
        traceparent=command.traceparent,
    )


def _body(event: LedgerEvent) -> Message:
    match event:
        case PurchaseBooked():
            return _purchase_booked(event)
        case RefundBooked():
            return _refund_booked(event)
        case AccountPosted():
            return _account_posted(event)
        case TierChanged():
            return points_pb2.TierChanged(
                member_id=event.member,
                from_level=event.from_level,
                to_level=event.to_level,
                since=to_timestamp(event.since),
                purchase_id=event.purchase,
                reason=event.reason.value,
                falls=event.falls,
                again=event.again,
            )
        case PointsExpiring():
            return points_pb2.PointsExpiring(
                member_id=event.member,
                currency=event.currency,
                amount=event.amount,
                expires_at=to_timestamp(event.expires_at),
            )


def _purchase_booked(event: PurchaseBooked) -> points_pb2.PurchaseBooked:
    booked, purchase = event.booked, event.booked.purchase
    return points_pb2.PurchaseBooked(
        purchase_id=booked.id,
        member_id=purchase.member,
        store_id=purchase.store,
        receipt_number=purchase.receipt_number,
        occurred_at=to_timestamp(purchase.occurred_at),
        booked_at=to_timestamp(booked.booked_at),
        paid=Money(amount_minor=purchase.paid_minor, currency=purchase.currency),
        points=booked.points,
        lines=[
            points_pb2.PurchasedLine(
                item_code=line.item_code,
                quantity=line.quantity,
                paid_minor=line.paid_minor,
                category=line.category,
                discount_minor=line.discount_minor,
                cost_minor=line.cost_minor,
            )
            for line in purchase.lines
        ],
        time_zone=booked.time_zone,
        channel=purchase.channel.value,
        payment_kind=purchase.payment_kind,
        party_size=purchase.party_size,
        coupon_ids=purchase.coupons,
        hold_ids=purchase.holds,
        visit=booked.visit,
        staff_code=purchase.staff,
    )


def _refund_booked(event: RefundBooked) -> points_pb2.RefundBooked:
    booked, refund, bought = event.booked, event.booked.refund, event.purchase
    points = [taken for taken in booked.taken if taken.currency == POINTS]
    return points_pb2.RefundBooked(
        refund_id=booked.id,
        purchase_id=booked.purchase,
        member_id=booked.member,
        store_id=refund.store,
        refund_number=refund.number,
        receipt_number=refund.receipt_number,
        occurred_at=to_timestamp(refund.occurred_at),
        booked_at=to_timestamp(booked.booked_at),
        refunded=Money(amount_minor=booked.refunded_minor, currency=bought.purchase.currency),
        whole=booked.whole,
        points=sum(taken.taken + taken.debt for taken in points),
        debt_points=sum(taken.debt for taken in points),
        coupon_ids=booked.coupons,
        lines=[
            points_pb2.ReturnedLine(
                line=one.line,
                quantity=one.quantity,
                amount_minor=one.amount_minor,
                item_code=line.item_code,
                category=line.category,
                cost_minor=line.cost_minor,
            )
            for one, line in returned_lines(booked, bought)
        ],
        refused_why=booked.why,
        receipt_store_id=bought.purchase.store,
        time_zone=bought.time_zone,
        channel=bought.purchase.channel.value,
        purchase_booked_at=to_timestamp(bought.booked_at),
    )


def _account_posted(event: AccountPosted) -> points_pb2.AccountPosted:
    entry, posting = event.entry, event.entry.postings[0]
    return points_pb2.AccountPosted(
        member_id=posting.account,
        entry_id=entry.id,
        kind=entry.kind.value,
        currency=posting.currency,
        amount=posting.amount,
        available=posting.balances.available,
        pending=posting.balances.pending,
        held=posting.balances.held,
        debt=posting.balances.debt,
        reference=entry.reference,
        occurred_at=to_timestamp(entry.occurred_at),
        booked_at=to_timestamp(entry.booked_at),
    )


def enrolled_member(event: Event) -> Enrolled | None:
    """Return who was enrolled and when, None when the event tells something else."""
    if event.type != members_pb2.MemberEnrolled.DESCRIPTOR.full_name:
        return None
    enrolled = members_pb2.MemberEnrolled.FromString(event.body)
    return Enrolled(enrolled.member_id, from_timestamp(enrolled.enrolled_at))


def wished_merge(event: Event) -> Wish | None:
    """Return who became one with whom, or is no longer, None when the event tells something else."""
    if event.type == members_pb2.MemberMerged.DESCRIPTOR.full_name:
        merged = members_pb2.MemberMerged.FromString(event.body)
        return Wish(event.chain, merged.member_id, event.sequence, merged.merge_id, merged.into_id)
    if event.type == members_pb2.MemberSplit.DESCRIPTOR.full_name:
        split = members_pb2.MemberSplit.FromString(event.body)
        return Wish(event.chain, split.member_id, event.sequence, split.merge_id)
    return None


def completed_referral(event: Event) -> Completed | None:
    """Return whose referral was completed, None when the event tells something else."""
    if event.type != members_pb2.ReferralCompleted.DESCRIPTOR.full_name:
        return None
    told = members_pb2.ReferralCompleted.FromString(event.body)
    at = from_timestamp(told.completed_at)
    return Completed(event.chain, told.referral_id, told.referrer_id, told.member_id, at)


def erased_member(event: Event) -> Erased | None:
    """Return who is to be forgotten, None when the event tells something else."""
    if event.type != members_pb2.MemberErased.DESCRIPTOR.full_name:
        return None
    erased = members_pb2.MemberErased.FromString(event.body)
    return Erased(erased.member_id, from_timestamp(erased.erased_at))


def saved_store(event: Event) -> Store | None:
    """Return the store as it is now, None when the event tells something else."""
    if event.type != members_pb2.StoreSaved.DESCRIPTOR.full_name:
        return None
    saved = members_pb2.StoreSaved.FromString(event.body)
    return Store(
        id=saved.store_id,
        version=saved.version,
        time_zone=saved.time_zone,
        currency=saved.currency,
        region=saved.region,
    )


def saved_item(event: Event) -> Item | None:
    """Return the menu item as it is now, None when the event tells something else."""
    if event.type != members_pb2.MenuItemSaved.DESCRIPTOR.full_name:
        return None
    saved = members_pb2.MenuItemSaved.FromString(event.body)
    return Item(
        code=saved.item_code,
        version=saved.version,
        category=saved.category,
        launched_on=date.fromisoformat(saved.launched_on) if saved.launched_on else None,
    )


def sold(event: Event) -> Sold | None:
    """Return the purchase or refund that reports count, None when the event tells something else."""
    if event.type == points_pb2.PurchaseBooked.DESCRIPTOR.full_name:
        return _sale(points_pb2.PurchaseBooked.FromString(event.body))
    if event.type == points_pb2.RefundBooked.DESCRIPTOR.full_name:
        told = points_pb2.RefundBooked.FromString(event.body)
        return None if told.refused_why else _return(told)
    return None


def _sale(told: points_pb2.PurchaseBooked) -> Sale:
    return Sale(
        store=told.store_id,
        member=told.member_id,
        at=from_timestamp(told.occurred_at),
        booked_at=from_timestamp(told.booked_at),
        time_zone=told.time_zone,
        channel=told.channel,
        lines=tuple(
            SoldLine(
                SoldItem(line.item_code, line.category),
                line.quantity,
                line.paid_minor,
                discount_minor=line.discount_minor,
                cost_minor=line.cost_minor,
            )
            for line in told.lines
        ),
        party_size=told.party_size,
        visit=told.visit,
    )


def _return(told: points_pb2.RefundBooked) -> Return:
    return Return(
        store=told.store_id,
        at=from_timestamp(told.occurred_at),
        booked_at=max(from_timestamp(told.booked_at), from_timestamp(told.purchase_booked_at)),
        time_zone=told.time_zone,
        channel=told.channel,
        lines=tuple(
            SoldLine(
                SoldItem(line.item_code, line.category), line.quantity, line.amount_minor, cost_minor=line.cost_minor
            )
            for line in told.lines
        ),
    )
