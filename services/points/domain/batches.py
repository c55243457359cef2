"""A batch: commands folded in their order through the accounts they touch, each in isolation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.kit.errors import Kind, Problem
from services.points.domain.accounts import Account
from services.points.domain.booking import BookedPurchase, Booking, BookPurchase, book
from services.points.domain.programs import Program
from services.points.domain.purchases import Purchase, ReceiptReusedError

Key = tuple[str, str]
"""A chain, and a name within it: a member for an account, a receipt's key for a receipt."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The answer to a command: the receipt, and whether it had been booked before."""

    booked: BookedPurchase
    repeated_call: bool


class NoAccountError(Problem):
    """There is no member {member}."""

    kind = Kind.NOT_FOUND
    code = "MEMBER_NOT_FOUND"


@dataclass(frozen=True, slots=True)
class Folded:
    """Each command's answer, in the order of the commands, and what must be written for them."""

    answers: tuple[Recorded | Problem, ...]
    bookings: tuple[Booking, ...]


def fold(
    commands: Sequence[BookPurchase],
    *,
    accounts: Mapping[Key, Account],
    receipts: Mapping[Key, BookedPurchase],
    program: Program,
) -> Folded:
    """Fold `commands` through copies of `accounts` and `receipts`: all that exists of what they touch."""
    accounts, receipts = dict(accounts), dict(receipts)
    answers: list[Recorded | Problem] = []
    bookings: list[Booking] = []
    for command in commands:
        receipt = command.chain, command.purchase.key
        holder = command.chain, command.purchase.member
        if (first := receipts.get(receipt)) is not None:
            answers.append(_answer_again(first, command.purchase))
            continue
        account = accounts.get(holder) or (Account(command.purchase.member) if command.opens_account else None)
        if account is None:
            answers.append(NoAccountError(field="memberId", member=command.purchase.member))
            continue
        booking = book(command, account, program)
        accounts[holder], receipts[receipt] = booking.account, booking.booked
        bookings.append(booking)
        answers.append(Recorded(booking.booked, repeated_call=False))
    return Folded(tuple(answers), tuple(bookings))


def _answer_again(first: BookedPurchase, purchase: Purchase) -> Recorded | Problem:
    if first.fingerprint == purchase.fingerprint():
        return Recorded(first, repeated_call=True)
    return ReceiptReusedError(
        field="receiptNumber",
        receipt_number=first.purchase.receipt_number,
        booked_at=first.booked_at.isoformat(),
        paid_minor=first.purchase.paid_minor,
        currency=first.purchase.currency,
        member=first.purchase.member,
        occurred_at=first.purchase.occurred_at.isoformat(),
        purchase=first.id,
    )
