"""A refund: what of a receipt was taken back, whole or by line, and what is left of the receipt after it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from services.kit.errors import Kind, Problem
from services.points.domain.purchases import CLOCK_SLACK, MAX_AMOUNT_MINOR, MAX_LINES, Line, check_number, receipt_key

MAX_REFUNDS = 100
"""Of one receipt, those that wait for it included."""


class InvalidRefundError(Problem):
    """The refund is not right: {why}."""

    kind = Kind.INVALID
    code = "INVALID_REFUND"


class RefundReusedError(Problem):
    """Refund {refund_number} of this store was received on {received_at} with other content, for receipt
    {receipt_number}, made at {occurred_at}. Correct the number."""

    kind = Kind.CONFLICT
    code = "REFUND_REUSED"


class RefundExceedsError(Problem):
    """More than was bought: line {line} of receipt {receipt_number} has {left_minor} (minor units) and
    {left_quantity} pieces left to refund."""

    kind = Kind.REFUSED
    code = "REFUND_EXCEEDS"


class TooManyRefundsError(Problem):
    """Receipt {receipt_number} has {most} refunds already."""

    kind = Kind.REFUSED
    code = "TOO_MANY_REFUNDS"


@dataclass(frozen=True, slots=True)
class RefundLine:
    """Of one line of the receipt (numbered from 1): how many pieces, and how much money came back for them.

    Without an amount it is the pieces' share of what the line still has; without pieces it is money only.
    """

    line: int
    quantity: int = 0
    amount_minor: int | None = None


@dataclass(frozen=True, slots=True)
class Refund:
    """A refund as the till sent it. Its store and number name it for ever."""

    store: str
    number: str
    receipt_number: str
    occurred_at: datetime
    lines: tuple[RefundLine, ...] = ()  # none: everything that is left
    receipt_store: str = ""  # where the receipt is from, when not from the same store
    till: str = ""
    staff: str = ""
    reason: str = ""  # a code of the chain's, not free text

    @property
    def key(self) -> str:
        """The business key within the chain."""
        return receipt_key(self.store, self.number)

    @property
    def purchase_key(self) -> str:
        """The business key of the receipt that it takes back."""
        return receipt_key(self.receipt_store or self.store, self.receipt_number)

    def fingerprint(self) -> bytes:
        """Return a hash over everything that it says, equal only for equal content (16 bytes)."""
        head = (self.key, self.purchase_key, self.occurred_at.timestamp(), self.till, self.staff, self.reason)
        lines = [(line.line, line.quantity, line.amount_minor) for line in self.lines]
        return sha256(repr((head, lines)).encode()).digest()[:16]


@dataclass(frozen=True, slots=True)
class Returned:
    """What a refund took back of one line: pieces and money."""

    line: int
    quantity: int
    amount_minor: int


class RefundState(StrEnum):
    """Where a refund stands."""

    BOOKED = "booked"
    WAITING = "waiting"  # its receipt has not come yet
    REFUSED = "refused"  # its receipt has come and has no room for it


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What a refund took back in one currency. `debt` is owed now; `short` stays with the member by policy."""

    currency: str
    taken: int
    debt: int
    short: int


@dataclass(frozen=True, slots=True)
class GivenBack:
    """What came back to the member of what the purchase had redeemed."""

    hold: str
    currency: str
    amount: int


@dataclass(frozen=True, slots=True)
class BookedRefund:
    """A refund that was received, and what came of it."""

    id: str
    refund: Refund
    fingerprint: bytes
    booked_at: datetime
    booked_by: str
    state: RefundState
    member: str = ""  # the account; empty while it waits
    purchase: str = ""  # the purchase's id
    returned: tuple[Returned, ...] = ()
    whole: bool = False  # nothing of the receipt is left
    taken: tuple[TakenBack, ...] = ()
    given: tuple[GivenBack, ...] = ()
    coupons: tuple[str, ...] = ()  # those of the purchase, given back by this refund
    why: str = ""  # it was refused

    @property
    def refunded_minor(self) -> int:
        """What the guest got back, in minor units of the receipt's currency."""
        return sum(returned.amount_minor for returned in self.returned)


def check(refund: Refund, *, now: datetime) -> None:
    """Refuse, with the field at fault, what no refund can be."""
    check_number(refund.number, field="refundNumber")
    check_number(refund.receipt_number, field="receiptNumber")
    if refund.occurred_at > now + CLOCK_SLACK:
        raise InvalidRefundError(field="occurredAt", why="it lies in the future; set the till's clock")
    if len(refund.lines) > MAX_LINES or len({line.line for line in refund.lines}) != len(refund.lines):
        raise InvalidRefundError(field="lines", why=f"name at most {MAX_LINES} lines, each once")
    for number, line in enumerate(refund.lines):
        path = f"lines.{number}"
        if not 1 <= line.line <= MAX_LINES:
            raise InvalidRefundError(field=f"{path}.line", why="lines are numbered from 1")
        if line.quantity < 0 or (line.amount_minor is not None and not 0 <= line.amount_minor <= MAX_AMOUNT_MINOR):
            raise InvalidRefundError(field=path, why="pieces and amount cannot be negative")
        if line.quantity == 0 and not line.amount_minor:
            raise InvalidRefundError(field=path, why="give the pieces, the amount, or both")


def left_of(lines: Sequence[Line], returned: Iterable[Returned]) -> tuple[Line, ...]:
    """Return the receipt's lines after what was returned: fewer pieces, and money and cost in proportion.

    A line's discount stays what it was, so far as its gross amount allows: what counts is what was paid for it.
    """
    left = list(lines)
    for one in returned:
        line = left[one.line - 1]
        pieces = line.quantity - one.quantity
        paid = line.paid_minor - one.amount_minor
        discount = line.discount_minor * pieces // line.quantity if line.quantity else 0
        cost = line.cost_minor * pieces // line.quantity if line.quantity else 0
        left[one.line - 1] = replace(
            line, quantity=pieces, gross_minor=paid + discount, discount_minor=discount, cost_minor=cost
        )
    return tuple(left)


def returned_by(refund: Refund, left: Sequence[Line]) -> tuple[Returned, ...]:
    """Return what `refund` takes back of what is `left`; RefundExceedsError where that is more."""
    if not refund.lines:
        return tuple(
            Returned(number, line.quantity, line.paid_minor)
            for number, line in enumerate(left, start=1)
            if line.quantity or line.paid_minor
        )
    return tuple(_returned(refund, line, left) for line in refund.lines)


def _returned(refund: Refund, wanted: RefundLine, left: Sequence[Line]) -> Returned:
    line = left[wanted.line - 1] if wanted.line <= len(left) else Line("", 0, 0)
    amount = wanted.amount_minor
    if amount is None:
        # The last pieces take what is left, so that the shares sum to the whole.
        amount = line.paid_minor * wanted.quantity // line.quantity if line.quantity >= wanted.quantity else 0
    if wanted.quantity > line.quantity or amount > line.paid_minor:
        raise RefundExceedsError(
            field="lines",
            line=wanted.line,
            receipt_number=refund.receipt_number,
            left_minor=line.paid_minor,
            left_quantity=line.quantity,
        )
    return Returned(wanted.line, wanted.quantity, amount)
