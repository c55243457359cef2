"""Booking a refund: points are recomputed for what is kept, and the difference is taken back."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from services.points.domain.books import Work
from services.points.domain.calendar import day_of
from services.points.domain.carrying import give_back_to_lots
from services.points.domain.commands import BookRefund
from services.points.domain.drafts import Draft
from services.points.domain.due import advance, expire_returned, settle
from services.points.domain.earning import sums
from services.points.domain.facts import RefundBooked
from services.points.domain.journal import DEBT, ISSUED, REDEEMED, EntryKind, Leg
from services.points.domain.lots import Lot, lot_id, pending, spendable, take
from services.points.domain.programs import Program, RefundBasis, TakeBack
from services.points.domain.purchases import Line
from services.points.domain.rating import rate_again, uses
from services.points.domain.receipts import BookedPurchase, Receipt, Redeemed
from services.points.domain.refunds import (
    MAX_REFUNDS,
    BookedRefund,
    GivenBack,
    RefundExceedsError,
    RefundState,
    Returned,
    TakenBack,
    TooManyRefundsError,
    left_of,
    returned_by,
)
from services.points.domain.rules import POINTS
from services.points.domain.standings import Counts, tallied, used
from services.points.domain.tiering import review
from services.points.domain.ties import less_earned


def refund(work: Work, command: BookRefund) -> BookedRefund:
    """Book the refund, or keep it until its purchase comes. Only one that is known not to fit is refused."""
    wanted = command.refund
    receipt = work.receipt(wanted.purchase_key)
    arrived = BookedRefund(
        id=command.refund_id,
        refund=wanted,
        fingerprint=wanted.fingerprint(),
        booked_at=command.author.booked_at,
        booked_by=command.author.booked_by,
        state=RefundState.WAITING,
    )
    if len(receipt.refunds) + len(receipt.waiting) >= MAX_REFUNDS:
        raise TooManyRefundsError(field="receiptNumber", receipt_number=wanted.receipt_number, most=MAX_REFUNDS)
    if receipt.booked is None:
        _put(work, replace(receipt, waiting=(*receipt.waiting, arrived)), arrived)
        return arrived
    return _apply(work, arrived, receipt)


def apply_waiting(work: Work, booked: BookedPurchase) -> None:
    """Book the refunds that came before their purchase, in the order in which they were made."""
    waiting = work.receipt(booked.purchase.key).waiting
    for arrived in sorted(waiting, key=lambda one: (one.refund.occurred_at, one.refund.key)):
        receipt = work.receipt(booked.purchase.key)
        receipt = replace(receipt, waiting=tuple(one for one in receipt.waiting if one.id != arrived.id))
        try:
            _apply(work, arrived, receipt)
        except RefundExceedsError as error:
            # The guest has the money already: it is recorded, and somebody is told.
            refused = replace(
                arrived,
                state=RefundState.REFUSED,
                member=booked.purchase.member,
                purchase=booked.id,
                why=error.message,
            )
            _put(work, receipt, refused)
            work.tell(work.draft(booked.purchase.member), RefundBooked(refused, booked))


def _apply(work: Work, arrived: BookedRefund, receipt: Receipt) -> BookedRefund:
    booked = receipt.booked
    assert booked is not None  # noqa: S101 - narrows the type: both callers looked
    left = receipt.left
    returned = returned_by(arrived.refund, left)
    kept = left_of(left, returned)
    whole = not any(line.quantity or line.paid_minor for line in kept)
    draft = work.draft(booked.purchase.member)
    advance(draft, arrived.refund.occurred_at)
    work.tell_happened(draft)
    since = len(draft.entries)
    given = _give_back_redeemed(work, draft, booked, arrived) if whole and not receipt.gave_back else ()
    program, zone = work.programs.version(booked.program_version), work.programs.zone
    stands = rate_again(booked, kept, program, zone)
    goes = sums(rate_again(booked, _part(left, returned), program, zone).parts)
    taken = [
        _take_back(draft, booked, arrived, program.take_back, currency=currency, due=due)
        for currency in sums(booked.breakdown)
        for due in [_due(work, receipt, program, currency, keeps=sums(stands.parts), goes=goes)]
    ]
    if len(draft.entries) == since:
        _post_nothing(draft, arrived)
    done = replace(
        arrived,
        state=RefundState.BOOKED,
        member=draft.account.id,
        purchase=booked.id,
        returned=returned,
        whole=whole,
        taken=tuple(one for one in taken if one.taken or one.debt or one.short),
        given=given,
        coupons=booked.purchase.coupons if whole and not receipt.gave_back else (),
    )
    before = rate_again(booked, left, program, zone)
    more = _difference(uses(stands), uses(before))
    for merged in work.path(booked.purchase.member):
        _uncount_brought(merged, booked, done, program, more=more)
    _uncount(draft, booked, done, program, more=more)
    assert draft.account.as_of is not None  # noqa: S101 - narrows the type: `advance` set it
    review(draft, work.programs.at(draft.account.as_of), draft.account.as_of, repairs=True)
    settle(draft, draft.account.as_of)
    _put(work, replace(receipt, refunds=(*receipt.refunds, done)), done)
    work.tell_first(draft, RefundBooked(done, booked))
    return done


def _part(left: Sequence[Line], returned: Sequence[Returned]) -> list[Line]:
    """Return the part of the lines that went back, as lines."""
    return [
        replace(left[one.line - 1], quantity=one.quantity, gross_minor=one.amount_minor, discount_minor=0)
        for one in returned
    ]


def _difference(one: dict[tuple[str, str], int], other: dict[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    return {name: one.get(name, 0) - other.get(name, 0) for name in one.keys() | other.keys()}


def _uncount(
    draft: Draft, booked: BookedPurchase, done: BookedRefund, program: Program, *, more: dict[tuple[str, str], int]
) -> None:
    """Count the purchase as less, in the day or month in which it was made."""
    counts = _less(draft.account.counts, draft, booked, done, program, more=more)
    draft.set_account(replace(draft.account, counts=counts))


def _uncount_brought(
    draft: Draft, booked: BookedPurchase, done: BookedRefund, program: Program, *, more: dict[tuple[str, str], int]
) -> None:
    """Count it as less, too, of what an account has brought into the one that it went into."""
    ties = draft.account.ties
    if (brought := ties.brought) is None:
        return
    counts = _less(brought.counts, draft, booked, done, program, more=more)
    for one in done.taken:
        brought = less_earned(brought, one.currency, one.taken + one.debt, counts)
    ties = replace(ties, brought=replace(brought, counts=counts))
    draft.set_account(replace(draft.account, ties=ties))


def _less(
    counts: Counts,
    draft: Draft,
    booked: BookedPurchase,
    done: BookedRefund,
    program: Program,
    *,
    more: dict[tuple[str, str], int],
) -> Counts:
    account, zone = draft.account, draft.programs.zone
    day, since = day_of(booked.purchase.occurred_at, zone), account.standing.counted_from
    counts = tallied(
        counts,
        program.tiers,
        day,
        counted_from=day_of(since, zone) if since else None,
        spend_minor=-done.refunded_minor,
        points=-sum(one.taken + one.debt for one in done.taken if one.currency == POINTS),
        visits=-1 if done.whole else 0,
    )
    newest = max(day, day_of(account.as_of, zone)) if account.as_of else day
    return used(counts, more, newest)


def _put(work: Work, receipt: Receipt, arrived: BookedRefund) -> None:
    chain, wanted = work.command.chain, arrived.refund
    work.receipts[chain, wanted.purchase_key] = replace(receipt, revision=receipt.revision + 1)
    work.refunds[chain, wanted.key] = arrived


def _post_nothing(draft: Draft, arrived: BookedRefund) -> None:
    """Note a refund that moves no points in the journal too: it moved the spend."""
    draft.post(EntryKind.REFUND, currency="points", occurred_at=arrived.refund.occurred_at, reference=arrived.id)


def _due(
    work: Work,
    receipt: Receipt,
    program: Program,
    currency: str,
    *,
    keeps: dict[str, int],
    goes: dict[str, int],
) -> int:
    """Return what is to be taken back: never more than was given and is not back yet.

    What has lapsed unused was of no use to the member, and is gone already.
    """
    booked = receipt.booked
    assert booked is not None  # noqa: S101 - narrows the type: both callers looked
    own = lot_id(booked.id, currency)
    # Where it was merged, the lot may have lapsed in each account that it has been in.
    lapsed = sum(lot.lapsed for home in work.homes(booked.purchase.member) for lot in work.lots(home, [own]).values())
    left = sums(booked.breakdown)[currency] - lapsed - receipt.taken_back(currency)
    if program.refund_basis is RefundBasis.RETURNED:
        return max(0, min(left, goes.get(currency, 0)))
    return max(0, left - keeps.get(currency, 0))


def _take_back(
    draft: Draft, booked: BookedPurchase, arrived: BookedRefund, policy: TakeBack, *, currency: str, due: int
) -> TakenBack:
    """Take back what is due as far as the policy goes."""
    if due == 0:
        return TakenBack(currency, 0, 0, 0)
    parts = take(_in_order(draft, booked, currency, policy), due)
    taken = sum(part for _, part in parts)
    debt = due - taken if policy is TakeBack.DEBT else 0
    if taken or debt:
        legs = [Leg(ISSUED, taken + debt)] + ([Leg(DEBT, -debt)] if debt else [])
        draft.post(
            EntryKind.REFUND,
            currency=currency,
            occurred_at=arrived.refund.occurred_at,
            reference=arrived.id,
            legs=legs,
            lots=draft.move(parts, free=-1),
            lifetime=-(taken + debt),
        )
    return TakenBack(currency, taken, debt, due - taken - debt)


def _in_order(draft: Draft, booked: BookedPurchase, currency: str, policy: TakeBack) -> Sequence[Lot]:
    """Return the lots to take from: the purchase's own first, then what is pending, then what can be spent."""
    lots = draft.lots
    own = [lot for lot in (lots.get(lot_id(booked.id, currency)),) if lot is not None and lot.free]
    if policy is TakeBack.KEEP_AVAILABLE:
        return [lot for lot in own if lot.pending_until is not None]
    others = [lot for lot in lots.values() if lot not in own]
    rest = pending(others, currency)
    if policy is not TakeBack.PENDING_ONLY:
        rest += spendable(others, currency)
    return own + rest


