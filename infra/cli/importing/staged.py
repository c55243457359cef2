"""What waits in the staging file, and what has become of it."""

from dataclasses import dataclass
from enum import IntEnum


class State(IntEnum):
    """What has become of a row."""

    WAITING = 0
    DONE = 1
    THERE_ALREADY = 2
    REJECTED = 3


@dataclass(frozen=True, slots=True)
class StagedMember:
    """A member that waits for its enrollment."""

    row: int
    external_id: str
    content: bytes
    store: str  # a store's code; "": none


@dataclass(frozen=True, slots=True)
class StagedLevel:
    """A level that waits to be given to a member by hand; `until` in milliseconds since 1970, None: for good."""

    row: int
    key: str
    member_id: str
    level: str
    until: int | None


@dataclass(frozen=True, slots=True)
class StagedJob:
    """The platform's import of these members. `sending` are the rows of the latest call that may not be answered."""

    key: str
    id: str  # "": not opened yet
    sent: int  # rows that were answered
    sending: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StagedPurchase:
    """A receipt that waits to be booked; `member_id` is "" when only the chain's own id of the member is known."""

    row: int
    store: str
    receipt_number: str
    member: str
    member_id: str
    at: int
    lines: bytes


@dataclass(frozen=True, slots=True)
class StagedRefund:
    """A refund that waits to be booked: what it takes back of one receipt. `purchase` is that receipt's row.

    `lines` are (line, pieces, amount in minor units) in JSON; none: all that is left.
    """

    id: int
    file: str
    row: int
    store: str
    number: str
    receipt_store: str
    receipt_number: str
    purchase: int
    member: str
    at: int
    due: int  # when it is sent: not before its purchase
    lines: bytes


@dataclass(frozen=True, slots=True)
class StagedOpening:
    """An opening balance that waits; `lots` are (amount, earned_at, expires_at or null) in JSON."""

    row: int
    key: str
    kind: str  # what `member` is: "external", "phone" or "email"
    member: str
    member_id: str
    currency: str
    lots: bytes


Document = StagedPurchase | StagedRefund


@dataclass(frozen=True, slots=True)
class Waiting:
    """How much is to be sent."""

    members: int
    openings: int
    purchases: int
    refunds: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one row. A rejected one has `path` (the input's field, "" for none) and `reason`."""

    row: int
    state: State
    member_id: str = ""
    points: int = 0
    reached: str = ""
    path: str = ""
    reason: str = ""
