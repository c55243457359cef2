"""What people do to accounts by hand, in the graph: adjustments, the second person's decision, freezing."""

from enum import Enum
from typing import Annotated

import strawberry

from protos.points.v1 import ledger_pb2 as pb
from protos.points.v1.ledger_pb2_grpc import LedgerStub
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
)
from services.points.graph.accounts import Member, member_of
from services.points.graph.balances import PointsBalance, PointsCurrency, balance_of, currency_of, word_of
from services.points.graph.codes import KEY, code

ADJUSTERS = allow(Caller.STAFF, scope="ledger:adjust")
APPROVERS = allow(Caller.STAFF, scope="ledger:approve")
FREEZERS = allow(Caller.STAFF, scope="ledger:freeze")


@strawberry.enum(description="Where an adjustment stands.")
class AdjustmentState(Enum):
    """States, named as in the proto."""

    WAITING = strawberry.enum_value("WAITING", description="A second person has to decide.")
    BOOKED = strawberry.enum_value("BOOKED", description="It is in the ledger.")
    REJECTED = strawberry.enum_value("REJECTED", description="The second person said no.")


@strawberry.type(description="What somebody wants to add or take by hand, and what became of it.")
class Adjustment:
    """An adjustment."""

    id: strawberry.ID = strawberry.field(description="`adj_…`.")
    member_id: strawberry.ID = strawberry.field(description="Whose account.")
    member: Member | None = strawberry.field(description="The same, as of now.")
    currency: PointsCurrency = strawberry.field(description="What the amount is counted in.")
    amount: SafeInt = strawberry.field(description="How much; negative: taken.")
    reason: str | None = strawberry.field(description="In words; null when they were erased.")
    state: AdjustmentState = strawberry.field(description="Where it stands.")
    asked_by: str = strawberry.field(description='Who asked for it: "staff:…".')
    asked_at: Instant = strawberry.field(description="When.")
    decided_by: str | None = strawberry.field(description="Who booked or rejected it; null while it waits.")
    decided_at: Instant | None = strawberry.field(description="When; null while it waits.")


@strawberry.input(description="Points to add or take by hand.")
class AdjustPointsInput:
    """An adjustment."""

    key: str = strawberry.field(description=KEY)
    member_id: strawberry.ID = strawberry.field(description="Whose account.")
    amount: SafeInt = strawberry.field(description="How much; negative: to take; not 0.")
    reason: str = strawberry.field(description="In words, 1 to 500 characters.")
    currency: PointsCurrency = strawberry.field(default=PointsCurrency.POINTS, description="What it is counted in.")


@strawberry.input(description="What the second person says to an adjustment.")
class DecideAdjustmentInput:
    """A decision."""

    key: str = strawberry.field(description=KEY)
    adjustment_id: strawberry.ID = strawberry.field(description="Which adjustment.")
    approve: bool = strawberry.field(description="True: book it; false: reject it.")


@strawberry.input(description="An account to freeze or unfreeze.")
class FreezeAccountInput:
    """A freeze."""

    key: str = strawberry.field(description=KEY)
    member_id: strawberry.ID = strawberry.field(description="Whose account.")
    frozen: bool = strawberry.field(description="True: it earns, and cannot spend; false: as usual again.")
    reason: str = strawberry.field(description="In words, 1 to 500 characters.")


@strawberry.enum(description="Why nothing was adjusted.")
class AdjustPointsErrorCode(Enum):
    """Codes of `AdjustPointsError`."""

    INVALID = code("INVALID")
    NOT_FOUND = code("NOT_FOUND")
    CONFLICT = code("CONFLICT")
    REFUSED = code("REFUSED")
    INVALID_KEY = code("INVALID_KEY")
    KEY_REUSED = code("KEY_REUSED")
    INVALID_ADJUSTMENT = code("INVALID_ADJUSTMENT")
    MEMBER_NOT_FOUND = code("MEMBER_NOT_FOUND")
    INSUFFICIENT_POINTS = code("INSUFFICIENT_POINTS")


