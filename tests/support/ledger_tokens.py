"""Tokens on a table: each is one point, and members hold them."""

from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

FREE, HELD, SPENT, EXPIRED, TAKEN = "free", "held", "spent", "expired", "taken"


@dataclass(slots=True)
class Token:
    """One point."""

    currency: str
    source: str  # what granted it
    granted_at: datetime
    expires_at: datetime
    pending_until: datetime | None
    state: str = FREE
    hold: str = ""

    @property
    def order(self) -> tuple[datetime, datetime, str]:
        return (self.expires_at, self.granted_at, f"{self.source}/{self.currency}")


@dataclass(slots=True)
class ModelHold:
    currency: str
    amount: int
    ends_at: datetime
    state: str = "open"
    pinned: bool = False
    purchase: str = ""
    taken: list[Token] = field(default_factory=list)


@dataclass(slots=True)
class Brought:
    """What came with a merge, and belongs to who came."""

    merge: str
    meant: str
    lots: set[tuple[str, str]]
    holds: set[str]
    debt: dict[str, int]
    lifetime: dict[str, int]
    spend: int
    froze: bool


@dataclass(slots=True)
class Member:
    tokens: list[Token] = field(default_factory=list)
    holds: dict[str, ModelHold] = field(default_factory=dict)
    debt: dict[str, int] = field(default_factory=dict)
    lifetime: dict[str, int] = field(default_factory=dict)
    spend: int = 0
    silver: list[tuple[datetime, bool]] = field(default_factory=list)  # from when on it was, or no longer was
    as_of: datetime | None = None
    frozen: bool = False
    into: str = ""  # the member in whom this one is now
    brought: "Brought | None" = None

    def is_silver(self, moment: datetime) -> bool:
        return next((silver for since, silver in reversed(self.silver) if since <= moment), False)

    def some(self, currency: str, *, state: str, pending: bool) -> list[Token]:
        found = [
            one
            for one in self.tokens
            if one.currency == currency and one.state == state and (one.pending_until is not None) == pending
        ]
        return sorted(found, key=lambda one: one.order)

    def free(self, currency: str) -> list[Token]:
        return self.some(currency, state=FREE, pending=False)

    def balances(self, currency: str) -> tuple[int, int, int, int, int]:
        return (
            len(self.free(currency)),
            len(self.some(currency, state=FREE, pending=True)),
            len([one for one in self.tokens if one.currency == currency and one.state == HELD]),
            self.debt.get(currency, 0),
            self.lifetime.get(currency, 0),
        )

    def advance(self, to: datetime) -> None:
        self.as_of = to if self.as_of is None else max(self.as_of, to)
        self.settle(self.as_of)

    def settle(self, to: datetime) -> None:
        while True:
            moments = [one.expires_at for one in self.tokens if one.state == FREE]
            moments += [one.pending_until for one in self.tokens if one.state == FREE and one.pending_until]
            moments += [hold.ends_at for hold in self.holds.values() if hold.state == "open" and not hold.pinned]
            moment = min((one for one in moments if one <= to), default=None)
            if moment is None:
                return
            self._happen(moment)

    def _happen(self, moment: datetime) -> None:
        for token in self.tokens:
            if token.pending_until == moment and token.state == FREE:
                token.pending_until = None
        for id_, hold in self.holds.items():
            if hold.state == "open" and not hold.pinned and hold.ends_at == moment:
                hold.state = "expired"
                self.let_go(id_, moment)
        self.expire(moment)

    def let_go(self, hold: str, moment: datetime) -> None:
        for token in self.tokens:
            if token.state == HELD and token.hold == hold:
                token.state, token.hold = FREE, ""
        self.expire(moment)

    def expire(self, moment: datetime) -> None:
        for token in self.tokens:
            if token.state == FREE and token.expires_at <= moment:
                token.state = EXPIRED


def days_after(at: datetime, days: int) -> datetime | None:
    """Return the midnight after so many whole days; None: there are none."""
    return datetime(at.year, at.month, at.day, tzinfo=UTC) + timedelta(days=days + 1) if days else None


def copy_as_of(member: Member, moment: datetime) -> Member:
    """What a refused command must not change: the member as it would be then."""
    copy = deepcopy(member)
    copy.advance(moment)
    return copy
