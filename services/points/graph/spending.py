"""Holds told to the graph: authorise, capture, void, reverse, extend."""

from typing import Annotated, TypeVar

import strawberry

from protos.points.v1 import holds_pb2 as pb
from protos.points.v1.holds_pb2_grpc import HoldsStub
from services.kit.graph import INPUT, Caller, Info, Instant, Kind, Problem, SafeInt, allow, mutation, timestamp
from services.points.graph.balances import PointsCurrency, balance_of, word_of
from services.points.graph.codes import KEY
from services.points.graph.hold_payloads import (
    AuthoriseHoldPayload,
    CaptureHoldPayload,
    ExtendHoldPayload,
    HoldAnswer,
    ReverseHoldPayload,
    VoidHoldPayload,
)
from services.points.graph.holds import hold_of

SPENDERS = allow(Caller.STAFF, Caller.PARTNER, Caller.TILL, scope="points:spend")

Payload = TypeVar("Payload", bound=HoldAnswer)


class NothingToCaptureError(Problem):
    """Capture at least 1, or leave `amount` out to capture all that is left."""

    kind = Kind.INVALID
    code = "INVALID_HOLD"


@strawberry.input(description="Points to set aside.")
class AuthoriseHoldInput:
    """A new hold."""

    key: str = strawberry.field(description=KEY)
    member_id: strawberry.ID = strawberry.field(description="Whose points.")
    amount: SafeInt = strawberry.field(description="How much, at least 1.")
    currency: PointsCurrency = strawberry.field(default=PointsCurrency.POINTS, description="What it is counted in.")
    expires_at: Instant | None = strawberry.field(
        default=None, description="When it runs out, at most 30 days from now; null: in 15 minutes."
    )
    reference: str | None = strawberry.field(
        default=None, description="The caller's own order or basket, up to 128 characters."
    )


@strawberry.input(description="A hold to consume.")
class CaptureHoldInput:
    """A capture."""

    key: str = strawberry.field(description=KEY)
    hold_id: strawberry.ID = strawberry.field(description="Which hold.")
    amount: SafeInt | None = strawberry.field(default=None, description="How much, at least 1; null: all that is left.")
    keep_rest: bool = strawberry.field(
        default=False, description="What is not captured stays set aside; otherwise it goes back."
    )


@strawberry.input(description="A hold to give back.")
class VoidHoldInput:
    """A void."""

    key: str = strawberry.field(description=KEY)
    hold_id: strawberry.ID = strawberry.field(description="Which hold.")


@strawberry.input(description="A captured hold whose order failed after all.")
class ReverseHoldInput:
    """A reversal."""

    key: str = strawberry.field(description=KEY)
    hold_id: strawberry.ID = strawberry.field(description="Which hold.")


@strawberry.input(description="A hold that is needed for longer.")
class ExtendHoldInput:
    """An extension."""

    key: str = strawberry.field(description=KEY)
    hold_id: strawberry.ID = strawberry.field(description="Which hold.")
    expires_at: Instant = strawberry.field(description="When it runs out, later than now planned; at most 30 days off.")


@strawberry.type
class HoldMutation:
    """Changing holds. The key makes each safe to send again, so all go as calls that may be repeated."""

    @mutation(SPENDERS, description="Sets points aside for an order, those that expire next first.")
    async def authorise_hold(self, info: Info, wish: Annotated[AuthoriseHoldInput, INPUT]) -> AuthoriseHoldPayload:
        """Set points aside."""
        request = pb.AuthoriseHoldRequest(
            key=wish.key,
            member_id=wish.member_id,
            currency=word_of(wish.currency),
            amount=wish.amount,
            expires_at=None if wish.expires_at is None else timestamp(wish.expires_at),
            reference=wish.reference or "",
        )
        points = info.context.channel("points")
        answer = await points.ask(points.stub(HoldsStub).AuthoriseHold, request)
        return _filled(AuthoriseHoldPayload(user_errors=[]), answer)

    @mutation(SPENDERS, description="Consumes a hold, whole or in part.")
    async def capture_hold(self, info: Info, wish: Annotated[CaptureHoldInput, INPUT]) -> CaptureHoldPayload:
        """Consume a hold."""
        if wish.amount == 0:  # which the service would read as all that is left
            raise NothingToCaptureError(field="amount")
        request = pb.CaptureHoldRequest(
            key=wish.key, hold_id=wish.hold_id, amount=wish.amount or 0, keep_rest=wish.keep_rest
        )
        points = info.context.channel("points")
        answer = await points.ask(points.stub(HoldsStub).CaptureHold, request)
        return _filled(CaptureHoldPayload(user_errors=[]), answer)

    @mutation(SPENDERS, description="Gives back what a hold sets aside.")
    async def void_hold(self, info: Info, wish: Annotated[VoidHoldInput, INPUT]) -> VoidHoldPayload:
        """Give back what is held."""
        request = pb.HoldRequest(key=wish.key, hold_id=wish.hold_id)
        points = info.context.channel("points")
        answer = await points.ask(points.stub(HoldsStub).VoidHold, request)
        return _filled(VoidHoldPayload(user_errors=[]), answer)

    @mutation(
        SPENDERS,
        description="Gives back what was captured, when the order failed after all; points keep their old expiry.",
    )
    async def reverse_hold(self, info: Info, wish: Annotated[ReverseHoldInput, INPUT]) -> ReverseHoldPayload:
        """Give back what was captured."""
        request = pb.HoldRequest(key=wish.key, hold_id=wish.hold_id)
        points = info.context.channel("points")
        answer = await points.ask(points.stub(HoldsStub).ReverseHold, request)
        return _filled(ReverseHoldPayload(user_errors=[]), answer)

    @mutation(SPENDERS, description="Lets a hold run out later, at most 30 days from now.")
    async def extend_hold(self, info: Info, wish: Annotated[ExtendHoldInput, INPUT]) -> ExtendHoldPayload:
        """Let it run out later."""
        request = pb.ExtendHoldRequest(key=wish.key, hold_id=wish.hold_id, expires_at=timestamp(wish.expires_at))
        points = info.context.channel("points")
        answer = await points.ask(points.stub(HoldsStub).ExtendHold, request)
        return _filled(ExtendHoldPayload(user_errors=[]), answer)


def _filled(payload: Payload, answer: pb.HoldResponse) -> Payload:
    payload.hold = hold_of(answer.hold)
    payload.balance = balance_of(answer.balance)
    payload.repeated_call = answer.repeated_call
    return payload
