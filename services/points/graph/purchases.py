"""Purchases told to the graph."""

from enum import Enum
from typing import Annotated

import strawberry

from protos.points.v1 import points_pb2 as pb
from protos.points.v1.points_pb2_grpc import PointsStub
from services.kit.graph import INPUT, Caller, Info, Instant, SafeInt, UserError, allow, mutation, timestamp, user_error
from services.points.graph.accounts import Member
from services.points.graph.codes import code
from services.points.graph.receipts import Purchase, SaleChannel, purchase_of

RECORDERS = allow(Caller.STAFF, Caller.PARTNER, Caller.TILL, scope="purchases:write")

MANY_S = 60.0
"""For 5,000 receipts: the longest that a service answers at all."""


@strawberry.enum(description="What a guest is known by.")
class BuyerIdentityKind(Enum):
    """Kinds of identity."""

    PHONE = strawberry.enum_value("PHONE", description="A phone number.")
    EMAIL = strawberry.enum_value("EMAIL", description="An e-mail address.")
    EXTERNAL = strawberry.enum_value("EXTERNAL", description="The chain's own id of the member.")
    CARD_CODE = strawberry.enum_value("CARD_CODE", description="What was scanned of a member's card.")


@strawberry.input(description="By what the till knows the guest.")
class BuyerIdentityInput:
    """An identity."""

    kind: BuyerIdentityKind = strawberry.field(description="What it is.")
    value: str = strawberry.field(description="A phone number in E.164, an e-mail address, or the chain's own id.")


@strawberry.input(description="A line of a receipt.")
class LineInput:
    """A line."""

    item_code: str = strawberry.field(description="The chain's own code of the item.")
    quantity: int = strawberry.field(description="At least 1.")
    gross_minor: SafeInt = strawberry.field(description="For the whole line, before discount, in minor units.")
    discount_minor: SafeInt = strawberry.field(default=0, description="For the whole line; at most the gross amount.")
    category: str | None = strawberry.field(default=None, description="The chain's own code of the category.")
    cost_minor: SafeInt | None = strawberry.field(
        default=None, description="What the whole line cost the chain, in minor units; null: not known."
    )


@strawberry.input(description="How a receipt was paid.")
class PaymentInput:
    """A payment."""

    kind: str = strawberry.field(
        description='"wechat", "alipay", "card", "cash" …: the chain\'s own word, up to 128 characters.'
    )
    payer_id: str | None = strawberry.field(
        default=None,
        description="Who paid, as the payment provider names them (an openid, an Alipay id, a card's token). Without "
        "`memberId` and `identity` this is the buyer, and whoever is not known becomes a provisional member. Kept only "
        "as a keyed hash.",
    )


@strawberry.input(description="A receipt. Store and receipt number name it for ever.")
class RecordPurchaseInput:
    """A receipt."""

    store_id: strawberry.ID = strawberry.field(description="Where it was paid.")
    receipt_number: str = strawberry.field(
        description="As printed; unique for ever within the store. 1 to 64 characters."
    )
    occurred_at: Instant = strawberry.field(description="When the guest paid; at most 5 minutes ahead of the server.")
    currency: str = strawberry.field(description="ISO 4217; the store's.")
    lines: list[LineInput] = strawberry.field(description="1 to 500.")
    member_id: strawberry.ID | None = strawberry.field(
        default=None, description="Who bought; or give `identity`, or `payment.payerId`."
    )
    identity: BuyerIdentityInput | None = strawberry.field(
        default=None, description="By what the till knows the guest; goes before `memberId`."
    )
    till_id: str | None = strawberry.field(default=None, description="The chain's own code of the till.")
    staff_id: str | None = strawberry.field(default=None, description="The chain's own code of who served.")
    channel: SaleChannel | None = strawberry.field(default=None, description="Over which channel; null: not known.")
    payment: PaymentInput | None = strawberry.field(default=None, description="How it was paid; null: not known.")
    party_size: int | None = strawberry.field(default=None, description="How many guests; null: not known.")
    tax_minor: SafeInt = strawberry.field(default=0, description="Within what was paid, in minor units.")
    tip_minor: SafeInt = strawberry.field(default=0, description="Beside what was paid, in minor units; earns nothing.")
    coupon_ids: list[strawberry.ID] = strawberry.field(
        default_factory=list, description="Coupons that were used; up to 20."
    )
    partner_id: str | None = strawberry.field(
        default=None, description="The partner brand that sold it; null: the chain itself."
    )
    hold_ids: list[strawberry.ID] = strawberry.field(
        default_factory=list,
        description="Holds that it was paid with; they are captured in the same commit. Up to 20.",
    )


@strawberry.input(description="Many receipts.")
class RecordPurchasesInput:
    """Receipts."""

    purchases: list[RecordPurchaseInput] = strawberry.field(
        description="Up to 5,000. Those of one member are booked in the order given."
    )


