"""Receipts in the graph: a purchase as it stands in the ledger, and what was refunded of it."""

from enum import Enum
from typing import Annotated

import strawberry

from protos.points.v1 import points_pb2 as pb
from protos.points.v1.points_pb2_grpc import PointsStub
from services.kit.graph import Caller, GraphContext, Info, Instant, Money, SafeInt, allow, field, instant, loader
from services.points.graph.accounts import Member, member_of
from services.points.graph.balances import PointsCurrency, currency_of
from services.points.graph.refunds import Refund, refund_of

RECEIPT_READERS = allow(Caller.MEMBER, Caller.STAFF, Caller.PARTNER, Caller.TILL, scope="purchases:read")
COST_READERS = allow(Caller.STAFF, scope="purchases:read")


ONE = 1_000
"""A factor of 1, in thousandths."""


@strawberry.enum(description="Over which channel something was bought.")
class SaleChannel(Enum):
    """Channels, named as in the proto."""

    DINE_IN = strawberry.enum_value("DINE_IN", description="Eaten in the store.")
    TAKEAWAY = strawberry.enum_value("TAKEAWAY", description="Taken away.")
    DELIVERY = strawberry.enum_value("DELIVERY", description="Brought to the guest.")
    ONLINE = strawberry.enum_value("ONLINE", description="In the chain's own app or shop.")
    PARTNER = strawberry.enum_value("PARTNER", description="Through another brand.")


@strawberry.type(description="A line of a receipt; amounts are in minor units of its currency.")
class PurchaseLine:
    """A line."""

    cost: strawberry.Private[int]
    item_code: str = strawberry.field(description="The chain's own code of the item.")
    category: str | None = strawberry.field(description="The chain's own code of the category; null: none was given.")
    quantity: int = strawberry.field(description="How many pieces.")
    gross_minor: SafeInt = strawberry.field(description="For the whole line, before discount.")
    discount_minor: SafeInt = strawberry.field(description="For the whole line.")

    @field(COST_READERS, description="What the line cost the chain; null: not known. For staff only.")
    def cost_minor(self) -> SafeInt | None:
        """Show it: 0 in the proto is not known."""
        return self.cost or None


@strawberry.type(description="What one rule added to a purchase's points.")
class EarnedPart:
    """A part of the breakdown."""

    rule: str = strawberry.field(description='Like "base" or "tier:silver".')
    program_version: SafeInt = strawberry.field(description="The version of the chain's program that was used.")
    currency: PointsCurrency = strawberry.field(description="What it added: points or stamps.")
    points: SafeInt = strawberry.field(description="How many of them.")
    base: SafeInt = strawberry.field(
        description="What the rule worked on: minor units for a rate, points for a factor, pieces or visits for others."
    )
    factor: float = strawberry.field(description="What it multiplied by; 1 for a rule that does not.")
    cap: str | None = strawberry.field(
        description='Which cap cut it: its rule ("*": all together), within what, and what it counts, like '
        '"double/day/points"; null: none did.'
    )
    uncapped_points: SafeInt | None = strawberry.field(description="What it would have been; null: nothing was cut.")


@strawberry.type(description="What a hold paid of a purchase.")
class Redeemed:
    """A captured hold."""

    hold_id: strawberry.ID = strawberry.field(description="Which hold.")
    currency: PointsCurrency = strawberry.field(description="What the amounts are counted in.")
    amount: SafeInt = strawberry.field(description="How much was spent.")
    debt: SafeInt = strawberry.field(
        description="Of the amount: what was no longer there, since the hold had run out, and is owed now."
    )


@strawberry.type(description="A receipt in the ledger.")
class Purchase:
    """A booked purchase."""

    id: strawberry.ID = strawberry.field(description="`pur_…`.")
    store_id: strawberry.ID = strawberry.field(description="Where it was paid.")
    receipt_number: str = strawberry.field(description="As printed.")
    member_id: strawberry.ID = strawberry.field(
        description="Who bought; `pay_…`: a payer who will be known as a member when members can be reached again."
    )
    member: Member | None = strawberry.field(description="Who bought, as of now; null for such a payer.")
    occurred_at: Instant = strawberry.field(description="When the guest paid.")
    booked_at: Instant = strawberry.field(description="When it was written to the ledger.")
    till_id: str | None = strawberry.field(description="The chain's own code of the till; null: not given.")
    staff_id: str | None = strawberry.field(description="The chain's own code of who served; null: not given.")
    channel: SaleChannel | None = strawberry.field(description="Over which channel; null: not given.")
    payment_kind: str | None = strawberry.field(
        description="How it was paid, in the chain's own word; null: not given."
    )
    party_size: int | None = strawberry.field(description="How many guests; null: not known.")
    lines: list[PurchaseLine] = strawberry.field(description="As on the receipt.")
    paid: Money = strawberry.field(description="For all lines, after discounts.")
    tax: Money = strawberry.field(description="Within what was paid.")
    tip: Money = strawberry.field(description="Beside what was paid; earns nothing.")
    points: SafeInt = strawberry.field(description="Points that this purchase granted.")
    breakdown: list[EarnedPart] = strawberry.field(
        description="How points and stamps came about; the parts in points sum to `points`."
    )
    balance_after: SafeInt = strawberry.field(description="Points that the member could spend after this purchase.")
    level_before: str = strawberry.field(description="The member's level before it.")
    level_after: str = strawberry.field(description="And after it: another one has just been reached.")
    coupon_ids: list[strawberry.ID] = strawberry.field(description="Coupons that were used.")
    hold_ids: list[strawberry.ID] = strawberry.field(description="Holds that it was paid with.")
    redeemed: list[Redeemed] = strawberry.field(description="What the holds paid.")
    unknown_hold_ids: list[strawberry.ID] = strawberry.field(
        description="Of `holdIds`: what the account does not have, so that nothing was taken for them."
    )


