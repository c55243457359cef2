"""Refunds in the graph."""

from enum import Enum
from typing import Annotated

import strawberry

from protos.points.v1 import points_pb2 as pb
from protos.points.v1.points_pb2_grpc import PointsStub
from services.kit.graph import (
    INPUT,
    After,
    Caller,
    Connection,
    First,
    Info,
    Instant,
    Page,
    SafeInt,
    UserError,
    allow,
    field,
    instant,
    mutation,
    timestamp,
    user_error,
)
from services.points.graph.accounts import Member, member_of
from services.points.graph.balances import PointsCurrency, currency_of
from services.points.graph.codes import code

REFUNDERS = allow(Caller.STAFF, Caller.PARTNER, Caller.TILL, scope="purchases:write")
WAITING_READERS = allow(Caller.STAFF, Caller.PARTNER, scope="purchases:read")

MANY_S = 20.0
"""For 500 refunds."""


@strawberry.input(description="What is taken back of one line of a receipt.")
class RefundLineInput:
    """A line."""

    line: int = strawberry.field(description="The receipt's line, counted from 1.")
    quantity: int = strawberry.field(default=0, description="Pieces taken back; 0: money only.")
    amount_minor: SafeInt | None = strawberry.field(
        default=None,
        description="Money given back, in minor units; null: the pieces' share of what the line still has.",
    )


@strawberry.input(description="A refund. Store and refund number name it for ever.")
class RecordRefundInput:
    """A refund."""

    store_id: strawberry.ID = strawberry.field(description="Where the guest got the money back.")
    refund_number: str = strawberry.field(
        description="As printed; unique for ever within the store. 1 to 64 characters."
    )
    receipt_number: str = strawberry.field(description="The receipt that it takes back.")
    occurred_at: Instant = strawberry.field(description="When the guest got the money back.")
    receipt_store_id: strawberry.ID | None = strawberry.field(
        default=None, description="Where that receipt is from; null: the same store."
    )
    lines: list[RefundLineInput] = strawberry.field(
        default_factory=list, description="None: everything that is left of the receipt."
    )
    till_id: str | None = strawberry.field(default=None, description="The chain's own code of the till.")
    staff_id: str | None = strawberry.field(default=None, description="The chain's own code of who did it.")
    reason: str | None = strawberry.field(default=None, description="A code of the chain's own; not free text.")


@strawberry.input(description="Many refunds.")
class RecordRefundsInput:
    """Refunds."""

    refunds: list[RecordRefundInput] = strawberry.field(description="Up to 500.")


@strawberry.enum(description="Where a refund stands.")
class RefundState(Enum):
    """States, named as in the proto."""

    BOOKED = strawberry.enum_value("BOOKED", description="It is in the ledger.")
    WAITING = strawberry.enum_value("WAITING", description="Its receipt has not come yet.")
    REFUSED = strawberry.enum_value("REFUSED", description="Its receipt came later and had no room for it: see `why`.")


@strawberry.type(description="What a refund takes back of one line of a receipt.")
class RefundLine:
    """A line."""

    line: int = strawberry.field(description="The receipt's line, counted from 1.")
    quantity: int = strawberry.field(description="Pieces taken back; 0: money only.")
    amount_minor: SafeInt | None = strawberry.field(
        description="Money given back, in minor units; null: the pieces' share of what the line had left."
    )


@strawberry.type(description="What a refund took back of what its purchase had granted.")
class TakenBack:
    """Taken, in one currency."""

    currency: PointsCurrency = strawberry.field(description="What the amounts are counted in.")
    taken: SafeInt = strawberry.field(description="Taken from the account.")
    debt: SafeInt = strawberry.field(description="Owed now; what is earned next pays it off.")
    short: SafeInt = strawberry.field(description="Left to the member, by the program's policy.")


@strawberry.type(description="What a refund gave back of what its purchase had redeemed.")
class GivenBack:
    """Given back, of one hold."""

    hold_id: strawberry.ID = strawberry.field(description="Which hold had paid.")
    currency: PointsCurrency = strawberry.field(description="What the amount is counted in.")
    amount: SafeInt = strawberry.field(description="How much came back.")


