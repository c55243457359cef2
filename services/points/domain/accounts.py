"""A member's account: what it holds in each currency, what it has reached, and how far its journal goes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from services.kit.errors import Kind, Problem
from services.points.domain.standings import NO_COUNTS, NO_STANDING, Counts, Standing
from services.points.domain.ties import NO_TIES, Ties

GENESIS = bytes(32)
"""The hash before an account's first posting."""

PAYER_PREFIX = "pay_"
"""Before the keyed hash of a payer's identity: the account of a guest whom members could not be asked about yet."""


class NoAccountError(Problem):
    """There is no member {member}."""

    kind = Kind.NOT_FOUND
    code = "MEMBER_NOT_FOUND"


class AccountFrozenError(Problem):
    """The account is frozen: points can be earned, not spent. Somebody who may unfreeze it must look at it first."""

    kind = Kind.REFUSED
    code = "ACCOUNT_FROZEN"


class InsufficientPointsError(Problem):
    """There are {available} {currency} to spend, not {wanted}."""

    kind = Kind.REFUSED
    code = "INSUFFICIENT_POINTS"


@dataclass(frozen=True, slots=True)
class Balances:
    """What an account has in one currency; none is negative.

    `available`, `pending` and `held` are the sums of the open lots. `debt` is what was to be taken back and was no
    longer there; what is earned next pays it off. `lifetime` is what was earned, less what refunds took back.
    """

    available: int = 0
    pending: int = 0
    held: int = 0
    debt: int = 0
    lifetime: int = 0

    @property
    def total(self) -> int:
        """What the program owes: the sum of the account's postings."""
        return self.available + self.pending + self.held


EMPTY = Balances()


@dataclass(frozen=True, slots=True)
class Account:
    """The state after `version` postings, the last of which has the hash `head`."""

    id: str
    balances: Mapping[str, Balances] = field(default_factory=dict)  # by currency
    currency: str = ""  # of the first purchase; a chain has one
    counts: Counts = NO_COUNTS
    standing: Standing = NO_STANDING
    as_of: datetime | None = None  # the latest effective time of anything booked
    booked_at: datetime | None = None  # of the last posting; never goes back, so a moment cuts the journal in two
    due_at: datetime | None = None  # nothing falls due by itself before this moment
    frozen: bool = False
    merged_into: str = ""  # the account that took this one over
    ties: Ties = NO_TIES
    version: int = 0
    head: bytes = GENESIS

    # Every field is named below: these run for each purchase, and `dataclasses.replace` looks the fields up each time.

    def after(
        self, *, currency: str, balances: Balances, head: bytes, booked_at: datetime, due_at: datetime | None
    ) -> "Account":
        """Return the account after one more posting."""
        return Account(
            id=self.id,
            balances={**self.balances, currency: balances},
            currency=self.currency,
            counts=self.counts,
            standing=self.standing,
            as_of=self.as_of,
            booked_at=booked_at,
            due_at=due_at,
            frozen=self.frozen,
            merged_into=self.merged_into,
            ties=self.ties,
            version=self.version + 1,
            head=head,
        )

    def at(self, moment: datetime | None, *, counts: Counts | None = None, currency: str = "") -> "Account":
        """Return the account at an effective time, with new counts; its currency is the first purchase's."""
        return Account(
            id=self.id,
            balances=self.balances,
            currency=self.currency or currency,
            counts=self.counts if counts is None else counts,
            standing=self.standing,
            as_of=moment,
            booked_at=self.booked_at,
            due_at=self.due_at,
            frozen=self.frozen,
            merged_into=self.merged_into,
            ties=self.ties,
            version=self.version,
            head=self.head,
        )

    def balance(self, currency: str) -> Balances:
        """Return what it has in `currency`."""
        return self.balances.get(currency, EMPTY)

    @property
    def spend_minor(self) -> int:
        """What was spent in all, less what was refunded."""
        return self.counts.spend_minor
