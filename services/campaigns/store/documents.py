"""Domain values as documents, and back."""

from datetime import datetime
from typing import Any

from services.campaigns.domain import Coupon, TierOffer, Use
from services.kit.outbox.events import EventCursor

Document = dict[str, Any]


def offer_document(chain: str, offer: TierOffer, *, now: datetime) -> Document:
    """Return one version of a level's offer."""
    return {
        "chain": chain,
        "level": offer.level,
        "version": offer.version,
        "offer": offer.id,
        "title": offer.title,
        "value_minor": offer.value_minor,
        "valid_days": offer.valid_days,
        "saved_at": now,
    }


def offer_of(document: Document) -> TierOffer:
    """Return the offer."""
    return TierOffer(
        id=document["offer"],
        level=document["level"],
        version=document["version"],
        title=document["title"],
        value_minor=document["value_minor"],
        valid_days=document["valid_days"],
    )


def coupon_document(chain: str, coupon: Coupon, cursor: EventCursor) -> Document:
    """Return a new coupon, unused, that has told its events up to `cursor`."""
    return {
        "chain": chain,
        "member": coupon.member,
        "coupon": coupon.id,
        "offer": coupon.offer,
        "grant": coupon.grant,
        "title": coupon.title,
        "value_minor": coupon.value_minor,
        "reason": coupon.reason,
        "issued_at": coupon.issued_at,
        "expires_at": coupon.expires_at,
        "use": None,
        "events": cursor_document(cursor),
    }


def coupon_of(document: Document) -> tuple[Coupon, EventCursor]:
    """Return the coupon, and how far it has told its events."""
    coupon = Coupon(
        id=document["coupon"],
        member=document["member"],
        offer=document["offer"],
        grant=document["grant"],
        title=document["title"],
        value_minor=document["value_minor"],
        reason=document["reason"],
        issued_at=document["issued_at"],
        expires_at=document["expires_at"],
        use=Use(**document["use"]) if document["use"] else None,
    )
    return coupon, EventCursor(**document["events"])


def cursor_document(cursor: EventCursor) -> Document:
    """Return how far a coupon has told its events."""
    return {"sequence": cursor.sequence, "at": cursor.at}
