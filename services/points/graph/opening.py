"""Opening balances told to the graph: what members had in another system."""

from enum import Enum
from typing import Annotated

import strawberry

from protos.points.v1 import ledger_pb2 as pb
from protos.points.v1.ledger_pb2_grpc import LedgerStub
from services.kit.graph import INPUT, Caller, Info, Instant, SafeInt, UserError, allow, mutation, timestamp, user_error
from services.points.graph.accounts import Member, member_of
from services.points.graph.balances import PointsBalance, PointsCurrency, balance_of, word_of
from services.points.graph.codes import code
from services.points.graph.purchases import BuyerIdentityInput, identity_of

OPENERS = allow(Caller.STAFF, scope="ledger:open")

MANY_S = 20.0
"""For 500 balances."""


@strawberry.input(description="A part of a balance that was earned at one time.")
class OpeningLotInput:
    """A lot."""

    amount: SafeInt = strawberry.field(description="How much, at least 1.")
    earned_at: Instant = strawberry.field(description="When it was earned there.")
    expires_at: Instant | None = strawberry.field(default=None, description="When it expires; null: never.")


@strawberry.input(description="What a member had in another system.")
class OpeningBalanceInput:
    """A balance."""

    key: str = strawberry.field(
        description='The command key, 1 to 128 characters: say "opening/" and the other system\'s account number.'
    )
    lots: list[OpeningLotInput] = strawberry.field(description="1 to 200.")
    member_id: strawberry.ID | None = strawberry.field(default=None, description="Whose; or give `identity`.")
    identity: BuyerIdentityInput | None = strawberry.field(
        default=None, description="By what members knows the guest; goes before `memberId`."
    )
    currency: PointsCurrency = strawberry.field(default=PointsCurrency.POINTS, description="What it is counted in.")


@strawberry.input(description="Balances from another system.")
class OpenBalancesInput:
    """Balances."""

    balances: list[OpeningBalanceInput] = strawberry.field(description="Up to 500.")


@strawberry.enum(description="Why a balance was not opened.")
class OpenBalanceErrorCode(Enum):
    """Codes of `OpenBalanceError`."""

    INVALID = code("INVALID")
    NOT_FOUND = code("NOT_FOUND")
    CONFLICT = code("CONFLICT")
    REFUSED = code("REFUSED")
    INVALID_KEY = code("INVALID_KEY")
    KEY_REUSED = code("KEY_REUSED")
    INVALID_ADJUSTMENT = code("INVALID_ADJUSTMENT")
    MEMBER_NOT_FOUND = code("MEMBER_NOT_FOUND")
    TOO_MANY = code("TOO_MANY")


@strawberry.type(description="Why a balance was not opened.")
class OpenBalanceError(UserError):
    """An item of `userErrors`."""

    code: OpenBalanceErrorCode = strawberry.field(description="For programs.")


@strawberry.type(description="The opened balance, or why it was not opened.")
class OpenBalancePayload:
    """The answer to one balance."""

    user_errors: list[OpenBalanceError] = strawberry.field(description="Empty: it is in the ledger.")
    member: Member | None = strawberry.field(default=None, description="Whose; null when it was not opened.")
    balance: PointsBalance | None = strawberry.field(
        default=None, description="The account's balance afterwards, in this currency; null when it was not opened."
    )
    repeated_call: bool = strawberry.field(
        default=False, description="The key had been used before, and this is the first answer."
    )


@strawberry.type(description="Each balance's own answer.")
class OpenBalancesPayload:
    """The answer to many."""

    user_errors: list[OpenBalanceError] = strawberry.field(description="What is wrong with the call as a whole.")
    results: list[OpenBalancePayload] = strawberry.field(
        default_factory=list, description="In the order of the input; a bad balance fails alone."
    )


@strawberry.type
class OpeningMutation:
    """Opening balances. Each has its key, so asking again is safe."""

    @mutation(
        OPENERS, description="Brings up to 500 balances from another system, each with its own answer. Safe to repeat."
    )
    async def open_balances(self, info: Info, wish: Annotated[OpenBalancesInput, INPUT]) -> OpenBalancesPayload:
        """Open many balances."""
        points = info.context.channel("points")
        request = pb.OpenBalancesRequest(balances=[_opening_of(one) for one in wish.balances])
        answer = await points.ask(points.stub(LedgerStub).OpenBalances, request, timeout_s=MANY_S)
        results = [_payload(one, at=f"balances.{number}") for number, one in enumerate(answer.results)]
        return OpenBalancesPayload(user_errors=[], results=results)


def _opening_of(wish: OpeningBalanceInput) -> pb.OpeningBalance:
    opening = pb.OpeningBalance(key=wish.key, currency=word_of(wish.currency), lots=[_lot_of(lot) for lot in wish.lots])
    if wish.identity is not None:
        opening.identity.CopyFrom(identity_of(wish.identity))
    elif wish.member_id is not None:
        opening.member_id = wish.member_id
    return opening


def _lot_of(lot: OpeningLotInput) -> pb.OpeningLot:
    return pb.OpeningLot(
        amount=lot.amount,
        earned_at=timestamp(lot.earned_at),
        expires_at=None if lot.expires_at is None else timestamp(lot.expires_at),
    )


def _payload(result: pb.OpenResult, *, at: str) -> OpenBalancePayload:
    if result.WhichOneof("result") == "problem":
        return OpenBalancePayload(user_errors=[user_error(OpenBalanceError, result.problem, at=at)])
    opened = result.opened
    return OpenBalancePayload(
        user_errors=[],
        member=member_of(opened.member_id),
        balance=balance_of(opened.balance),
        repeated_call=opened.repeated_call,
    )