@strawberry.type(description="Why nothing was adjusted.")
class AdjustPointsError(UserError):
    """An item of `userErrors`."""

    code: AdjustPointsErrorCode = strawberry.field(description="For programs.")


@strawberry.enum(description="Why an adjustment was not decided.")
class DecideAdjustmentErrorCode(Enum):
    """Codes of `DecideAdjustmentError`."""

    INVALID = code("INVALID")
    NOT_FOUND = code("NOT_FOUND")
    CONFLICT = code("CONFLICT")
    REFUSED = code("REFUSED")
    INVALID_KEY = code("INVALID_KEY")
    KEY_REUSED = code("KEY_REUSED")
    ADJUSTMENT_NOT_FOUND = code("ADJUSTMENT_NOT_FOUND")
    ADJUSTMENT_DECIDED = code("ADJUSTMENT_DECIDED")
    SAME_PERSON = code("SAME_PERSON")
    INSUFFICIENT_POINTS = code("INSUFFICIENT_POINTS")


@strawberry.type(description="Why an adjustment was not decided.")
class DecideAdjustmentError(UserError):
    """An item of `userErrors`."""

    code: DecideAdjustmentErrorCode = strawberry.field(description="For programs.")


@strawberry.enum(description="Why an account was not frozen or unfrozen.")
class FreezeAccountErrorCode(Enum):
    """Codes of `FreezeAccountError`."""

    INVALID = code("INVALID")
    NOT_FOUND = code("NOT_FOUND")
    CONFLICT = code("CONFLICT")
    REFUSED = code("REFUSED")
    INVALID_KEY = code("INVALID_KEY")
    KEY_REUSED = code("KEY_REUSED")
    INVALID_ADJUSTMENT = code("INVALID_ADJUSTMENT")
    MEMBER_NOT_FOUND = code("MEMBER_NOT_FOUND")


@strawberry.type(description="Why an account was not frozen or unfrozen.")
class FreezeAccountError(UserError):
    """An item of `userErrors`."""

    code: FreezeAccountErrorCode = strawberry.field(description="For programs.")


@strawberry.type
class AdjustmentAnswer:
    """What a payload shows of an adjustment besides its own errors."""

    adjustment: Adjustment | None = strawberry.field(default=None, description="As it stands; null: nothing changed.")
    balance: PointsBalance | None = strawberry.field(
        default=None, description="The account's balance now, in the adjustment's currency; null: nothing changed."
    )
    repeated_call: bool = strawberry.field(
        default=False, description="The key had been used before, and this is the first answer."
    )


@strawberry.type(description="The adjustment, booked or waiting for a second person, or why there is none.")
class AdjustPointsPayload(AdjustmentAnswer):
    """The answer to `adjustPoints`."""

    user_errors: list[AdjustPointsError] = strawberry.field(description="Empty: it is booked, or it waits.")


@strawberry.type(description="The adjustment, booked or rejected, or why it was not decided.")
class DecideAdjustmentPayload(AdjustmentAnswer):
    """The answer to `decideAdjustment`."""

    user_errors: list[DecideAdjustmentError] = strawberry.field(description="Empty: it is decided.")


@strawberry.type(description="How the account is now, or why it was not changed.")
class FreezeAccountPayload:
    """The answer to `freezeAccount`."""

    user_errors: list[FreezeAccountError] = strawberry.field(description="Empty: the account is as it should be.")
    frozen: bool | None = strawberry.field(default=None, description="How it is now; null: nothing changed.")
    member: Member | None = strawberry.field(default=None, description="Whose account it is.")
    repeated_call: bool = strawberry.field(
        default=False, description="The key had been used before, and this is the first answer."
    )


