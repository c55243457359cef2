"""What the mutations of holds answer: the hold, or why nothing changed."""

from enum import Enum

import strawberry

from services.kit.graph import UserError
from services.points.graph.balances import PointsBalance
from services.points.graph.codes import code
from services.points.graph.holds import Hold


@strawberry.type
class HoldAnswer:
    """What each of them shows besides its own errors."""

    hold: Hold | None = strawberry.field(default=None, description="As it is now; null when nothing changed.")
    balance: PointsBalance | None = strawberry.field(
        default=None, description="The account's balance afterwards, in the hold's currency."
    )
    repeated_call: bool = strawberry.field(
        default=False, description="The key had been used before, and this is the first answer."
    )


@strawberry.enum(description="Why a hold was not authorised.")
class AuthoriseHoldErrorCode(Enum):
    """Codes of `AuthoriseHoldError`."""

    INVALID = code("INVALID")
    NOT_FOUND = code("NOT_FOUND")
    CONFLICT = code("CONFLICT")
    REFUSED = code("REFUSED")
    INVALID_KEY = code("INVALID_KEY")
    KEY_REUSED = code("KEY_REUSED")
    INVALID_HOLD = code("INVALID_HOLD")
    MEMBER_NOT_FOUND = code("MEMBER_NOT_FOUND")
    ACCOUNT_FROZEN = code("ACCOUNT_FROZEN")
    INSUFFICIENT_POINTS = code("INSUFFICIENT_POINTS")


@strawberry.type(description="Why a hold was not authorised.")
class AuthoriseHoldError(UserError):
    """An item of `userErrors`."""

    code: AuthoriseHoldErrorCode = strawberry.field(description="For programs.")


@strawberry.type(description="The authorised hold, or why it was not authorised.")
class AuthoriseHoldPayload(HoldAnswer):
    """The answer to `authoriseHold`."""

    user_errors: list[AuthoriseHoldError] = strawberry.field(description="Empty: it was authorised.")


@strawberry.enum(description="Why a hold was not captured.")
class CaptureHoldErrorCode(Enum):
    """Codes of `CaptureHoldError`."""

    INVALID = code("INVALID")
    NOT_FOUND = code("NOT_FOUND")
    CONFLICT = code("CONFLICT")
    REFUSED = code("REFUSED")
    INVALID_KEY = code("INVALID_KEY")
    KEY_REUSED = code("KEY_REUSED")
    INVALID_HOLD = code("INVALID_HOLD")
    HOLD_NOT_FOUND = code("HOLD_NOT_FOUND")
    HOLD_CLOSED = code("HOLD_CLOSED")
    HOLD_EXCEEDED = code("HOLD_EXCEEDED")
    ACCOUNT_FROZEN = code("ACCOUNT_FROZEN")


@strawberry.type(description="Why a hold was not captured.")
class CaptureHoldError(UserError):
    """An item of `userErrors`."""

    code: CaptureHoldErrorCode = strawberry.field(description="For programs.")


@strawberry.type(description="The captured hold, or why it was not captured.")
class CaptureHoldPayload(HoldAnswer):
    """The answer to `captureHold`."""

    user_errors: list[CaptureHoldError] = strawberry.field(description="Empty: it was captured.")


@strawberry.enum(description="Why a hold was not voided.")
class VoidHoldErrorCode(Enum):
    """Codes of `VoidHoldError`."""

    INVALID = code("INVALID")
    NOT_FOUND = code("NOT_FOUND")
    CONFLICT = code("CONFLICT")
    REFUSED = code("REFUSED")
    INVALID_KEY = code("INVALID_KEY")
    KEY_REUSED = code("KEY_REUSED")
    HOLD_NOT_FOUND = code("HOLD_NOT_FOUND")
    HOLD_CLOSED = code("HOLD_CLOSED")


@strawberry.type(description="Why a hold was not voided.")
class VoidHoldError(UserError):
    """An item of `userErrors`."""

    code: VoidHoldErrorCode = strawberry.field(description="For programs.")


@strawberry.type(description="The voided hold, or why it was not voided.")
class VoidHoldPayload(HoldAnswer):
    """The answer to `voidHold`."""

    user_errors: list[VoidHoldError] = strawberry.field(description="Empty: it was voided.")


@strawberry.enum(description="Why a hold was not reversed.")
class ReverseHoldErrorCode(Enum):
    """Codes of `ReverseHoldError`."""

    INVALID = code("INVALID")
    NOT_FOUND = code("NOT_FOUND")
    CONFLICT = code("CONFLICT")
    REFUSED = code("REFUSED")
    INVALID_KEY = code("INVALID_KEY")
    KEY_REUSED = code("KEY_REUSED")
    HOLD_NOT_FOUND = code("HOLD_NOT_FOUND")
    HOLD_CLOSED = code("HOLD_CLOSED")
    HOLD_PAID = code("HOLD_PAID")


@strawberry.type(description="Why a hold was not reversed.")
class ReverseHoldError(UserError):
    """An item of `userErrors`."""

    code: ReverseHoldErrorCode = strawberry.field(description="For programs.")


@strawberry.type(description="The reversed hold, or why it was not reversed.")
class ReverseHoldPayload(HoldAnswer):
    """The answer to `reverseHold`."""

    user_errors: list[ReverseHoldError] = strawberry.field(description="Empty: it was reversed.")


@strawberry.enum(description="Why a hold was not extended.")
class ExtendHoldErrorCode(Enum):
    """Codes of `ExtendHoldError`."""

    INVALID = code("INVALID")
    NOT_FOUND = code("NOT_FOUND")
    CONFLICT = code("CONFLICT")
    REFUSED = code("REFUSED")
    INVALID_KEY = code("INVALID_KEY")
    KEY_REUSED = code("KEY_REUSED")
    INVALID_HOLD = code("INVALID_HOLD")
    HOLD_NOT_FOUND = code("HOLD_NOT_FOUND")
    HOLD_CLOSED = code("HOLD_CLOSED")


@strawberry.type(description="Why a hold was not extended.")
class ExtendHoldError(UserError):
    """An item of `userErrors`."""

    code: ExtendHoldErrorCode = strawberry.field(description="For programs.")


@strawberry.type(description="The extended hold, or why it was not extended.")
class ExtendHoldPayload(HoldAnswer):
    """The answer to `extendHold`."""

    user_errors: list[ExtendHoldError] = strawberry.field(description="Empty: it was extended.")
