"""A batch: commands folded in their order through what they touch, each in isolation."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.kit.errors import KeyReusedError, Problem
from services.points.domain import (
    adjusting,
    booking,
    granting,
    holding,
    merging,
    moving,
    refunding,
    releasing,
    rewarding,
    tiering,
)
from services.points.domain.books import Books, Changes, Kept, Needs, Posted, Work
from services.points.domain.commands import (
    Adjust,
    AnyCommand,
    BookPurchase,
    BookRefund,
    Decide,
    Freeze,
    GrantLevel,
    Keyed,
    KeyedCommand,
    Merge,
    Open,
    Release,
    Reward,
    Settle,
    Split,
    TakeOver,
)
from services.points.domain.drafts import NotLoadedError
from services.points.domain.due import advance
from services.points.domain.earning import sums
from services.points.domain.lots import lot_id
from services.points.domain.purchases import ReceiptReusedError
from services.points.domain.receipts import BookedPurchase
from services.points.domain.refunds import BookedRefund, RefundReusedError


@dataclass(frozen=True, slots=True)
class Recorded:
    """The answer to a purchase: the receipt, and whether it had been booked before."""

    booked: BookedPurchase
    repeated_call: bool


@dataclass(frozen=True, slots=True)
class Refunded:
    """The answer to a refund, and whether it had been received before."""

    booked: BookedRefund
    repeated_call: bool


@dataclass(frozen=True, slots=True)
class Settled:
    """The answer to `Settle`: how many entries were written."""

    entries: int


Answer = Recorded | Refunded | Posted | Settled


@dataclass(frozen=True, slots=True)
class Folded:
    """Each command's answer, in the order of the commands, and what must be written for them."""

    answers: tuple[Answer | Problem, ...]
    changes: Changes


def needs(commands: Sequence[AnyCommand]) -> Needs:
    """Return what `commands` name themselves: the first thing to load."""
    found = Needs()
    for command in commands:
        chain = command.chain
        match command:
            case BookPurchase():
                found.receipts.add((chain, command.purchase.key))
            case BookRefund():
                found.receipts.add((chain, command.refund.purchase_key))
                found.refunds.add((chain, command.refund.key))
                continue
            case Release():
                found.receipts.add((chain, command.purchase))
                found.keys.add((chain, command.author.key))
                continue
            case TakeOver():
                found.receipts.update((chain, key) for key in command.receipts)
                found.whole.add((chain, command.into))
            case Merge():
                found.whole.add((chain, command.into))
            case Reward():
                found.accounts.add((chain, command.other))
            case Adjust() | Decide():
                found.adjustments.add((chain, command.adjustment))
        (found.whole if command.needs_lots else found.accounts).add((chain, command.account))
        if isinstance(command, Keyed):
            found.keys.add((chain, command.author.key))
    return found


def further_needs(commands: Sequence[AnyCommand], books: Books) -> Needs:
    """Return what `commands` will need besides, now that their accounts and receipts are known."""
    found = Needs()
    for command in commands:
        chain = command.chain
        if isinstance(command, BookRefund | Release):
            key = command.refund.purchase_key if isinstance(command, BookRefund) else command.purchase
            receipt = books.receipts.get((chain, key))
            if receipt is not None and receipt.booked is not None:
                holder, purchase = (chain, receipt.booked.purchase.member), receipt.booked.id
                found.whole.add(holder)
                found.lots.update((holder, lot_id(purchase, currency)) for currency in sums(receipt.booked.breakdown))
        elif isinstance(command, BookPurchase):
            account = books.accounts.get((chain, command.account))
            if account is None:
                continue
            due = account.due_at is not None and account.due_at <= command.purchase.occurred_at
            waiting = (chain, command.purchase.key) in books.receipts
            if due or waiting or command.purchase.holds:
                found.whole.add((chain, command.account))
    found.whole -= books.lots.keys()
    return found


def fold(commands: Sequence[AnyCommand], *, books: Books) -> Folded | Needs:
    """Fold `commands` through a copy of `books`; or say what more of the accounts must be loaded to do so."""
    books = books.copy()
    answers: list[Answer | Problem] = []
    changes, missing = Changes(), Needs()
    for command in commands:
        work = Work(books, command)
        try:
            answer = _carry_out(work, command)
            _follow_balances(work)
            answers.append(answer)
        except NotLoadedError as error:
            _note(error, missing)
        except Problem as problem:
            answers.append(problem)
        else:
            work.done(changes)
    return missing or Folded(tuple(answers), changes)