@strawberry.type
class AdjustmentQuery:
    """What can be asked of adjustments."""

    @field(APPROVERS, description="Adjustments that wait for a second person, the oldest first.")
    async def waiting_adjustments(self, info: Info, first: First = 20, after: After = None) -> Connection[Adjustment]:
        """Ask for a page of them."""
        page = Page.checked(first=first, after=after)
        points = info.context.channel("points")
        request = pb.ListWaitingAdjustmentsRequest(page=page.to_proto())
        answer = await points.ask(points.stub(LedgerStub).ListWaitingAdjustments, request)
        return Connection.of([_adjustment(one) for one in answer.adjustments], page, end_cursor=answer.end_cursor)


@strawberry.type
class AdjustmentMutation:
    """Work by hand. The key makes each safe to send again, so all go as calls that may be repeated."""

    @mutation(
        ADJUSTERS, description="Adds or takes points by hand; above the program's limit it waits for a second person."
    )
    async def adjust_points(self, info: Info, wish: Annotated[AdjustPointsInput, INPUT]) -> AdjustPointsPayload:
        """Adjust an account."""
        request = pb.AdjustPointsRequest(
            key=wish.key,
            member_id=wish.member_id,
            currency=word_of(wish.currency),
            amount=wish.amount,
            reason=wish.reason,
        )
        points = info.context.channel("points")
        answer = await points.ask(points.stub(LedgerStub).AdjustPoints, request)
        return AdjustPointsPayload(
            user_errors=[],
            adjustment=_adjustment(answer.adjustment),
            balance=_balance(answer),
            repeated_call=answer.repeated_call,
        )

    @mutation(APPROVERS, description="Approves or rejects an adjustment that waits; not by who asked for it.")
    async def decide_adjustment(
        self, info: Info, wish: Annotated[DecideAdjustmentInput, INPUT]
    ) -> DecideAdjustmentPayload:
        """Decide an adjustment."""
        request = pb.DecideAdjustmentRequest(key=wish.key, adjustment_id=wish.adjustment_id, approve=wish.approve)
        points = info.context.channel("points")
        answer = await points.ask(points.stub(LedgerStub).DecideAdjustment, request)
        return DecideAdjustmentPayload(
            user_errors=[],
            adjustment=_adjustment(answer.adjustment),
            balance=_balance(answer),
            repeated_call=answer.repeated_call,
        )

    @mutation(FREEZERS, description="Freezes an account (it earns, and cannot spend) or unfreezes it.")
    async def freeze_account(self, info: Info, wish: Annotated[FreezeAccountInput, INPUT]) -> FreezeAccountPayload:
        """Freeze or unfreeze an account."""
        request = pb.FreezeAccountRequest(
            key=wish.key, member_id=wish.member_id, frozen=wish.frozen, reason=wish.reason
        )
        points = info.context.channel("points")
        answer = await points.ask(points.stub(LedgerStub).FreezeAccount, request)
        return FreezeAccountPayload(
            user_errors=[],
            frozen=answer.frozen,
            member=Member(id=wish.member_id),
            repeated_call=answer.repeated_call,
        )


def _adjustment(adjustment: pb.Adjustment) -> Adjustment:
    return Adjustment(
        id=strawberry.ID(adjustment.id),
        member_id=strawberry.ID(adjustment.member_id),
        member=member_of(adjustment.member_id),
        currency=currency_of(adjustment.currency),
        amount=adjustment.amount,
        reason=adjustment.reason or None,
        state=AdjustmentState[pb.AdjustmentState.Name(adjustment.state).removeprefix("ADJUSTMENT_STATE_")],
        asked_by=adjustment.asked_by,
        asked_at=instant(adjustment.asked_at),
        decided_by=adjustment.decided_by or None,
        decided_at=instant(adjustment.decided_at) if adjustment.HasField("decided_at") else None,
    )


def _balance(answer: pb.AdjustmentResponse) -> PointsBalance | None:
    return balance_of(answer.balance) if answer.HasField("balance") else None