def _give_back_redeemed(
    work: Work, draft: Draft, booked: BookedPurchase, arrived: BookedRefund
) -> tuple[GivenBack, ...]:
    return tuple(
        _reverse(work, draft, redeemed, arrived, payer=booked.purchase.member)
        for redeemed in booked.redeemed
        if redeemed.amount
    )


def _reverse(work: Work, draft: Draft, redeemed: Redeemed, arrived: BookedRefund, *, payer: str) -> GivenBack:
    """Give lots back what was consumed of them; a debt that this redemption made is forgiven, or, where it has been
    paid off meanwhile, given back as a lot of its own."""
    moment = arrived.refund.occurred_at
    forgiven = min(redeemed.debt, draft.account.balance(redeemed.currency).debt)
    paid = redeemed.debt - forgiven
    back = give_back_to_lots(work, draft, redeemed.currency, redeemed.parts, holder=payer, at=moment)
    draft.post(
        EntryKind.REVERSAL,
        currency=redeemed.currency,
        occurred_at=moment,
        reference=arrived.id,
        legs=[Leg(REDEEMED, -redeemed.amount)] + ([Leg(DEBT, forgiven)] if forgiven else []),
        lots=back.changes,
        grants=[*back.grants, *([_returned_lot(redeemed, arrived, paid, moment)] if paid else [])],
    )
    expire_returned(draft, redeemed.parts, moment)
    return GivenBack(redeemed.hold, redeemed.currency, redeemed.amount)


def _returned_lot(redeemed: Redeemed, arrived: BookedRefund, amount: int, moment: datetime) -> Lot:
    return Lot(
        id=f"{arrived.id}/{redeemed.hold}",
        currency=redeemed.currency,
        free=amount,
        granted_at=moment,
        source=arrived.id,
    )