def _note(error: NotLoadedError, missing: Needs) -> None:
    for key in error.keys:
        if error.hold:
            missing.holds.add((key, error.hold))
        elif error.lots:
            missing.lots.update((key, lot) for lot in error.lots)
        else:
            missing.whole.add(key)


def _follow_balances(work: Work) -> None:
    """Where levels follow the balance, whatever changed it may have changed the level."""
    for draft in work.drafts():
        moment = draft.account.as_of
        if moment is not None and draft.entries and draft.program.tiers.by_balance:
            tiering.review(draft, draft.program, moment)


def _carry_out(work: Work, command: AnyCommand) -> Answer:
    if isinstance(command, BookPurchase):
        return _purchase(work, command)
    if isinstance(command, BookRefund):
        return _refund(work, command)
    if isinstance(command, Settle):
        return _settle(work, command)
    if (kept := work.kept_answer(command.author.key)) is not None:
        if kept.fingerprint != command.fingerprint:
            raise KeyReusedError(field="key", summary=kept.summary)
        return replace(kept.answer, repeated_call=True)
    answer = _keyed(work, command)
    summary = f"{type(command).__name__.lower()} of {command.account} at {command.author.booked_at.isoformat()}"
    work.kept[command.chain, command.author.key] = Kept(command.fingerprint, answer, summary, command.author.booked_at)
    return answer


def _settle(work: Work, command: Settle) -> Settled:
    draft = work.draft(command.account, follow=False)
    advance(draft, command.at)
    return Settled(len(draft.entries))


def _keyed(work: Work, command: KeyedCommand) -> Posted:  # noqa: C901, PLR0911 - a table of what does which
    match command:
        case Adjust():
            return adjusting.adjust(work, command)
        case Decide():
            return adjusting.decide(work, command)
        case Freeze():
            return adjusting.freeze(work, command)
        case Open():
            return adjusting.open_balance(work, command)
        case GrantLevel():
            return granting.grant_level(work, command)
        case Release():
            return releasing.release(work, command)
        case Reward():
            return rewarding.reward(work, command)
        case TakeOver():
            return moving.take_over(work, command)
        case Merge():
            return merging.merge(work, command)
        case Split():
            return merging.split(work, command)
        case _:
            return holding.handle(work, command)


def _purchase(work: Work, command: BookPurchase) -> Recorded:
    first = work.receipt(command.purchase.key).booked
    if first is not None:
        return _answer_again(work, first, command)
    booked = booking.book(work, command)
    refunding.apply_waiting(work, booked)
    return Recorded(booked, repeated_call=False)


def _answer_again(work: Work, first: BookedPurchase, command: BookPurchase) -> Recorded:
    wanted, was = command.purchase, first.purchase
    same_guest = wanted.member == was.member or (wanted.buyer != "" and wanted.buyer == was.buyer)
    if first.fingerprint == wanted.fingerprint() and (same_guest or _went_into(work, was.member, wanted.member)):
        return Recorded(first, repeated_call=True)
    raise ReceiptReusedError(
        field="receiptNumber",
        receipt_number=was.receipt_number,
        booked_at=first.booked_at.isoformat(),
        paid_minor=was.paid_minor,
        currency=was.currency,
        member=was.member,
        occurred_at=was.occurred_at.isoformat(),
        purchase=first.id,
    )


def _went_into(work: Work, one: str, other: str) -> bool:
    """Tell whether both names have ever led to the same account: a payer that became a member, two that were merged."""
    try:
        return not {home.account.id for home in work.homes(one)}.isdisjoint(
            home.account.id for home in work.homes(other)
        )
    except Problem:
        return False


def _refund(work: Work, command: BookRefund) -> Refunded:
    if (first := work.refund(command.refund.key)) is not None:
        if first.fingerprint == command.refund.fingerprint():
            return Refunded(first, repeated_call=True)
        raise RefundReusedError(
            field="refundNumber",
            refund_number=first.refund.number,
            received_at=first.booked_at.isoformat(),
            receipt_number=first.refund.receipt_number,
            occurred_at=first.refund.occurred_at.isoformat(),
        )
    return Refunded(refunding.refund(work, command), repeated_call=False)
