"""Values of the ledger as protos, and back."""

from dataclasses import replace

from protos.common.v1.money_pb2 import Money
from protos.points.v1 import points_pb2 as pb
from services.kit.errors import Kind, Problem
from services.kit.timestamps import from_timestamp, to_timestamp
from services.points.domain.accounts import Account, Balances
from services.points.domain.batches import Recorded, Refunded
from services.points.domain.journal import Entry
from services.points.domain.purchases import Channel, Line, Purchase
from services.points.domain.receipts import BookedPurchase
from services.points.domain.refunds import BookedRefund, Refund, RefundLine, RefundState
from services.points.domain.rules import POINTS
from services.points.domain.tier_views import Progress, TierView
from services.points.domain.tiers import BenefitKind, Metric
from services.points.usecases.read_accounts import AccountView
from services.points.usecases.record_purchases import CARD_CODE, Identity, Receipt


class CursorError(Problem):
    """This cursor was not made by an earlier answer."""

    kind = Kind.INVALID
    code = "INVALID_CURSOR"


CHANNELS = {
    pb.SALE_CHANNEL_UNSPECIFIED: Channel.UNKNOWN,
    pb.SALE_CHANNEL_DINE_IN: Channel.DINE_IN,
    pb.SALE_CHANNEL_TAKEAWAY: Channel.TAKEAWAY,
    pb.SALE_CHANNEL_DELIVERY: Channel.DELIVERY,
    pb.SALE_CHANNEL_ONLINE: Channel.ONLINE,
    pb.SALE_CHANNEL_PARTNER: Channel.PARTNER,
}
CHANNEL_PROTOS = {channel: proto for proto, channel in CHANNELS.items()}
METRICS = {
    Metric.SPEND: pb.METRIC_SPEND,
    Metric.POINTS: pb.METRIC_POINTS,
    Metric.VISITS: pb.METRIC_VISITS,
    Metric.BALANCE: pb.METRIC_BALANCE,
}
BENEFITS = {
    BenefitKind.COUPON_PACK: pb.BENEFIT_KIND_COUPON_PACK,
    BenefitKind.BIRTHDAY_PACK: pb.BENEFIT_KIND_BIRTHDAY_PACK,
    BenefitKind.EARLY_TASTING: pb.BENEFIT_KIND_EARLY_TASTING,
    BenefitKind.ACCOUNT_MANAGER: pb.BENEFIT_KIND_ACCOUNT_MANAGER,
    BenefitKind.FREE_DELIVERY: pb.BENEFIT_KIND_FREE_DELIVERY,
    BenefitKind.PRIORITY_BOOKING: pb.BENEFIT_KIND_PRIORITY_BOOKING,
}
REFUND_STATES = {
    RefundState.BOOKED: pb.REFUND_STATE_BOOKED,
    RefundState.WAITING: pb.REFUND_STATE_WAITING,
    RefundState.REFUSED: pb.REFUND_STATE_REFUSED,
}


def identity_of(identity: pb.BuyerIdentity) -> Identity:
    """Return by what the guest is known."""
    return Identity(identity.kind, identity.value)


def receipt_of(purchase: pb.Purchase) -> Receipt:
    """Return a receipt as it came."""
    named = purchase.WhichOneof("buyer") == "identity"
    content = Purchase(
        store=purchase.store_id,
        receipt_number=purchase.receipt_number,
        member="" if named else purchase.member_id,
        occurred_at=from_timestamp(purchase.occurred_at),
        currency=purchase.currency,
        lines=tuple(
            Line(
                item_code=line.item_code,
                quantity=line.quantity,
                gross_minor=line.gross_minor,
                discount_minor=line.discount_minor,
                category=line.category,
                cost_minor=line.cost_minor,
            )
            for line in purchase.lines
        ),
        till=purchase.till_id,
        staff=purchase.staff_id,
        channel=CHANNELS.get(purchase.channel, Channel.UNKNOWN),
        payment_kind=purchase.payment.kind,
        party_size=purchase.party_size,
        tax_minor=purchase.tax_minor,
        tip_minor=purchase.tip_minor,
        partner=purchase.partner_id,
        coupons=tuple(purchase.coupon_ids),
        holds=tuple(purchase.hold_ids),
    )
    buyer = _buyer(purchase.identity, content) if named else content.member
    return Receipt(content, buyer, purchase.payment.payer_id)


