"""The program: how points are earned, how long they live, levels. A version never changes once it was booked by."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from services.points.domain.expiries import AT_ONCE, NO_EXPIRY, Expiry, Release
from services.points.domain.referral_terms import NO_REFERRAL, Referral
from services.points.domain.rules import Earning, Rate, Rule
from services.points.domain.tiers import Benefit, BenefitKind, Tiers, by_spend

EVER_SINCE = datetime(1970, 1, 1, tzinfo=UTC)


class TakeBack(StrEnum):
    """How far a refund goes for points that its purchase's own lot no longer has."""

    KEEP_AVAILABLE = "keep_available"  # of its own lot too only what is pending still
    PENDING_ONLY = "pending_only"  # what has become available of others is the member's
    WITHIN_BALANCE = "within_balance"  # what is there, never below zero
    DEBT = "debt"  # the rest is owed, and paid off by what is earned next


class RefundBasis(StrEnum):
    """What a refund takes back."""

    KEPT = "kept"  # what was granted beyond what the kept part of the receipt earns
    RETURNED = "returned"  # what the returned part by itself would have earned


@dataclass(frozen=True, slots=True)
class Program:
    """One version of a chain's program."""

    version: int
    earning: Earning
    tiers: Tiers
    effective_from: datetime = EVER_SINCE
    expiry: Expiry = NO_EXPIRY
    release: Release = AT_ONCE
    remind_days: int = 0  # before points expire their member is reminded; 0: not at all
    take_back: TakeBack = TakeBack.DEBT
    refund_basis: RefundBasis = RefundBasis.KEPT
    adjustment_limit: int = 10_000
    """Of points or stamps, in either direction: more than this by hand waits for a second person."""
    referral: Referral = NO_REFERRAL


def rate(points: int, per_minor: int, code: str = "base") -> Rule:
    """Return the rule that gives so many points for each `per_minor` of what was paid."""
    return Rule(code, Rate(points, per_minor))


DEFAULT_PROGRAM = Program(
    version=1,
    earning=Earning((rate(1, 100),)),
    tiers=Tiers(
        (
            by_spend("regular", 0),
            by_spend("silver", 50_000, earn_permille=1_200),
            by_spend("gold", 200_000, earn_permille=1_500, benefits=(Benefit(BenefitKind.BIRTHDAY_PACK),)),
            by_spend("black_gold", 1_000_000, earn_permille=1_500, benefits=(Benefit(BenefitKind.BIRTHDAY_PACK),)),
        )
    ),
)
"""What a chain starts with: 1 point for each full unit of money; silver from 500.00 on with a fifth more, gold from
2,000.00 on with half more and a birthday pack, black gold from 10,000.00 on or by invitation."""


@dataclass(frozen=True, slots=True)
class Programs:
    """The versions of a chain's program, by when they take effect, and the zone in which the chain counts its days."""

    versions: tuple[Program, ...] = (DEFAULT_PROGRAM,)
    zone: str = "UTC"
    _by_number: dict[int, Program] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Index the versions."""
        self._by_number.update((program.version, program) for program in self.versions)

    @property
    def latest(self) -> Program:
        """Return the one that takes effect last."""
        return self.versions[-1]

    def at(self, moment: datetime) -> Program:
        """Return the one that was in effect at `moment`, the first for what lies before it."""
        for program in reversed(self.versions):
            if program.effective_from <= moment:
                return program
        return self.versions[0]

    @property
    def needs_items(self) -> bool:
        """Tell whether a version's rules look at what the menu says of an item."""
        return any(program.earning.needs_items for program in self.versions)

    @property
    def may_owe(self) -> bool:
        """Tell whether a refund could have left a debt."""
        return any(program.take_back is TakeBack.DEBT for program in self.versions)

    def version(self, number: int) -> Program:
        """Return the one with this number."""
        return self._by_number[number]
