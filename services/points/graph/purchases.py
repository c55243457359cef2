"""Purchases in the graph."""

from enum import Enum
from typing import Annotated

import strawberry

from protos.points.v1 import points_pb2 as pb
from protos.points.v1.points_pb2_grpc import PointsStub
from services.kit.graph import (
    INPUT,
    Caller,
    Info,
    Instant,
    Money,
    SafeInt,
    UserError,
    allow,
    instant,
    mutation,
    timestamp,
    user_error,
)
from services.points.graph.accounts import Member

RECORDERS = allow(Caller.STAFF, Caller.PARTNER, Caller.TILL, scope="purchases:write")


@strawberry.enum(description="What a guest is known by.")
class BuyerIdentityKind(Enum):
    """Kinds of identity."""

    PHONE = strawberry.enum_value("PHONE", description="A phone number.")
    EMAIL = strawberry.enum_value("EMAIL", description="An e-mail address.")
    EXTERNAL = strawberry.enum_value("EXTERNAL", description="The chain's own id of the member.")


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


@strawberry.input(description="A receipt. Store and receipt number name it for ever.")
class RecordPurchaseInput:
    """A receipt."""

    store_id: strawberry.ID = strawberry.field(description="Where it was paid.")
    receipt_number: str = strawberry.field(description="As printed; unique for ever within the store.")
    occurred_at: Instant = strawberry.field(description="When the guest paid; at most 5 minutes ahead of the server.")
    currency: str = strawberry.field(description="ISO 4217; the store's.")
    lines: list[LineInput] = strawberry.field(description="1 to 500.")
    member_id: strawberry.ID | None = strawberry.field(default=None, description="Who bought; or give `identity`.")
    identity: BuyerIdentityInput | None = strawberry.field(
        default=None, description="By what the till knows the guest."
    )


@strawberry.input(description="Many receipts.")
class RecordPurchasesInput:
    """Receipts."""

    purchases: list[RecordPurchaseInput] = strawberry.field(
        description="Up to 500. Those of one member are booked in the order given."
    )


@strawberry.type(description="What one rule added to a purchase's points.")
class EarnedPart:
    """A part of the breakdown."""

    rule: str = strawberry.field(description='Like "base" or "tier:silver".')
    program_version: SafeInt = strawberry.field(description="The version of the chain's program that was used.")
    points: SafeInt = strawberry.field(description="What it added.")


@strawberry.type(description="A receipt in the ledger.")
class Purchase:
    """A booked purchase."""

    id: strawberry.ID = strawberry.field(description="`pur_…`.")
    store_id: strawberry.ID = strawberry.field(description="Where it was paid.")
    receipt_number: str = strawberry.field(description="As printed.")
    member_id: strawberry.ID = strawberry.field(description="Who bought.")
    occurred_at: Instant = strawberry.field(description="When the guest paid.")
    booked_at: Instant = strawberry.field(description="When it was written to the ledger.")
    paid: Money = strawberry.field(description="For all lines, after discounts.")
    points: SafeInt = strawberry.field(description="Granted by this purchase.")
    breakdown: list[EarnedPart] = strawberry.field(description="How the points came about; sums to `points`.")
    balance_after: SafeInt = strawberry.field(description="The member's balance after this purchase.")
    level_before: str = strawberry.field(description="The member's level before it.")
    level_after: str = strawberry.field(description="And after it: another one has just been reached.")


@strawberry.enum(description="Why a purchase was not recorded.")
class RecordPurchaseErrorCode(Enum):
    """Codes of `RecordPurchaseError`."""

    INVALID = strawberry.enum_value("INVALID", description="The input is wrong by itself.")
    NOT_FOUND = strawberry.enum_value("NOT_FOUND", description="What is named does not exist in this chain.")
    CONFLICT = strawberry.enum_value("CONFLICT", description="It is in use with other content.")
    REFUSED = strawberry.enum_value("REFUSED", description="The state does not allow it.")
    DENIED = strawberry.enum_value("DENIED", description="The key is for another store.")
    INVALID_PURCHASE = strawberry.enum_value("INVALID_PURCHASE", description="No receipt can be like that.")
    RECEIPT_REUSED = strawberry.enum_value("RECEIPT_REUSED", description="The number was booked with other content.")
    STORE_NOT_FOUND = strawberry.enum_value("STORE_NOT_FOUND", description="There is no such store.")
    MEMBER_NOT_FOUND = strawberry.enum_value("MEMBER_NOT_FOUND", description="There is no such member.")
    TOO_MANY = strawberry.enum_value("TOO_MANY", description="More than one call may carry.")


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
    member: Member | None = strawberry.field(default=None, description="The buyer, as after this purchase.")


