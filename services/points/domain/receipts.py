"""A receipt in the ledger: what was booked for it, and the refunds that came, before or after it."""

from dataclasses import dataclass
from datetime import datetime

from services.points.domain.conditions import NO_FACTS, MemberFacts
from services.points.domain.earning import CapUse, EarnedPart, sums
from services.points.domain.holds import Parts
from services.points.domain.items import Item
from services.points.domain.purchases import Line, Purchase
from services.points.domain.refunds import BookedRefund, Returned, left_of


@dataclass(frozen=True, slots=True)
class Redeemed:
    """What a hold paid of a receipt: from which lots, and what was no longer there and is owed."""

    hold: str
    currency: str
    parts: Parts
    debt: int = 0

    @property
    def amount(self) -> int:
        """All of it."""
        return sum(part for _, part in self.parts) + self.debt


@dataclass(frozen=True, slots=True)
class Rated:
    """What the rating looked at besides the receipt, as it was then: kept where a rule may ask for it again."""

    region: str = ""
    items: tuple[Item, ...] = ()
    member: MemberFacts = NO_FACTS
    room: tuple[CapUse, ...] = ()  # what was left of caps


@dataclass(frozen=True, slots=True)
class BookedPurchase:
    """A receipt in the ledger, and what the till shows of it."""

    id: str
    entry: str
    purchase: Purchase
    fingerprint: bytes
    booked_at: datetime
    time_zone: str  # the store's, so that "the same day" means the store's day
    level: str  # by which it earned
    program_version: int
    breakdown: tuple[EarnedPart, ...]
    balance_points: int
    level_before: str
    level_after: str
    redeemed: tuple[Redeemed, ...] = ()
    unknown_holds: tuple[str, ...] = ()  # the receipt names them and they do not exist
    visit: int = 0  # the how manieth of the member, as booked, less those refunded whole; from 1; 0: not known
    rated: Rated | None = None  # None: nothing besides the receipt mattered

    @property
    def points(self) -> int:
        """Granted by this purchase."""
        return sums(self.breakdown)["points"]


def returned_lines(refund: BookedRefund, purchase: BookedPurchase) -> list[tuple[Returned, Line]]:
    """Return what a booked refund took back, each with the receipt's line that it is of."""
    return [(one, purchase.purchase.lines[one.line - 1]) for one in refund.returned]


@dataclass(frozen=True, slots=True)
class Receipt:
    """All that is known under one receipt's number. Without a purchase, only refunds wait here."""

    booked: BookedPurchase | None = None
    refunds: tuple[BookedRefund, ...] = ()  # booked, in the order of booking
    waiting: tuple[BookedRefund, ...] = ()
    revision: int = 0  # guards its document

    @property
    def left(self) -> tuple[Line, ...]:
        """What of its lines has not been refunded."""
        if self.booked is None:
            return ()
        returned = [one for refund in self.refunds for one in refund.returned]
        return left_of(self.booked.purchase.lines, returned)

    def taken_back(self, currency: str) -> int:
        """Return what refunds have taken back so far, debts included."""
        return sum(
            taken.taken + taken.debt for refund in self.refunds for taken in refund.taken if taken.currency == currency
        )

    @property
    def gave_back(self) -> bool:
        """Tell whether what it redeemed has gone back to the member."""
        return any(refund.whole for refund in self.refunds)
