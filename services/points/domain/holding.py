"""What can be done with a hold."""

from dataclasses import replace
from datetime import datetime

from services.points.domain.accounts import AccountFrozenError, InsufficientPointsError
from services.points.domain.books import Posted, Work
from services.points.domain.carrying import give_back_to_lots, where_lives
from services.points.domain.commands import Authorise, Capture, Extend, HoldCommand, Reverse, Void
from services.points.domain.drafts import Draft
from services.points.domain.due import advance, expire_returned, give_back
from services.points.domain.expiries import Activity
from services.points.domain.holds import (
    LONGEST_HOLD,
    MAX_OPEN_HOLDS,
    Hold,
    HoldExceededError,
    HoldPaidError,
    HoldState,
    InvalidHoldError,
    add_parts,
    split_parts,
)
from services.points.domain.journal import REDEEMED, EntryKind, Leg
from services.points.domain.lots import spendable, take


def handle(work: Work, command: HoldCommand) -> Posted:
    """Do it; each is refused with what stands against it, and then changes nothing."""
    draft = work.draft(command.account)
    if not isinstance(command, Authorise):
        draft = where_lives(work, draft, command.hold)
    advance(draft, command.at)
    match command:
        case Authorise():
            hold = _authorise(draft, command)
        case Capture():
            hold = _capture(draft, work.hold(draft, command.hold), command)
        case Void():
            hold = _void(draft, work.hold(draft, command.hold), command.at)
        case Reverse():
            hold = _reverse(work, draft, work.hold(draft, command.hold), command.at)
        case Extend():
            hold = _extend(draft, work.hold(draft, command.hold), command)
        case _:
            hold = _pin(draft, work.hold(draft, command.hold), command.at)
    work.tell_postings(draft)
    return Posted(draft.account, entry=draft.entries[-1].id if draft.entries else "", hold=hold)


def _authorise(draft: Draft, command: Authorise) -> Hold:
    if command.amount < 1:
        raise InvalidHoldError(field="amount", why="the amount must be at least 1")
    _check_end(command.expires_at, command.at)
    if draft.account.frozen:
        raise AccountFrozenError(field="memberId")
    if len(draft.open_holds()) >= MAX_OPEN_HOLDS:
        raise InvalidHoldError(field="memberId", why=f"the account has {MAX_OPEN_HOLDS} open holds already")
    available = draft.account.balance(command.currency).available
    if available < command.amount:
        raise InsufficientPointsError(
            field="amount", available=available, wanted=command.amount, currency=command.currency
        )
    parts = take(spendable(draft.lots.values(), command.currency), command.amount)
    draft.post(
        EntryKind.HOLD,
        currency=command.currency,
        occurred_at=command.at,
        reference=command.hold,
        lots=draft.move(parts, free=-1, held=1),
    )
    hold = Hold(
        id=command.hold,
        account=draft.account.id,
        currency=command.currency,
        amount=command.amount,
        parts=parts,
        expires_at=command.expires_at,
        reference=command.reference,
    )
    draft.put_hold(hold)
    return hold


def _capture(draft: Draft, hold: Hold, command: Capture) -> Hold:
    if not hold.is_open:
        raise hold.closed()
    if draft.account.frozen and not hold.pinned:  # an order that is being paid goes through
        raise AccountFrozenError(field="holdId")
    amount = hold.left if command.amount is None else command.amount
    if amount < 1:
        raise InvalidHoldError(field="amount", why="the amount must be at least 1")
    if amount > hold.left:
        raise HoldExceededError(field="amount", hold=hold.id, left=hold.left, wanted=amount)
    taken, rest = split_parts(hold.parts, amount)
    draft.active(command.at, Activity.REDEMPTION)
    draft.post(
        EntryKind.REDEMPTION,
        currency=hold.currency,
        occurred_at=command.at,
        reference=hold.id,
        legs=[Leg(REDEEMED, amount)],
        lots=draft.move(taken, held=-1),
    )
    hold = replace(hold, parts=rest, taken=add_parts(hold.taken, taken))
    if rest and command.keep_rest:
        draft.put_hold(hold)
    elif rest:
        give_back(draft, hold, EntryKind.HOLD_VOIDED, occurred_at=command.at, state=HoldState.CAPTURED)
    else:
        draft.put_hold(replace(hold, state=HoldState.CAPTURED, pinned=False))
    return draft.changed_holds[hold.id]


def _void(draft: Draft, hold: Hold, at: datetime) -> Hold:
    if not hold.is_open:
        raise hold.closed()
    state = HoldState.CAPTURED if hold.taken else HoldState.VOIDED
    give_back(draft, hold, EntryKind.HOLD_VOIDED, occurred_at=at, state=state)
    return draft.changed_holds[hold.id]


def _reverse(work: Work, draft: Draft, hold: Hold, at: datetime) -> Hold:
    if hold.purchase:
        raise HoldPaidError(field="holdId", hold=hold.id, receipt=hold.purchase.partition("/")[2])
    if hold.state is not HoldState.CAPTURED:
        raise hold.closed()
    back = give_back_to_lots(work, draft, hold.currency, hold.taken, holder=hold.account, at=at)
    draft.post(
        EntryKind.REVERSAL,
        currency=hold.currency,
        occurred_at=at,
        reference=hold.id,
        legs=[Leg(REDEEMED, -hold.captured)],
        lots=back.changes,
        grants=back.grants,
    )
    reversed_ = replace(hold, state=HoldState.REVERSED, taken=())
    # One that was closed before its account went into this one stays in that one's books.
    work.draft(hold.account, follow=False).put_hold(reversed_)
    expire_returned(draft, hold.taken, at)
    return reversed_


def _extend(draft: Draft, hold: Hold, command: Extend) -> Hold:
    if not hold.is_open:
        raise hold.closed()
    if command.expires_at <= hold.expires_at:
        raise InvalidHoldError(field="expiresAt", why=f"it runs until {hold.expires_at.isoformat()} already")
    _check_end(command.expires_at, command.at)
    return _mark(draft, replace(hold, expires_at=command.expires_at), EntryKind.HOLD_EXTENDED, command.at)


def _pin(draft: Draft, hold: Hold, at: datetime) -> Hold:
    if not hold.is_open:
        raise hold.closed()
    return hold if hold.pinned else _mark(draft, replace(hold, pinned=True), EntryKind.HOLD_PINNED, at)


def _mark(draft: Draft, hold: Hold, kind: EntryKind, at: datetime) -> Hold:
    """Nothing moves; but whatever changes an account stands in its journal and raises its version."""
    draft.post(kind, currency=hold.currency, occurred_at=at, reference=hold.id)
    draft.put_hold(hold)
    draft.settle_due()
    return hold


def _check_end(expires_at: datetime, at: datetime) -> None:
    if not at < expires_at <= at + LONGEST_HOLD:
        raise InvalidHoldError(field="expiresAt", why=f"it must lie within {LONGEST_HOLD.days} days from now")
