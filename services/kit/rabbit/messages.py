"""An event as a message: CloudEvents 1.0 in binary mode over AMQP, the attributes in headers and the protobuf as body.

`chain`, `aggregate`, `sequence`, `stream` and `traceparent` stand in headers of their own: the broker spreads events
over partitions by `aggregate`, and operators read the others.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aio_pika import DeliveryMode, Message

from services.kit.errors import Kind, Problem
from services.kit.outbox.events import Event

CONTENT_TYPE = "application/protobuf"

DELIVERY_COUNT = "x-delivery-count"
"""The broker's own header: how often a message came back to its queue; absent the first time."""


class PoisonError(Problem):
    """This event can never be handled: {why}."""

    kind = Kind.INVALID
    code = "POISON"


class MalformedMessageError(PoisonError):
    """The message is not an event of this platform: {why}."""

    code = "MALFORMED_MESSAGE"


def to_message(event: Event) -> Message:
    """Return the persistent message that carries `event`."""
    return Message(
        event.body,
        message_id=event.id,
        content_type=CONTENT_TYPE,
        delivery_mode=DeliveryMode.PERSISTENT,
        headers={
            "cloudEvents:specversion": "1.0",
            "cloudEvents:id": event.id,
            "cloudEvents:source": f"/{event.chain}/{event.stream}",
            "cloudEvents:type": event.type,
            "cloudEvents:time": event.at.astimezone(UTC).isoformat(timespec="milliseconds"),
            "cloudEvents:subject": event.aggregate,
            "chain": event.chain,
            "aggregate": event.aggregate,
            "sequence": event.sequence,
            "stream": event.stream,
            "traceparent": event.traceparent,
        },
    )


def to_event(headers: Mapping[str, Any], body: bytes) -> Event:
    """Return the event that a message carries, or raise `MalformedMessageError`."""
    try:
        event = Event(
            id=headers["cloudEvents:id"],
            chain=headers["chain"],
            stream=headers["stream"],
            aggregate=headers["aggregate"],
            sequence=headers["sequence"],
            type=headers["cloudEvents:type"],
            at=datetime.fromisoformat(headers["cloudEvents:time"]),
            body=body,
            traceparent=headers.get("traceparent", ""),
        )
    except KeyError as error:
        raise MalformedMessageError(why=f"header {error} is missing") from error
    except (TypeError, ValueError) as error:
        raise MalformedMessageError(why=f"cloudEvents:time: {error}") from error
    texts = (event.id, event.chain, event.stream, event.aggregate, event.type, event.traceparent)
    if not all(isinstance(text, str) for text in texts):
        raise MalformedMessageError(why="a header that should be text is not")
    # The first event of an aggregate has sequence 1; bool is an int to Python but not to us.
    if type(event.sequence) is not int or event.sequence < 1:
        raise MalformedMessageError(why=f"sequence is {event.sequence!r}")
    if event.at.tzinfo is None:
        raise MalformedMessageError(why="cloudEvents:time has no zone")
    return event
