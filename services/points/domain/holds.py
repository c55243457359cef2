"""Holds: points set aside for an order, nobody else's meanwhile, consumed only when the order is paid."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from services.kit.errors import Kind, Problem

MAX_OPEN_HOLDS = 100
"""Of one account at a time."""

LONGEST_HOLD = timedelta(days=30)
"""From authorisation or extension on. One that is pinned stays as long as its order takes."""

Parts = tuple[tuple[str, int], ...]
"""From which lot how much."""


class HoldState(StrEnum):
    """What became of a hold."""

    OPEN = "open"
    CAPTURED = "captured"
    VOIDED = "voided"
    EXPIRED = "expired"
    REVERSED = "reversed"  # captured, and given back since the order failed
    MOVED = "moved"  # went with its account into another, or back: it lives on there


class NoHoldError(Problem):
    """There is no hold {hold}."""

    kind = Kind.NOT_FOUND
    code = "HOLD_NOT_FOUND"


class HoldClosedError(Problem):
    """Hold {hold} is {state} already, with {captured} of {amount} captured. Authorise a new one."""

    kind = Kind.REFUSED
    code = "HOLD_CLOSED"


class HoldPaidError(Problem):
    """Hold {hold} paid receipt {receipt}: refund that, and the points come back with it."""

    kind = Kind.REFUSED
    code = "HOLD_PAID"


class HoldExceededError(Problem):
    """Hold {hold} has {left} left, not {wanted}."""

    kind = Kind.REFUSED
    code = "HOLD_EXCEEDED"


class InvalidHoldError(Problem):
    """The hold is not right: {why}."""

    kind = Kind.INVALID
    code = "INVALID_HOLD"


@dataclass(frozen=True, slots=True)
class Hold:
    """`amount` was authorised; `parts` is what is still set aside, `taken` what was captured."""

    id: str
    account: str
    currency: str
    amount: int
    parts: Parts
    expires_at: datetime
    reference: str = ""  # the caller's order or basket
    pinned: bool = False
    state: HoldState = HoldState.OPEN
    taken: Parts = ()
    purchase: str = ""  # the receipt whose payment it was
    went_to: str = ""  # the account where it lives on

    @property
    def left(self) -> int:
        """What is still set aside."""
        return sum(part for _, part in self.parts)

    @property
    def captured(self) -> int:
        """What was consumed."""
        return sum(part for _, part in self.taken)

    @property
    def is_open(self) -> bool:
        """Tell whether it still sets points aside."""
        return self.state is HoldState.OPEN

    @property
    def due_at(self) -> datetime | None:
        """When it runs out by itself."""
        return self.expires_at if self.is_open and not self.pinned else None

    def closed(self) -> HoldClosedError:
        """Return what to answer to who wants it open."""
        return HoldClosedError(
            field="holdId", hold=self.id, state=self.state.value, captured=self.captured, amount=self.amount
        )


def add_parts(one: Parts, other: Parts) -> Parts:
    """Return both together, each lot once, in the order of `one`."""
    sums = dict(one)
    for lot, part in other:
        sums[lot] = sums.get(lot, 0) + part
    return tuple(sums.items())


def split_parts(parts: Parts, amount: int) -> tuple[Parts, Parts]:
    """Return the first `amount` of `parts`, and the rest."""
    first: list[tuple[str, int]] = []
    rest: list[tuple[str, int]] = []
    for lot, part in parts:
        if taken := min(part, amount):
            first.append((lot, taken))
            amount -= taken
        if part > taken:
            rest.append((lot, part - taken))
    return tuple(first), tuple(rest)
