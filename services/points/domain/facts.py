"""What happened, as others hear of it: in the order of an account's journal."""

from dataclasses import dataclass
from datetime import datetime

from services.points.domain.journal import Entry
from services.points.domain.receipts import BookedPurchase
from services.points.domain.refunds import BookedRefund


@dataclass(frozen=True, slots=True)
class PurchaseBooked:
    """A purchase is in the ledger."""

    booked: BookedPurchase


@dataclass(frozen=True, slots=True)
class TierChanged:
    """The member earns by another level from now on."""

    member: str
    from_level: str
    to_level: str
    since: datetime
    purchase: str


@dataclass(frozen=True, slots=True)
class RefundBooked:
    """A refund is in the ledger, or was refused although the guest has the money: somebody should look at it."""

    booked: BookedRefund
    purchase: BookedPurchase  # what it takes back, or was to take back


@dataclass(frozen=True, slots=True)
class AccountPosted:
    """Points moved for another reason than a purchase or a refund."""

    entry: Entry


LedgerEvent = PurchaseBooked | TierChanged | RefundBooked | AccountPosted