def _buyer(identity: pb.BuyerIdentity, content: Purchase) -> Identity:
    """Return by what the guest is known; a card was scanned when and where the receipt was written."""
    known = identity_of(identity)
    return replace(known, at=content.occurred_at, store=content.store) if known.kind == CARD_CODE else known


def recorded(answer: Recorded, sent: pb.Purchase) -> pb.RecordPurchaseResponse:
    """Return the answer to the receipt that was `sent`."""
    if answer.repeated_call:
        return pb.RecordPurchaseResponse(booked=booked_purchase(answer.booked), repeated_call=True)
    shown = _as_sent(sent, answer.booked)
    shown.member_id = answer.booked.purchase.member
    if shown.payment.kind:
        shown.payment.ClearField("payer_id")
    else:
        shown.ClearField("payment")
    return pb.RecordPurchaseResponse(booked=booked_purchase(answer.booked, shown))


def simulated(answer: Recorded, sent: pb.Purchase) -> pb.SimulatePurchaseResponse:
    """Return what booking the receipt that was `sent` would answer; the buyer stays as it was sent."""
    shown = None if answer.repeated_call else _as_sent(sent, answer.booked)
    return pb.SimulatePurchaseResponse(booked=booked_purchase(answer.booked, shown), repeated_call=answer.repeated_call)


def _as_sent(sent: pb.Purchase, booked: BookedPurchase) -> pb.Purchase:
    """Return a copy of what was sent, which is what was booked: made much faster than it is put together again."""
    shown = pb.Purchase()
    shown.CopyFrom(sent)
    shown.partner_id = booked.purchase.partner  # which the caller's own key may have said
    return shown


def booked_purchase(booked: BookedPurchase, shown: pb.Purchase | None = None) -> pb.BookedPurchase:
    """Return a receipt in the ledger."""
    return pb.BookedPurchase(
        id=booked.id,
        purchase=shown or _purchase(booked.purchase),
        booked_at=to_timestamp(booked.booked_at),
        paid=Money(amount_minor=booked.purchase.paid_minor, currency=booked.purchase.currency),
        points=booked.points,
        breakdown=[
            pb.EarnedPart(
                rule=part.rule,
                program_version=part.program_version,
                points=part.points,
                currency=part.currency,
                base=part.base,
                factor_permille=part.factor_permille,
                cap=part.cap,
                uncapped_points=part.uncapped,
            )
            for part in booked.breakdown
        ],
        balance_points=booked.balance_points,
        level_before=booked.level_before,
        level_after=booked.level_after,
        redeemed=[
            pb.Redeemed(hold_id=one.hold, currency=one.currency, amount=one.amount, debt=one.debt)
            for one in booked.redeemed
        ],
        unknown_hold_ids=booked.unknown_holds,
    )


def _purchase(purchase: Purchase) -> pb.Purchase:
    return pb.Purchase(
        store_id=purchase.store,
        receipt_number=purchase.receipt_number,
        member_id=purchase.member,
        occurred_at=to_timestamp(purchase.occurred_at),
        currency=purchase.currency,
        lines=[
            pb.Line(
                item_code=line.item_code,
                quantity=line.quantity,
                gross_minor=line.gross_minor,
                discount_minor=line.discount_minor,
                category=line.category,
                cost_minor=line.cost_minor,
            )
            for line in purchase.lines
        ],
        till_id=purchase.till,
        staff_id=purchase.staff,
        channel=CHANNEL_PROTOS[purchase.channel],
        payment=pb.Payment(kind=purchase.payment_kind) if purchase.payment_kind else None,
        party_size=purchase.party_size,
        tax_minor=purchase.tax_minor,
        tip_minor=purchase.tip_minor,
        partner_id=purchase.partner,
        coupon_ids=purchase.coupons,
        hold_ids=purchase.holds,
    )


def refund_of(refund: pb.Refund) -> Refund:
    """Return a refund as it came."""
    return Refund(
        store=refund.store_id,
        number=refund.refund_number,
        receipt_number=refund.receipt_number,
        occurred_at=from_timestamp(refund.occurred_at),
        lines=tuple(
            RefundLine(
                line=line.line,
                quantity=line.quantity,
                amount_minor=line.amount_minor if line.HasField("amount_minor") else None,
            )
            for line in refund.lines
        ),
        receipt_store="" if refund.receipt_store_id == refund.store_id else refund.receipt_store_id,
        till=refund.till_id,
        staff=refund.staff_id,
        reason=refund.reason,
    )


