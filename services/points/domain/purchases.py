"""A receipt: what was bought, where, when, by whom, and how it was paid."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from services.kit.errors import Kind, Problem

MAX_LINES = 500
MAX_AMOUNT_MINOR = 10**12
"""Ten billion of a currency with cents, for one line: far above any receipt, far below what a sum of 64 bits holds."""

MAX_QUANTITY = 1_000_000

CLOCK_SLACK = timedelta(minutes=5)
"""How far a till's clock may run ahead of ours."""

MAX_NUMBER_LENGTH = 64
MAX_CODE_LENGTH = 128
MAX_NAMED = 20
"""Holds, and coupons, that one receipt may name."""

MAX_PARTY = 10_000


class InvalidPurchaseError(Problem):
    """The receipt is not right: {why}."""

    kind = Kind.INVALID
    code = "INVALID_PURCHASE"


class ReceiptReusedError(Problem):
    """Receipt {receipt_number} of this store was booked on {booked_at} with other content, as {purchase}:
    {paid_minor} {currency} (minor units), paid at {occurred_at} by {member}. Correct the number, or refund that."""

    kind = Kind.CONFLICT
    code = "RECEIPT_REUSED"


class Channel(StrEnum):
    """Over which channel it was bought."""

    UNKNOWN = ""
    DINE_IN = "dine_in"
    TAKEAWAY = "takeaway"
    DELIVERY = "delivery"
    ONLINE = "online"
    PARTNER = "partner"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a receipt; amounts are for the whole line, in minor units of the receipt's currency."""

    item_code: str
    quantity: int
    gross_minor: int
    discount_minor: int = 0
    category: str = ""
    cost_minor: int = 0  # what it cost the chain; 0: not known

    @property
    def paid_minor(self) -> int:
        """What the guest paid for it."""
        return self.gross_minor - self.discount_minor


@dataclass(frozen=True, slots=True)
class Purchase:
    """A receipt as the till sent it, its buyer resolved. Store and receipt number name it for ever."""

    store: str
    receipt_number: str
    member: str  # the account
    occurred_at: datetime
    currency: str
    lines: tuple[Line, ...]
    buyer: str = ""  # as the till named the guest, an identity as its keyed hash; empty: by the account
    till: str = ""
    staff: str = ""
    channel: Channel = Channel.UNKNOWN
    payment_kind: str = ""  # "wechat", "alipay", "card", "cash" …
    partner: str = ""  # that sold it, when that was not the chain itself
    payer: str = ""  # keyed hash of the payment account, empty when not known
    party_size: int = 0  # 0: not known
    tax_minor: int = 0  # within what was paid
    tip_minor: int = 0  # beside what was paid
    coupons: tuple[str, ...] = ()
    holds: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The business key within the chain; a store's id has no slash, so no two receipts share one."""
        return receipt_key(self.store, self.receipt_number)

    @property
    def paid_minor(self) -> int:
        """What was paid for all lines."""
        return sum(line.paid_minor for line in self.lines)

    def fingerprint(self) -> bytes:
        """Return a hash over everything that the receipt says but who the guest is, equal only for equal content.

        The guest is compared apart: a till may name by the member's id what it named by a phone number first.
        """
        head = (
            *(self.store, self.receipt_number, self.occurred_at.timestamp(), self.currency, self.till, self.staff),
            *(self.channel.value, self.payment_kind, self.payer, self.party_size, self.tax_minor, self.tip_minor),
            *(self.coupons, self.holds),
            *((self.partner,) if self.partner else ()),
        )
        lines = [
            (line.item_code, line.quantity, line.gross_minor, line.discount_minor, line.category, line.cost_minor)
            for line in self.lines
        ]
        # repr quotes strings, so neighbours cannot run into each other.
        return sha256(repr((head, lines)).encode()).digest()[:16]


def receipt_key(store: str, number: str) -> str:
    """Return the business key of a receipt or a refund: its store and its number there."""
    return f"{store}/{number}"


def check(purchase: Purchase, *, now: datetime) -> None:
    """Refuse, with the field at fault, what no receipt can be."""
    check_number(purchase.receipt_number, field="receiptNumber")
    if purchase.occurred_at > now + CLOCK_SLACK:
        raise InvalidPurchaseError(field="occurredAt", why="it lies in the future; set the till's clock")
    if not 1 <= len(purchase.lines) <= MAX_LINES:
        raise InvalidPurchaseError(field="lines", why=f"it must have 1 to {MAX_LINES} lines")
    for number, line in enumerate(purchase.lines):
        _check_line(line, path=f"lines.{number}")
    _check_circumstances(purchase)


def check_number(number: str, *, field: str) -> None:
    """Refuse what cannot be a number of a receipt or refund."""
    if not 1 <= len(number) <= MAX_NUMBER_LENGTH:
        raise InvalidPurchaseError(field=field, why=f"its number must have 1 to {MAX_NUMBER_LENGTH} characters")


def _check_circumstances(purchase: Purchase) -> None:
    if not 0 <= purchase.party_size <= MAX_PARTY:
        raise InvalidPurchaseError(field="partySize", why=f"the party's size must be 0 to {MAX_PARTY}")
    for field, amount in (("taxMinor", purchase.tax_minor), ("tipMinor", purchase.tip_minor)):
        if not 0 <= amount <= MAX_AMOUNT_MINOR:
            raise InvalidPurchaseError(field=field, why=f"the amount must be 0 to {MAX_AMOUNT_MINOR}")
    for field, named in (("couponIds", purchase.coupons), ("holdIds", purchase.holds)):
        if len(named) > MAX_NAMED or len(set(named)) != len(named):
            raise InvalidPurchaseError(field=field, why=f"name at most {MAX_NAMED}, each once")
    for field, code in (
        ("tillId", purchase.till),
        ("staffId", purchase.staff),
        ("paymentKind", purchase.payment_kind),
        ("partnerId", purchase.partner),
    ):
        if len(code) > MAX_CODE_LENGTH:
            raise InvalidPurchaseError(field=field, why=f"at most {MAX_CODE_LENGTH} characters")


def _check_line(line: Line, *, path: str) -> None:
    if not 1 <= line.quantity <= MAX_QUANTITY:
        raise InvalidPurchaseError(field=f"{path}.quantity", why=f"the quantity must be 1 to {MAX_QUANTITY}")
    if not 0 <= line.gross_minor <= MAX_AMOUNT_MINOR:
        raise InvalidPurchaseError(field=f"{path}.grossMinor", why=f"the amount must be 0 to {MAX_AMOUNT_MINOR}")
    if not 0 <= line.discount_minor <= line.gross_minor:
        raise InvalidPurchaseError(field=f"{path}.discountMinor", why="the discount must be 0 to the line's amount")
    if not 0 <= line.cost_minor <= MAX_AMOUNT_MINOR:
        raise InvalidPurchaseError(field=f"{path}.costMinor", why=f"the cost must be 0 to {MAX_AMOUNT_MINOR}")
    if len(line.item_code) > MAX_CODE_LENGTH or len(line.category) > MAX_CODE_LENGTH:
        raise InvalidPurchaseError(field=path, why=f"codes have at most {MAX_CODE_LENGTH} characters")