@strawberry.type(description="Each receipt's own answer.")
class RecordPurchasesPayload:
    """The answer to many."""

    user_errors: list[RecordPurchaseError] = strawberry.field(description="What is wrong with the call as a whole.")
    results: list[RecordPurchasePayload] = strawberry.field(
        default_factory=list, description="In the order of the input; a bad receipt fails alone."
    )


@strawberry.type
class Mutation:
    """What can be told to points."""

    @mutation(RECORDERS, description="Books a receipt: points and tier follow in the same commit.")
    async def record_purchase(self, info: Info, wish: Annotated[RecordPurchaseInput, INPUT]) -> RecordPurchasePayload:
        """Book one receipt."""
        points = info.context.channel("points")
        request = pb.RecordPurchaseRequest(purchase=_purchase_of(wish))
        # The receipt's number is its key, so asking again is safe.
        return _payload(await points.ask(points.stub(PointsStub).RecordPurchase, request))

    @mutation(RECORDERS, description="Books up to 500 receipts, each with its own answer. Safe to send again.")
    async def record_purchases(
        self, info: Info, wish: Annotated[RecordPurchasesInput, INPUT]
    ) -> RecordPurchasesPayload:
        """Book many receipts."""
        points = info.context.channel("points")
        request = pb.RecordPurchasesRequest(purchases=[_purchase_of(one) for one in wish.purchases])
        answer = await points.ask(points.stub(PointsStub).RecordPurchases, request, timeout_s=20.0)
        results = [
            RecordPurchasePayload(user_errors=[user_error(RecordPurchaseError, one.problem, at=f"purchases.{number}")])
            if one.WhichOneof("result") == "problem"
            else _payload(one.recorded)
            for number, one in enumerate(answer.results)
        ]
        return RecordPurchasesPayload(user_errors=[], results=results)


def _purchase_of(wish: RecordPurchaseInput) -> pb.Purchase:
    purchase = pb.Purchase(
        store_id=wish.store_id,
        receipt_number=wish.receipt_number,
        occurred_at=timestamp(wish.occurred_at),
        currency=wish.currency,
        lines=[
            pb.Line(
                item_code=line.item_code,
                quantity=line.quantity,
                gross_minor=line.gross_minor,
                discount_minor=line.discount_minor,
            )
            for line in wish.lines
        ],
    )
    if wish.identity is None:
        purchase.member_id = wish.member_id or ""
    else:
        purchase.identity.kind, purchase.identity.value = wish.identity.kind.name.lower(), wish.identity.value
    return purchase


def _payload(answer: pb.RecordPurchaseResponse) -> RecordPurchasePayload:
    booked, purchase = answer.booked, answer.booked.purchase
    return RecordPurchasePayload(
        user_errors=[],
        repeated_call=answer.repeated_call,
        member=Member(id=strawberry.ID(purchase.member_id)),
        purchase=Purchase(
            id=strawberry.ID(booked.id),
            store_id=strawberry.ID(purchase.store_id),
            receipt_number=purchase.receipt_number,
            member_id=strawberry.ID(purchase.member_id),
            occurred_at=instant(purchase.occurred_at),
            booked_at=instant(booked.booked_at),
            paid=Money.of(booked.paid),
            points=booked.points,
            breakdown=[
                EarnedPart(rule=part.rule, program_version=part.program_version, points=part.points)
                for part in booked.breakdown
            ],
            balance_after=booked.balance_points,
            level_before=booked.level_before,
            level_after=booked.level_after,
        ),
    )
