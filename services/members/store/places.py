"""Where stores are and when they are open, as parts of their documents, and back."""

from datetime import date

from services.kit.mongo.collections import Document
from services.members.domain.hours import Hours, Span
from services.members.domain.places import Address, Position

Spans = list[list[int]]


def address_document(address: Address | None) -> Document | None:
    """Return the address as it is kept."""
    if address is None:
        return None
    return {
        "lines": list(address.lines),
        "city": address.city,
        "postal_code": address.postal_code,
        "country": address.country,
    }


def address_of(kept: Document | None) -> Address | None:
    """Return the address that is kept."""
    if kept is None:
        return None
    return Address(tuple(kept["lines"]), kept["city"], kept["postal_code"], kept["country"])


def position_document(position: Position | None) -> Document | None:
    """Return the position as GeoJSON (RFC 7946), which the index reads: longitude first."""
    return None if position is None else {"type": "Point", "coordinates": [position.longitude, position.latitude]}


def position_of(kept: Document | None) -> Position | None:
    """Return the position that is kept."""
    return None if kept is None else Position(latitude=kept["coordinates"][1], longitude=kept["coordinates"][0])


def hours_document(hours: Hours | None) -> Document | None:
    """Return the opening hours as they are kept: spans in minutes of the day."""
    if hours is None:
        return None
    return {
        "weekly": [_spans(spans) for spans in hours.weekly],
        "holidays": {day.isoformat(): _spans(spans) for day, spans in hours.holidays.items()},
    }


def hours_of(kept: Document | None) -> Hours | None:
    """Return the opening hours that are kept."""
    if kept is None:
        return None
    return Hours(
        weekly=tuple(_spans_of(spans) for spans in kept["weekly"]),
        holidays={date.fromisoformat(day): _spans_of(spans) for day, spans in kept["holidays"].items()},
    )


def _spans(spans: tuple[Span, ...]) -> Spans:
    return [[one.opens, one.closes] for one in spans]


def _spans_of(kept: Spans) -> tuple[Span, ...]:
    return tuple(Span(opens, closes) for opens, closes in kept)
