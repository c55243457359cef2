"""What happened, as others hear of it: in the order of an account's journal."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.points.domain.journal import Entry
from services.points.domain.receipts import BookedPurchase
from services.points.domain.refunds import BookedRefund


@dataclass(frozen=True, slots=True)
class PurchaseBooked:
    """A purchase is in the ledger."""

    booked: BookedPurchase


class TierReason(StrEnum):
    """Why a level changed."""

    REACHED = "reached"  # by what was bought or earned
    CORRECTED = "corrected"  # what it was reached by was refunded, or moved away
    ENDED = "ended"  # its time was over and it was not met again
    NOT_MET = "not_met"  # it lasts only while it is met
    GRANTED = "granted"  # by hand
    GRANT_ENDED = "grant_ended"


@dataclass(frozen=True, slots=True)
class TierChanged:
    """The member earns by another level from now on."""

    member: str
    from_level: str
    to_level: str
    since: datetime
    reason: TierReason
    purchase: str = ""  # that reached it
    falls: bool = False
    again: bool = False  # it was held in the year before too


@dataclass(frozen=True, slots=True)
class PointsExpiring:
    """The member should hear that points go soon."""

    member: str
    currency: str
    amount: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class RefundBooked:
    """A refund is in the ledger, or was refused although the guest has the money: somebody should look at it."""

    booked: BookedRefund
    purchase: BookedPurchase  # what it takes back, or was to take back


@dataclass(frozen=True, slots=True)
class AccountPosted:
    """Points moved for another reason than a purchase or a refund."""

    entry: Entry


LedgerEvent = PurchaseBooked | TierChanged | RefundBooked | AccountPosted | PointsExpiring
