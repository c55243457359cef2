"""What points tells and hears, as protos."""

from collections.abc import Iterator

from google.protobuf.message import Message

from protos.common.v1.money_pb2 import Money
from protos.events.v1 import members_pb2, points_pb2
from services.kit.outbox.events import Event, EventCursor
from services.kit.timestamps import to_timestamp
from services.points.domain.booking import Booking, LedgerEvent, PurchaseBooked, TierChanged
from services.points.usecases.record_purchases import Store

STREAM = "points.account"
"""All events of points, in the order of each account's journal."""


def told(booking: Booking, cursor: EventCursor) -> Iterator[tuple[Event, EventCursor]]:
    """Yield the booking's events with the account's cursor after each."""
    command = booking.command
    for event in booking.events:
        cursor = cursor.next(command.booked_at)
        body = _body(event)
        yield (
            Event(
                id=f"{command.chain}/{booking.account.member}/{cursor.sequence}",
                chain=command.chain,
                stream=STREAM,
                aggregate=booking.account.member,
                sequence=cursor.sequence,
                type=body.DESCRIPTOR.full_name,
                at=command.booked_at,
                body=body.SerializeToString(),
                traceparent=command.traceparent,
            ),
            cursor,
        )


def _body(event: LedgerEvent) -> Message:
    match event:
        case PurchaseBooked():
            return _purchase_booked(event)
        case TierChanged():
            return points_pb2.TierChanged(
                member_id=event.member,
                from_level=event.from_level,
                to_level=event.to_level,
                since=to_timestamp(event.since),
                purchase_id=event.purchase,
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
            points_pb2.PurchasedLine(item_code=line.item_code, quantity=line.quantity, paid_minor=line.paid_minor)
            for line in purchase.lines
        ],
        time_zone=event.time_zone,
    )


def enrolled_member(event: Event) -> str | None:
    """Return who was enrolled, None when the event tells something else."""
    if event.type != members_pb2.MemberEnrolled.DESCRIPTOR.full_name:
        return None
    return members_pb2.MemberEnrolled.FromString(event.body).member_id


def saved_store(event: Event) -> Store | None:
    """Return the store as it is now, None when the event tells something else."""
    if event.type != members_pb2.StoreSaved.DESCRIPTOR.full_name:
        return None
    saved = members_pb2.StoreSaved.FromString(event.body)
    return Store(id=saved.store_id, version=saved.version, time_zone=saved.time_zone, currency=saved.currency)