@strawberry.type(description="All that is known under a receipt's number.")
class Receipt:
    """A receipt."""

    purchase: Purchase = strawberry.field(description="What was bought.")
    refunds: list[Refund] = strawberry.field(description="What was taken back of it, in the order of booking.")


@loader(most=500)
async def receipts(context: GraphContext, keys: list[tuple[str, str]]) -> list[Receipt | None]:
    """Fetch receipts by store and number; None for those that are not there, or not for the caller."""
    points = context.channel("points")
    names = [pb.ReceiptName(store_id=store, receipt_number=number) for store, number in keys]
    answer = await points.ask(points.stub(PointsStub).GetReceipts, pb.GetReceiptsRequest(receipts=names))
    return [_receipt(one) if one.HasField("booked") else None for one in answer.receipts]


@strawberry.type
class ReceiptQuery:
    """What can be asked of receipts."""

    @field(RECEIPT_READERS, description="A receipt; null when there is none, or none that the caller may see.")
    async def receipt(
        self,
        info: Info,
        store_id: Annotated[strawberry.ID, strawberry.argument(description="Where it was paid.")],
        receipt_number: Annotated[str, strawberry.argument(description="As printed.")],
    ) -> Receipt | None:
        """Load one receipt."""
        return await receipts.load(info, (store_id, receipt_number))


def purchase_of(booked: pb.BookedPurchase) -> Purchase:
    """Make it of the proto."""
    purchase = booked.purchase
    channel = pb.SaleChannel.Name(purchase.channel).removeprefix("SALE_CHANNEL_")
    return Purchase(
        id=strawberry.ID(booked.id),
        store_id=strawberry.ID(purchase.store_id),
        receipt_number=purchase.receipt_number,
        member_id=strawberry.ID(purchase.member_id),
        member=member_of(purchase.member_id),
        occurred_at=instant(purchase.occurred_at),
        booked_at=instant(booked.booked_at),
        till_id=purchase.till_id or None,
        staff_id=purchase.staff_id or None,
        channel=SaleChannel[channel] if purchase.channel else None,
        payment_kind=purchase.payment.kind or None,
        party_size=purchase.party_size or None,
        lines=[_line(line) for line in purchase.lines],
        paid=Money.of(booked.paid),
        tax=Money(amount_minor=purchase.tax_minor, currency=purchase.currency),
        tip=Money(amount_minor=purchase.tip_minor, currency=purchase.currency),
        points=booked.points,
        breakdown=[_part(part) for part in booked.breakdown],
        balance_after=booked.balance_points,
        level_before=booked.level_before,
        level_after=booked.level_after,
        coupon_ids=[strawberry.ID(one) for one in purchase.coupon_ids],
        hold_ids=[strawberry.ID(one) for one in purchase.hold_ids],
        redeemed=[_redeemed(one) for one in booked.redeemed],
        unknown_hold_ids=[strawberry.ID(one) for one in booked.unknown_hold_ids],
    )


def _receipt(receipt: pb.Receipt) -> Receipt:
    return Receipt(purchase=purchase_of(receipt.booked), refunds=[refund_of(one) for one in receipt.refunds])


def _line(line: pb.Line) -> PurchaseLine:
    return PurchaseLine(
        cost=line.cost_minor,
        item_code=line.item_code,
        category=line.category or None,
        quantity=line.quantity,
        gross_minor=line.gross_minor,
        discount_minor=line.discount_minor,
    )


def _part(part: pb.EarnedPart) -> EarnedPart:
    return EarnedPart(
        rule=part.rule,
        program_version=part.program_version,
        currency=currency_of(part.currency),
        points=part.points,
        base=part.base,
        factor=(part.factor_permille or ONE) / ONE,
        cap=part.cap or None,
        uncapped_points=part.uncapped_points if part.cap else None,
    )


def _redeemed(redeemed: pb.Redeemed) -> Redeemed:
    return Redeemed(
        hold_id=strawberry.ID(redeemed.hold_id),
        currency=currency_of(redeemed.currency),
        amount=redeemed.amount,
        debt=redeemed.debt,
    )
