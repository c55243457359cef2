"""What feedback tells and hears, as protos."""

from datetime import datetime

from protos.events.v1 import feedback_pb2, members_pb2, points_pb2
from services.feedback.domain import Case, Visit
from services.feedback.usecases.merges import Joined
from services.kit.outbox.events import Event, EventCursor
from services.kit.timestamps import from_timestamp, to_timestamp

STREAM = "feedback.case"
"""All events of feedback, in the order of each case's life."""


def opened(chain: str, case: Case, cursor: EventCursor, *, traceparent: str) -> Event:
    """Return the event that tells of a new case; `cursor` is its place among the case's events."""
    body = feedback_pb2.CaseOpened(
        case_id=case.id,
        member_id=case.member,
        store_id=case.store,
        score=case.score,
        opened_at=to_timestamp(case.opened_at),
        due_at=to_timestamp(case.due_at),
    )
    return Event(
        id=f"{chain}/{case.id}/{cursor.sequence}",
        chain=chain,
        stream=STREAM,
        aggregate=case.id,
        sequence=cursor.sequence,
        type=body.DESCRIPTOR.full_name,
        at=cursor.at or case.opened_at,
        body=body.SerializeToString(),
        traceparent=traceparent,
    )


def visit(event: Event) -> Visit | None:
    """Return what was bought where, None when the event tells something else."""
    if event.type != points_pb2.PurchaseBooked.DESCRIPTOR.full_name:
        return None
    booked = points_pb2.PurchaseBooked.FromString(event.body)
    return Visit(
        chain=event.chain,
        member=booked.member_id,
        purchase=booked.purchase_id,
        store=booked.store_id,
        occurred_at=from_timestamp(booked.occurred_at),
    )


def enrolled_member(event: Event) -> str | None:
    """Return who was enrolled, None when the event tells something else."""
    if event.type != members_pb2.MemberEnrolled.DESCRIPTOR.full_name:
        return None
    return members_pb2.MemberEnrolled.FromString(event.body).member_id


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
