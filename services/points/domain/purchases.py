"""A receipt: what was bought, where, when, by whom."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from services.kit.errors import Kind, Problem

MAX_LINES = 500
MAX_AMOUNT_MINOR = 10**12
"""Ten billion of a currency with cents, for one line: far above any receipt, far below what a sum of 64 bits holds."""

CLOCK_SLACK = timedelta(minutes=5)
"""How far a till's clock may run ahead of ours."""

MAX_NUMBER_LENGTH = 64


class InvalidPurchaseError(Problem):
    """The receipt is not right: {why}."""

    kind = Kind.INVALID
    code = "INVALID_PURCHASE"


class ReceiptReusedError(Problem):
    """Receipt {receipt_number} of this store was booked on {booked_at} with other content, as {purchase}:
    {paid_minor} {currency} (minor units), paid at {occurred_at} by {member}. Correct the number, or refund that."""

    kind = Kind.CONFLICT
    code = "RECEIPT_REUSED"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a receipt; amounts are for the whole line, in minor units of the receipt's currency."""

    item_code: str
    quantity: int
    gross_minor: int
    discount_minor: int = 0

    @property
    def paid_minor(self) -> int:
        """What the guest paid for it."""
        return self.gross_minor - self.discount_minor


@dataclass(frozen=True, slots=True)
class Purchase:
    """A receipt as the till sent it, its buyer resolved. Store and receipt number name it for ever."""

    store: str
    receipt_number: str
    member: str
    occurred_at: datetime
    currency: str
    lines: tuple[Line, ...]

    @property
    def key(self) -> str:
        """The business key within the chain; a store's id has no slash, so no two receipts share one."""
        return f"{self.store}/{self.receipt_number}"

    @property
    def paid_minor(self) -> int:
        """What was paid for all lines."""
        return sum(line.paid_minor for line in self.lines)

    def fingerprint(self) -> bytes:
        """Return a hash over everything that the receipt says, equal only for equal content (16 bytes)."""
        head = (self.key, self.member, self.occurred_at.isoformat(), self.currency)
        lines = [(line.item_code, line.quantity, line.gross_minor, line.discount_minor) for line in self.lines]
        # repr quotes strings, so neighbours cannot run into each other.
        return sha256(repr((head, lines)).encode()).digest()[:16]


def check(purchase: Purchase, *, now: datetime) -> None:
    """Refuse, with the field at fault, what no receipt can be."""
    if not 1 <= len(purchase.receipt_number) <= MAX_NUMBER_LENGTH:
        raise InvalidPurchaseError(
            field="receiptNumber", why=f"its number must have 1 to {MAX_NUMBER_LENGTH} characters"
        )
    if purchase.occurred_at > now + CLOCK_SLACK:
        raise InvalidPurchaseError(field="occurredAt", why="it lies in the future; set the till's clock")
    if not 1 <= len(purchase.lines) <= MAX_LINES:
        raise InvalidPurchaseError(field="lines", why=f"it must have 1 to {MAX_LINES} lines")
    for number, line in enumerate(purchase.lines):
        _check_line(line, path=f"lines.{number}")


def _check_line(line: Line, *, path: str) -> None:
    if line.quantity < 1:
        raise InvalidPurchaseError(field=f"{path}.quantity", why="the quantity must be at least 1")
    if not 0 <= line.gross_minor <= MAX_AMOUNT_MINOR:
        raise InvalidPurchaseError(field=f"{path}.grossMinor", why=f"the amount must be 0 to {MAX_AMOUNT_MINOR}")
    if not 0 <= line.discount_minor <= line.gross_minor:
        raise InvalidPurchaseError(field=f"{path}.discountMinor", why="the discount must be 0 to the line's amount")
