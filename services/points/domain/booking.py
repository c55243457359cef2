"""Booking a purchase: holds, points, spend and level follow from the account and the receipt alone."""

from dataclasses import replace

from services.points.domain.accounts import Account, Reached
from services.points.domain.books import Work
from services.points.domain.commands import BookPurchase
from services.points.domain.drafts import Draft
from services.points.domain.due import advance, settle
from services.points.domain.facts import PurchaseBooked, TierChanged
from services.points.domain.holds import Hold, HoldState, NoHoldError, add_parts
from services.points.domain.journal import DEBT, ISSUED, REDEEMED, EntryKind, Leg
from services.points.domain.lots import Lot, lot_id, spendable, take
from services.points.domain.programs import Program, Programs, earn, sums
from services.points.domain.purchases import Purchase
from services.points.domain.receipts import BookedPurchase, Receipt, Redeemed


def book(work: Work, command: BookPurchase, programs: Programs) -> BookedPurchase:
    """Book the purchase by the current program.

    A receipt earns by the level that held when it was paid, however late it comes; a threshold that it crosses counts
    for whatever is booked after it, and never changes what is booked already.
    """
    program = programs.current
    draft = work.draft(command.account, opens=command.opens_account)
    purchase = command.purchase
    if draft.account.id != purchase.member:  # it went into another account
        purchase = replace(purchase, member=draft.account.id)
    advance(draft, purchase.occurred_at)
    level_before = draft.account.level(program)
    redeemed, unknown = _pay_with_holds(work, draft, purchase)
    level = draft.account.level_at(purchase.occurred_at, program)
    breakdown = earn(program, program.level(level), purchase.lines)
    entry = len(draft.entries)
    for currency, amount in sums(breakdown).items():
        _grant(draft, command, purchase, program, currency=currency, amount=amount)
    draft.set_account(count_spend(draft.account, purchase.paid_minor, purchase.currency, program))
    assert draft.account.as_of is not None  # noqa: S101 - narrows the type: `advance` set it
    settle(draft, draft.account.as_of)  # a late receipt's points may have expired since
    booked = BookedPurchase(
        id=command.purchase_id,
        entry=draft.entries[entry].id,
        purchase=purchase,
        fingerprint=purchase.fingerprint(),
        booked_at=command.author.booked_at,
        time_zone=command.time_zone,
        level=level,
        program_version=program.version,
        breakdown=breakdown,
        balance_points=draft.account.balance("points").available,
        level_before=level_before,
        level_after=draft.account.level(program),
        redeemed=redeemed,
        unknown_holds=unknown,
    )
    before = work.receipt(purchase.key)
    work.receipts[command.chain, purchase.key] = Receipt(booked, waiting=before.waiting, revision=before.revision + 1)
    work.tell(draft, PurchaseBooked(booked))
    tell_tier(work, draft, booked)
    return booked


def tell_tier(work: Work, draft: Draft, booked: BookedPurchase) -> None:
    """Let others hear of a level that was just reached."""
    if booked.level_after != booked.level_before:
        since = draft.account.reached[-1].since
        member = draft.account.id
        work.tell(draft, TierChanged(member, booked.level_before, booked.level_after, since, booked.id))


def _grant(
    draft: Draft, command: BookPurchase, purchase: Purchase, program: Program, *, currency: str, amount: int
) -> None:
    lot = Lot(
        id=lot_id(command.purchase_id, currency),
        currency=currency,
        free=amount,
        granted_at=purchase.occurred_at,
        expires_at=program.expiry(purchase.occurred_at),
        pending_until=program.available(purchase.occurred_at),
        policy_version=program.version,
        source=command.purchase_id,
    )
    earned(draft, EntryKind.PURCHASE, lot, against=ISSUED, reference=command.purchase_id)


def earned(draft: Draft, kind: EntryKind, lot: Lot, *, against: str, reference: str, note: str = "") -> None:
    """Post a grant that counts as earned: it pays off debt first, and only the rest becomes a lot."""
    paid = min(draft.account.balance(lot.currency).debt, lot.free)
    legs = [Leg(against, -lot.free)] if lot.free else []
    if paid:
        legs.append(Leg(DEBT, paid))
    rest = replace(lot, free=lot.free - paid) if paid else lot
    draft.post(
        kind,
        currency=lot.currency,
        occurred_at=lot.granted_at,
        reference=reference,
        legs=legs,
        grants=[rest] if rest.free else (),
        lifetime=lot.free,
        note=note,
    )


def _pay_with_holds(work: Work, draft: Draft, purchase: Purchase) -> tuple[tuple[Redeemed, ...], tuple[str, ...]]:
    """Capture what the receipt was paid with. The sale has taken place: nothing here refuses it."""
    redeemed: list[Redeemed] = []
    unknown: list[str] = []
    for id_ in purchase.holds:
        try:
            hold = work.hold(draft, id_)
        except NoHoldError:
            unknown.append(id_)
            continue
        redeemed.append(_redeem(draft, hold, purchase))
    return tuple(redeemed), tuple(unknown)


def _redeem(draft: Draft, hold: Hold, purchase: Purchase) -> Redeemed:
    if hold.state is HoldState.CAPTURED and not hold.purchase:  # captured by its own call before
        draft.put_hold(replace(hold, purchase=purchase.key))
        return Redeemed(hold.id, hold.currency, hold.taken)
    if hold.is_open:
        draft.post(
            EntryKind.REDEMPTION,
            currency=hold.currency,
            occurred_at=purchase.occurred_at,
            reference=hold.id,
            legs=[Leg(REDEEMED, hold.left)],
            lots=draft.move(hold.parts, held=-1),
        )
        taken = add_parts(hold.taken, hold.parts)
        draft.put_hold(replace(hold, state=HoldState.CAPTURED, parts=(), taken=taken, purchase=purchase.key))
        return Redeemed(hold.id, hold.currency, taken)
    return _redeem_late(draft, hold, purchase)


def _redeem_late(draft: Draft, hold: Hold, purchase: Purchase) -> Redeemed:
    """Take what is there, and note the rest as owed: the hold ran out or paid another receipt, and the guest left."""
    parts = take(spendable(draft.lots.values(), hold.currency), hold.amount)
    debt = hold.amount - sum(part for _, part in parts)
    legs = [Leg(REDEEMED, hold.amount)] + ([Leg(DEBT, -debt)] if debt else [])
    draft.post(
        EntryKind.REDEMPTION,
        currency=hold.currency,
        occurred_at=purchase.occurred_at,
        reference=hold.id,
        legs=legs,
        lots=draft.move(parts, free=-1),
    )
    return Redeemed(hold.id, hold.currency, parts, debt)


def count_spend(account: Account, spent_minor: int, currency: str, program: Program) -> Account:
    """Count spend towards the levels; the account was advanced to the spend's moment or later."""
    moment = account.as_of
    assert moment is not None  # noqa: S101 - narrows the type: `advance` set it
    account = account.at(moment, spent_minor=spent_minor, currency=currency)
    level = program.level_for(max(account.spend_minor, 0))
    if level is program.levels[0] or any(reached.level == level.code for reached in account.reached):
        return account
    # A late receipt may be what crosses: the level then holds from the newest receipt on, since those are booked.
    return replace(account, reached=(*account.reached, Reached(level.code, moment)))
