"""A member's timeline: what happened with it, wherever in the platform, each thing once."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.members.domain.activities import ActivityKind


class HappeningKind(StrEnum):
    """What kind of thing happened."""

    PURCHASE = "purchase"
    REFUND = "refund"
    POINTS = "points"
    LEVEL = "level"
    COUPON_ISSUED = "coupon_issued"
    COUPON_REDEEMED = "coupon_redeemed"
    CASE_OPENED = "case_opened"
    BOOKING = "booking"
    PRE_ORDER = "pre_order"
    CHECK_IN = "check_in"
    EVENT = "event"
    VISIT = "visit"
    SOCIAL = "social"


ACTIVITY_KINDS = frozenset(HappeningKind(kind.value) for kind in ActivityKind)
"""What other systems tell of a guest. It goes with the guest: no account is made of it."""


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened with one member. `kind` and `ref`, what it is about, tell it from all others of its
    member's.

    `amount` is in the minor unit of `currency`, or in points or stamps where those are the currency. `time_zone` is
    the store's. `detail` is a word of the service that told it: a level, an entry's kind, an offer, what has become of
    an activity. `staff` is who served, by the chain's own code, where that is known.
    """

    chain: str
    member: str
    kind: HappeningKind
    ref: str
    at: datetime
    store: str = ""
    amount: int = 0
    currency: str = ""
    time_zone: str = ""
    detail: str = ""
    staff: str = ""
