"""Adjustments by hand: booked at once when they are small, by a second person's leave when they are not."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from services.kit.errors import Kind, Problem


class AdjustmentState(StrEnum):
    """Where an adjustment stands."""

    WAITING = "waiting"
    BOOKED = "booked"
    REJECTED = "rejected"


class NoAdjustmentError(Problem):
    """There is no adjustment {adjustment}."""

    kind = Kind.NOT_FOUND
    code = "ADJUSTMENT_NOT_FOUND"


class AdjustmentDecidedError(Problem):
    """Adjustment {adjustment} is {state} already, by {decided_by}."""

    kind = Kind.REFUSED
    code = "ADJUSTMENT_DECIDED"


class SamePersonError(Problem):
    """Who asked for an adjustment cannot approve it: ask somebody else."""

    kind = Kind.REFUSED
    code = "SAME_PERSON"


class InvalidAdjustmentError(Problem):
    """The adjustment is not right: {why}."""

    kind = Kind.INVALID
    code = "INVALID_ADJUSTMENT"


@dataclass(frozen=True, slots=True)
class Adjustment:
    """What somebody wants to add or take (negative) by hand, and what became of it."""

    id: str
    account: str
    currency: str
    amount: int
    note: str  # commitment to the reason, which lies in the account's notes
    asked_by: str
    asked_at: datetime
    state: AdjustmentState = AdjustmentState.WAITING
    decided_by: str = ""
    decided_at: datetime | None = None

    def decided(self, state: AdjustmentState, *, by: str, at: datetime) -> "Adjustment":
        """Return it with the decision."""
        return replace(self, state=state, decided_by=by, decided_at=at)
