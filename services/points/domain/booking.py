"""Booking a purchase: holds, points, spend and level follow from the account and the receipt alone."""

from dataclasses import replace
from datetime import date

from services.points.domain.books import Work
from services.points.domain.calendar import day_of
from services.points.domain.commands import BookPurchase
from services.points.domain.drafts import Draft
from services.points.domain.due import advance, settle
from services.points.domain.earning import Earned, earn, sums
from services.points.domain.expiries import Activity
from services.points.domain.facts import PurchaseBooked
from services.points.domain.holds import Hold, HoldState, NoHoldError, add_parts
from services.points.domain.journal import DEBT, ISSUED, REDEEMED, EntryKind, Leg
from services.points.domain.lots import Lot, lot_id, spendable, take
from services.points.domain.programs import Program
from services.points.domain.purchases import Purchase
from services.points.domain.rating import rated_by, sale_of, uses
from services.points.domain.receipts import BookedPurchase, Receipt, Redeemed
from services.points.domain.rules import POINTS
from services.points.domain.standings import tallied, used
from services.points.domain.tiering import measured, review
from services.points.domain.tiers import Crossing, fitting

EPOCH = date(1970, 1, 1)
"""From which spans are compared."""


def book(work: Work, command: BookPurchase) -> BookedPurchase:
    """Book the purchase by the program, and the level, that held when it was paid, however late it comes.

    A threshold that it crosses counts for whatever is booked after it, and never changes what is booked already.
    """
    programs = work.programs
    draft = work.draft(command.account, opens=command.opens_account)
    purchase = command.purchase
    program = programs.at(purchase.occurred_at)
    if draft.account.id != purchase.member:  # it went into another account
        purchase = replace(purchase, member=draft.account.id)
    advance(draft, purchase.occurred_at)
    work.tell_happened(draft)
    first = program.tiers.levels[0].code
    level_before = draft.account.standing.now(first)
    redeemed, unknown = _pay_with_holds(work, draft, purchase)
    level = _earns_by(draft, purchase, program)
    sale = sale_of(draft, command, purchase, program, level)
    earned = earn(program.earning, program.version, sale)
    entry = len(draft.entries)
    _count(draft, purchase, program, earned)
    _grant_all(draft, command, purchase, earned, level)
    assert draft.account.as_of is not None  # noqa: S101 - narrows the type: `advance` set it
    review(draft, programs.at(draft.account.as_of), draft.account.as_of, purchase=command.purchase_id)
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
        breakdown=earned.parts,
        balance_points=draft.account.balance(POINTS).available,
        level_before=level_before,
        level_after=draft.account.standing.now(first),
        redeemed=redeemed,
        unknown_holds=unknown,
        visit=draft.account.counts.visits,
        rated=rated_by(sale, program),
    )
    before = work.receipt(purchase.key)
    work.receipts[command.chain, purchase.key] = Receipt(booked, waiting=before.waiting, revision=before.revision + 1)
    work.tell_first(draft, PurchaseBooked(booked))
    return booked


def _earns_by(draft: Draft, purchase: Purchase, program: Program) -> str:
    """Return the level by which the purchase earns: where the program says so, the one that it reaches itself."""
    tiers = program.tiers
    level = draft.account.standing.at(purchase.occurred_at, tiers.levels[0].code)
    if tiers.crossing is Crossing.NEW:
        level = tiers.levels[max(tiers.rank(level), _reaches(draft, purchase, program))].code
    return level


def _reaches(draft: Draft, purchase: Purchase, program: Program) -> int:
    """Return the rank that the account will have reached with this purchase, by all but the points it will earn."""
    before = draft.account
    _tally(draft, purchase, program, points=0)
    assert draft.account.as_of is not None  # noqa: S101 - narrows the type: `advance` set it
    reached = fitting(program.tiers, measured(draft, program.tiers, day_of(draft.account.as_of, draft.programs.zone)))
    draft.set_account(before)
    return reached


