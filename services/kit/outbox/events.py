"""An event as it lies in the outbox and travels, and the place in the order of its aggregate's events."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Event:
    """A fact about one aggregate. `sequence` counts the aggregate's events of one stream from 1, without gaps."""

    id: str
    chain: str
    stream: str  # "points.account": what subscribers ask for
    aggregate: str  # the account's, member's, … id
    sequence: int
    type: str  # full name of the body's proto, "huitou.events.v1.PurchaseBooked"
    at: datetime  # when it was written; never before the aggregate's event before it
    body: bytes
    traceparent: str = ""  # W3C; empty: not traced


@dataclass(frozen=True, slots=True)
class EventCursor:
    """Where an aggregate's events have got to. Its document keeps this as `events: {sequence, at}`, guarded by the
    document's own version, so that `(at, sequence)` orders its events whatever the replicas' clocks say."""

    sequence: int = 0
    at: datetime | None = None

    def next(self, now: datetime) -> "EventCursor":
        """Return the place of the next event, written at `now` or, if that is earlier, when the last one was."""
        return EventCursor(self.sequence + 1, now if self.at is None else max(now, self.at))