@strawberry.enum(description="Why a purchase was not recorded.")
class RecordPurchaseErrorCode(Enum):
    """Codes of `RecordPurchaseError`."""

    INVALID = code("INVALID")
    NOT_FOUND = code("NOT_FOUND")
    CONFLICT = code("CONFLICT")
    REFUSED = code("REFUSED")
    DENIED = code("DENIED")
    INVALID_PURCHASE = code("INVALID_PURCHASE")
    RECEIPT_REUSED = code("RECEIPT_REUSED")
    STORE_NOT_FOUND = code("STORE_NOT_FOUND")
    MEMBER_NOT_FOUND = code("MEMBER_NOT_FOUND")
    TOO_MANY = code("TOO_MANY")


@strawberry.type(description="Why a purchase was not recorded.")
class RecordPurchaseError(UserError):
    """An item of `userErrors`."""

    code: RecordPurchaseErrorCode = strawberry.field(description="For programs.")


@strawberry.type(description="The purchase, or why it was not recorded.")
class RecordPurchasePayload:
    """The answer to one receipt."""

    user_errors: list[RecordPurchaseError] = strawberry.field(description="Empty: it is in the ledger.")
    purchase: Purchase | None = strawberry.field(default=None, description="Null when it was not recorded.")
    repeated_call: bool = strawberry.field(
        default=False, description="The receipt had been booked before, and this is the first answer."
    )
    member: Member | None = strawberry.field(
        default=None, description="The buyer, as after this purchase; null for a payer who is not known yet."
    )


@strawberry.type(description="Each receipt's own answer.")
class RecordPurchasesPayload:
    """The answer to many."""

    user_errors: list[RecordPurchaseError] = strawberry.field(description="What is wrong with the call as a whole.")
    results: list[RecordPurchasePayload] = strawberry.field(
        default_factory=list, description="In the order of the input; a bad receipt fails alone."
    )


@strawberry.type
class PurchaseMutation:
    """Recording purchases. The receipt's number is its key, so asking again is safe."""

    @mutation(RECORDERS, description="Books a receipt: points and tier follow in the same commit.")
    async def record_purchase(self, info: Info, wish: Annotated[RecordPurchaseInput, INPUT]) -> RecordPurchasePayload:
        """Book one receipt."""
        points = info.context.channel("points")
        request = pb.RecordPurchaseRequest(purchase=purchase_wish(wish))
        return _payload(await points.ask(points.stub(PointsStub).RecordPurchase, request))

    @mutation(RECORDERS, description="Books up to 5,000 receipts, each with its own answer. Safe to send again.")
    async def record_purchases(
        self, info: Info, wish: Annotated[RecordPurchasesInput, INPUT]
    ) -> RecordPurchasesPayload:
        """Book many receipts."""
        points = info.context.channel("points")
        request = pb.RecordPurchasesRequest(purchases=[purchase_wish(one) for one in wish.purchases])
        answer = await points.ask(points.stub(PointsStub).RecordPurchases, request, timeout_s=MANY_S)
        results = [
            RecordPurchasePayload(user_errors=[user_error(RecordPurchaseError, one.problem, at=f"purchases.{number}")])
            if one.WhichOneof("result") == "problem"
            else _payload(one.recorded)
            for number, one in enumerate(answer.results)
        ]
        return RecordPurchasesPayload(user_errors=[], results=results)


def identity_of(wish: BuyerIdentityInput) -> pb.BuyerIdentity:
    """Make the proto of it."""
    return pb.BuyerIdentity(kind=wish.kind.name.lower(), value=wish.value)


def purchase_wish(wish: RecordPurchaseInput) -> pb.Purchase:
    """Make the proto of it."""
    purchase = pb.Purchase(
        store_id=wish.store_id,
        receipt_number=wish.receipt_number,
        occurred_at=timestamp(wish.occurred_at),
        currency=wish.currency,
        lines=[_line_of(line) for line in wish.lines],
        till_id=wish.till_id or "",
        staff_id=wish.staff_id or "",
        party_size=wish.party_size or 0,
        tax_minor=wish.tax_minor,
        tip_minor=wish.tip_minor,
        coupon_ids=wish.coupon_ids,
        hold_ids=wish.hold_ids,
        partner_id=wish.partner_id or "",
    )
    if wish.identity is not None:
        purchase.identity.CopyFrom(identity_of(wish.identity))
    elif wish.member_id is not None:
        purchase.member_id = wish.member_id
    if wish.channel is not None:
        purchase.channel = pb.SaleChannel.Value(f"SALE_CHANNEL_{wish.channel.name}")
    if wish.payment is not None:
        purchase.payment.kind, purchase.payment.payer_id = wish.payment.kind, wish.payment.payer_id or ""
    return purchase


def _line_of(line: LineInput) -> pb.Line:
    return pb.Line(
        item_code=line.item_code,
        quantity=line.quantity,
        gross_minor=line.gross_minor,
        discount_minor=line.discount_minor,
        category=line.category or "",
        cost_minor=line.cost_minor or 0,
    )


def _payload(answer: pb.RecordPurchaseResponse) -> RecordPurchasePayload:
    purchase = purchase_of(answer.booked)
    return RecordPurchasePayload(
        user_errors=[], repeated_call=answer.repeated_call, member=purchase.member, purchase=purchase
    )