@strawberry.type(description="A refund, and what came of it.")
class Refund:
    """A refund that was received."""

    id: strawberry.ID = strawberry.field(description="`ref_…`.")
    store_id: strawberry.ID = strawberry.field(description="Where the guest got the money back.")
    refund_number: str = strawberry.field(description="As printed.")
    receipt_store_id: strawberry.ID = strawberry.field(description="Where the receipt is from.")
    receipt_number: str = strawberry.field(description="The receipt that it takes back.")
    occurred_at: Instant = strawberry.field(description="When the guest got the money back.")
    booked_at: Instant = strawberry.field(description="When it was written, booked or waiting.")
    state: RefundState = strawberry.field(description="Where it stands.")
    why: str | None = strawberry.field(description="Why it was refused; null when it was not.")
    lines: list[RefundLine] = strawberry.field(description="As asked for; empty: everything that was left.")
    till_id: str | None = strawberry.field(description="The chain's own code of the till; null: not given.")
    staff_id: str | None = strawberry.field(description="The chain's own code of who did it; null: not given.")
    reason: str | None = strawberry.field(description="A code of the chain's own; null: not given.")
    member_id: strawberry.ID | None = strawberry.field(description="Who had bought; null while it waits.")
    member: Member | None = strawberry.field(description="The same, as of now.")
    purchase_id: strawberry.ID | None = strawberry.field(description="`pur_…`; null while it waits.")
    refunded_minor: SafeInt = strawberry.field(
        description="What the guest got back, in minor units of the receipt's currency; 0 while it waits."
    )
    whole: bool = strawberry.field(description="Nothing of the receipt is left.")
    taken: list[TakenBack] = strawberry.field(description="What it took back, in each currency.")
    given: list[GivenBack] = strawberry.field(description="What came back of what had been redeemed.")
    coupon_ids: list[strawberry.ID] = strawberry.field(description="Coupons of the receipt that came back.")


@strawberry.enum(description="Why a refund was not recorded.")
class RecordRefundErrorCode(Enum):
    """Codes of `RecordRefundError`."""

    INVALID = code("INVALID")
    NOT_FOUND = code("NOT_FOUND")
    CONFLICT = code("CONFLICT")
    REFUSED = code("REFUSED")
    DENIED = code("DENIED")
    INVALID_REFUND = code("INVALID_REFUND")
    REFUND_REUSED = code("REFUND_REUSED")
    REFUND_EXCEEDS = code("REFUND_EXCEEDS")
    TOO_MANY_REFUNDS = code("TOO_MANY_REFUNDS")
    STORE_NOT_FOUND = code("STORE_NOT_FOUND")
    TOO_MANY = code("TOO_MANY")


@strawberry.type(description="Why a refund was not recorded.")
class RecordRefundError(UserError):
    """An item of `userErrors`."""

    code: RecordRefundErrorCode = strawberry.field(description="For programs.")


@strawberry.type(description="The refund, or why it was not recorded.")
class RecordRefundPayload:
    """The answer to one refund."""

    user_errors: list[RecordRefundError] = strawberry.field(description="Empty: it was received.")
    refund: Refund | None = strawberry.field(default=None, description="Null when it was not recorded.")
    repeated_call: bool = strawberry.field(
        default=False, description="It had been received before, and `refund` is how it stands now."
    )


@strawberry.type(description="Each refund's own answer.")
class RecordRefundsPayload:
    """The answer to many."""

    user_errors: list[RecordRefundError] = strawberry.field(description="What is wrong with the call as a whole.")
    results: list[RecordRefundPayload] = strawberry.field(
        default_factory=list, description="In the order of the input; a bad refund fails alone."
    )


@strawberry.type
class RefundQuery:
    """What can be asked of refunds."""

    @field(WAITING_READERS, description="Refunds whose receipt has not come, the oldest first.")
    async def waiting_refunds(
        self,
        info: Info,
        received_before: Annotated[
            Instant | None, strawberry.argument(description="Only those received before this moment; null: all.")
        ] = None,
        first: First = 20,
        after: After = None,
    ) -> Connection[Refund]:
        """Ask for a page of them."""
        page = Page.checked(first=first, after=after)
        points = info.context.channel("points")
        before = None if received_before is None else timestamp(received_before)
        request = pb.ListWaitingRefundsRequest(received_before=before, page=page.to_proto())
        answer = await points.ask(points.stub(PointsStub).ListWaitingRefunds, request)
        return Connection.of([refund_of(one) for one in answer.refunds], page, end_cursor=answer.end_cursor)


