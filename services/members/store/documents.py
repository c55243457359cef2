"""Members and their portraits as documents, and back."""

from datetime import date

from services.kit.mongo.collections import Document
from services.kit.outbox.events import EventCursor
from services.members.domain.identities import Identity, IdentityKind
from services.members.domain.members import Channel, FirstPayment, Member, Profile
from services.members.domain.portraits import Portrait
from services.members.domain.visits import Visits


def member_document(chain: str, member: Member, cursor: EventCursor) -> Document:
    """Return a member who has just been enrolled."""
    payment = member.first_payment
    return {
        "chain": chain,
        "member": member.id,
        "name": member.profile.name,
        "identities": [{"kind": one.kind.value, "value": one.value} for one in member.profile.identities],
        "enrolled_at": member.enrolled_at,
        "channel": member.channel.value,
        "store": member.store,
        "provisional": member.provisional,
        "first_payment": None if payment is None else {"kind": payment.kind, "at": payment.at},
        "portrait": portrait_document(Portrait(member.visits)),
        "events": {"sequence": cursor.sequence, "at": cursor.at},
    }


def member_of(document: Document) -> Member:
    """Return the member; one who was enrolled before there were provisional ones is none."""
    payment = document.get("first_payment")
    identities = tuple(Identity(IdentityKind(one["kind"]), one["value"]) for one in document["identities"])
    return Member(
        id=document["member"],
        profile=Profile(document["name"], identities),
        enrolled_at=document["enrolled_at"],
        channel=Channel(document["channel"]),
        store=document["store"],
        visits=portrait_of(document).visits,
        provisional=document.get("provisional", False),
        first_payment=None if payment is None else FirstPayment(kind=payment["kind"], at=payment["at"]),
    )


def portrait_document(portrait: Portrait) -> Document:
    """Return what a member's document holds as `portrait`."""
    visits = portrait.visits
    return {
        "visits": {
            "count": visits.count,
            "last": visits.last,
            "days": [day.isoformat() for day in visits.days],
            "spend_minor": dict(visits.spend_minor),
        },
        "open_coupons": portrait.open_coupons,
        "open_cases": portrait.open_cases,
    }


def portrait_of(document: Document) -> Portrait:
    """Return the portrait in a member's document."""
    portrait = document["portrait"]
    visits = portrait["visits"]
    return Portrait(
        visits=Visits(
            count=visits["count"],
            last=visits["last"],
            days=tuple(date.fromisoformat(day) for day in visits["days"]),
            spend_minor=visits["spend_minor"],
        ),
        open_coupons=portrait["open_coupons"],
        open_cases=portrait["open_cases"],
    )