def _tally(draft: Draft, purchase: Purchase, program: Program, *, points: int) -> None:
    account, zone = draft.account, draft.programs.zone
    since = account.standing.counted_from
    counts = tallied(
        account.counts,
        program.tiers,
        day_of(purchase.occurred_at, zone),
        counted_from=day_of(since, zone) if since else None,
        spend_minor=purchase.paid_minor,
        points=points,
        visits=1,
    )
    draft.set_account(account.at(account.as_of, counts=counts, currency=purchase.currency))


def _count(draft: Draft, purchase: Purchase, program: Program, earned: Earned) -> None:
    """Count the purchase: towards levels, in caps, and as activity."""
    points = sums(earned.parts)[POINTS]
    _tally(draft, purchase, program, points=points)
    account, at = draft.account, purchase.occurred_at
    counts = used(account.counts, uses(earned), day_of(at, draft.programs.zone)) if earned.used else account.counts
    active = Activity.PURCHASE in program.expiry.active_by or (points and Activity.EARNING in program.expiry.active_by)
    counts = replace(
        counts,
        first_at=min(counts.first_at or at, at),
        last_at=max(counts.last_at or at, at),
        active_at=max(counts.active_at or at, at) if active else counts.active_at,
    )
    draft.set_account(account.at(account.as_of, counts=counts))


def _grant_all(draft: Draft, command: BookPurchase, purchase: Purchase, earned: Earned, level: str) -> None:
    """Grant what was earned, in each currency; its life is that of the highest level, before or after the purchase."""
    program = draft.programs.at(purchase.occurred_at)
    tiers = program.tiers
    rank = max(tiers.rank(level), tiers.rank(draft.account.standing.now("")))
    if any(one.extends for one in tiers.levels):
        assert draft.account.as_of is not None  # noqa: S101 - narrows the type: `advance` set it
        rank = max(rank, fitting(tiers, measured(draft, tiers, day_of(draft.account.as_of, draft.programs.zone))))
    for currency, amount in sums(earned.parts).items():
        lot = Lot(
            id=lot_id(command.purchase_id, currency),
            currency=currency,
            free=amount,
            granted_at=purchase.occurred_at,
            pending_until=program.release.pending_until(purchase.occurred_at, draft.programs.zone),
            source=command.purchase_id,
        )
        lot = on_terms(lot, program, draft.programs.zone, rank=rank)
        earned_by(draft, EntryKind.PURCHASE, lot, against=ISSUED, reference=command.purchase_id)


def on_terms(lot: Lot, program: Program, zone: str, *, rank: int) -> Lot:
    """Return the lot with the life that the program gives it, and the most that a level up to `rank` adds to that."""
    extends = max((one.extends for one in program.tiers.levels[: rank + 1]), key=lambda span: span.after(EPOCH))
    return replace(
        lot,
        expires_at=program.expiry.expires_at(
            lot.granted_at, activated_at=lot.pending_until or lot.granted_at, zone=zone, extends=extends
        ),
        idle=program.expiry.idle,
        policy_version=program.version,
    )


def earned_by(draft: Draft, kind: EntryKind, lot: Lot, *, against: str, reference: str, note: str = "") -> None:
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
    if purchase.holds:
        draft.active(purchase.occurred_at, Activity.REDEMPTION)
    unknown: list[str] = []
    for id_ in purchase.holds:
        try:
            hold = work.hold(draft, id_)
        except NoHoldError:
            unknown.append(id_)
            continue
        if hold.state is HoldState.MOVED:  # back to whom it belongs, since a merge was undone
            unknown.append(id_)
            continue
        redeemed.append(_redeem(work, draft, hold, purchase))
    return tuple(redeemed), tuple(unknown)


def _redeem(work: Work, draft: Draft, hold: Hold, purchase: Purchase) -> Redeemed:
    if hold.state is HoldState.CAPTURED and not hold.purchase:  # captured by its own call before
        work.draft(hold.account, follow=False).put_hold(replace(hold, purchase=purchase.key))
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