@strawberry.type
class RefundMutation:
    """Recording refunds. The refund's number is its key, so asking again is safe."""

    @mutation(REFUNDERS, description="Takes back a receipt, whole or by line; waits when the receipt has not come yet.")
    async def record_refund(self, info: Info, wish: Annotated[RecordRefundInput, INPUT]) -> RecordRefundPayload:
        """Record one refund."""
        [result] = await _recorded(info, [wish])
        return _payload(result, at="")

    @mutation(REFUNDERS, description="Takes back up to 500 receipts, each with its own answer. Safe to send again.")
    async def record_refunds(self, info: Info, wish: Annotated[RecordRefundsInput, INPUT]) -> RecordRefundsPayload:
        """Record many refunds."""
        answers = await _recorded(info, wish.refunds)
        results = [_payload(answer, at=f"refunds.{number}") for number, answer in enumerate(answers)]
        return RecordRefundsPayload(user_errors=[], results=results)


def refund_of(booked: pb.BookedRefund) -> Refund:
    """Make it of the proto."""
    refund = booked.refund
    return Refund(
        id=strawberry.ID(booked.id),
        store_id=strawberry.ID(refund.store_id),
        refund_number=refund.refund_number,
        receipt_store_id=strawberry.ID(refund.receipt_store_id or refund.store_id),
        receipt_number=refund.receipt_number,
        occurred_at=instant(refund.occurred_at),
        booked_at=instant(booked.booked_at),
        state=RefundState[pb.RefundState.Name(booked.state).removeprefix("REFUND_STATE_")],
        why=booked.why or None,
        lines=[_line(line) for line in refund.lines],
        till_id=refund.till_id or None,
        staff_id=refund.staff_id or None,
        reason=refund.reason or None,
        member_id=strawberry.ID(booked.member_id) if booked.member_id else None,
        member=member_of(booked.member_id),
        purchase_id=strawberry.ID(booked.purchase_id) if booked.purchase_id else None,
        refunded_minor=booked.refunded_minor,
        whole=booked.whole,
        taken=[_taken(one) for one in booked.taken],
        given=[_given(one) for one in booked.given],
        coupon_ids=[strawberry.ID(one) for one in booked.coupon_ids],
    )


async def _recorded(info: Info, wishes: list[RecordRefundInput]) -> list[pb.RefundResult]:
    points = info.context.channel("points")
    request = pb.RecordRefundsRequest(refunds=[_refund_of(wish) for wish in wishes])
    answer = await points.ask(points.stub(PointsStub).RecordRefunds, request, timeout_s=MANY_S)
    return list(answer.results)


def _payload(result: pb.RefundResult, *, at: str) -> RecordRefundPayload:
    if result.WhichOneof("result") == "problem":
        return RecordRefundPayload(user_errors=[user_error(RecordRefundError, result.problem, at=at)])
    recorded = result.recorded
    return RecordRefundPayload(user_errors=[], refund=refund_of(recorded.booked), repeated_call=recorded.repeated_call)


def _refund_of(wish: RecordRefundInput) -> pb.Refund:
    lines = [
        pb.RefundLine(line=line.line, quantity=line.quantity, amount_minor=line.amount_minor) for line in wish.lines
    ]
    return pb.Refund(
        store_id=wish.store_id,
        refund_number=wish.refund_number,
        receipt_number=wish.receipt_number,
        receipt_store_id=wish.receipt_store_id or "",
        occurred_at=timestamp(wish.occurred_at),
        lines=lines,
        till_id=wish.till_id or "",
        staff_id=wish.staff_id or "",
        reason=wish.reason or "",
    )


def _line(line: pb.RefundLine) -> RefundLine:
    amount_minor = line.amount_minor if line.HasField("amount_minor") else None
    return RefundLine(line=line.line, quantity=line.quantity, amount_minor=amount_minor)


def _taken(taken: pb.TakenBack) -> TakenBack:
    return TakenBack(currency=currency_of(taken.currency), taken=taken.taken, debt=taken.debt, short=taken.short)


def _given(given: pb.GivenBack) -> GivenBack:
    return GivenBack(hold_id=strawberry.ID(given.hold_id), currency=currency_of(given.currency), amount=given.amount)