def recorded_refund(answer: Refunded) -> pb.RecordedRefund:
    """Return the answer to a refund."""
    return pb.RecordedRefund(booked=booked_refund(answer.booked), repeated_call=answer.repeated_call)


def booked_refund(booked: BookedRefund) -> pb.BookedRefund:
    """Return a refund as it stands."""
    return pb.BookedRefund(
        id=booked.id,
        refund=_refund(booked.refund),
        booked_at=to_timestamp(booked.booked_at),
        state=REFUND_STATES[booked.state],
        member_id=booked.member,
        purchase_id=booked.purchase,
        refunded_minor=booked.refunded_minor,
        whole=booked.whole,
        taken=[
            pb.TakenBack(currency=one.currency, taken=one.taken, debt=one.debt, short=one.short) for one in booked.taken
        ],
        given=[pb.GivenBack(hold_id=one.hold, currency=one.currency, amount=one.amount) for one in booked.given],
        coupon_ids=booked.coupons,
        why=booked.why,
    )


def _refund(refund: Refund) -> pb.Refund:
    return pb.Refund(
        store_id=refund.store,
        refund_number=refund.number,
        receipt_number=refund.receipt_number,
        receipt_store_id=refund.receipt_store,
        occurred_at=to_timestamp(refund.occurred_at),
        lines=[
            pb.RefundLine(line=line.line, quantity=line.quantity, amount_minor=line.amount_minor)
            for line in refund.lines
        ],
        till_id=refund.till,
        staff_id=refund.staff,
        reason=refund.reason,
    )


def account(view: AccountView) -> pb.Account:
    """Return an account as it is shown."""
    found = view.account
    points = found.balance(POINTS)
    return pb.Account(
        member_id=found.id,
        available_points=points.available,
        lifetime_points=points.lifetime,
        version=found.version,
        tier=tier_words(view.tier),
        balances=balances(found),
        frozen=found.frozen,
        next_expiries=[
            pb.NextExpiry(currency=one.currency, amount=one.amount, expires_at=to_timestamp(one.expires_at))
            for one in view.next_expiries
        ],
    )


def balances(found: Account) -> list[pb.Balance]:
    """Return all balances of an account, points always."""
    return [balance(currency, found.balance(currency)) for currency in sorted({POINTS, *found.balances})]


def balance(currency: str, held: Balances) -> pb.Balance:
    """Return what an account has in one currency."""
    return pb.Balance(
        currency=currency,
        available=held.available,
        pending=held.pending,
        held=held.held,
        debt=held.debt,
        lifetime=held.lifetime,
    )


def tier_words(tier: TierView) -> pb.Tier:
    """Return where a member stands."""
    return pb.Tier(
        level=tier.level,
        since=to_timestamp(tier.since) if tier.since else None,
        qualifying_spend=Money(amount_minor=tier.spend_minor, currency=tier.currency) if tier.currency else None,
        next_level=tier.next_level,
        missing_minor=tier.missing_minor,
        until=to_timestamp(tier.until) if tier.until else None,
        given=tier.given,
        reaches=[_progress(one) for one in tier.reaches],
        reaches_any_of=tier.any_of,
        next_begins_at=to_timestamp(tier.begins_at) if tier.begins_at else None,
        keeps=[_progress(one) for one in tier.keeps],
        falls_to=tier.falls_to,
        earn_permille=tier.earn_permille,
        benefits=[pb.Benefit(kind=BENEFITS[one.kind], code=one.code) for one in tier.benefits],
    )


def _progress(one: Progress) -> pb.Progress:
    return pb.Progress(metric=METRICS[one.metric], has=one.has, at_least=one.at_least)


def entry(found: Entry) -> pb.Entry:
    """Return a journal entry, seen from its account."""
    posting = found.postings[0]
    return pb.Entry(
        id=found.id,
        kind=found.kind.value,
        occurred_at=to_timestamp(found.occurred_at),
        booked_at=to_timestamp(found.booked_at),
        points=posting.amount,
        balance_points=posting.balances.available,
        version=posting.version,
        reference=found.reference,
        currency=posting.currency,
        balance=balance(posting.currency, posting.balances),
        booked_by=found.booked_by,
    )
