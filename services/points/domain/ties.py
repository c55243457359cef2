"""What ties accounts together that were merged: who came, where an account has been, and what a split gives back."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from services.points.domain.standings import NO_COUNTS, NO_STANDING, Counts, Standing


@dataclass(frozen=True, slots=True)
class Brought:
    """What an account brought into another by a merge, less what was taken back of it since. Kept by who brought it.

    It is bounded by what the account had open, so that undoing a merge reads no journal.
    """

    merge: str  # the merge's id
    into: str  # the account that took it over then
    meant: str  # the account that was named; it had gone into `into` itself, unless it is that
    lots: frozenset[str] = frozenset()
    holds: frozenset[str] = frozenset()
    debt: Mapping[str, int] = field(default_factory=dict)  # by currency
    lifetime: Mapping[str, int] = field(default_factory=dict)  # by currency
    counts: Counts = NO_COUNTS
    froze: bool = False  # the other account was frozen by this merge
    standing: Standing = NO_STANDING  # of the other account, before this one's level and grant came; without `reached`

    def with_lots(self, lots: Iterable[str]) -> "Brought":
        """Return it with lots that were opened again since."""
        return replace(self, lots=self.lots | frozenset(lots))

    def less(self, other: "Brought", counts: Counts) -> "Brought":
        """Return it without what `other` has taken out again; `counts`: what is left of these."""
        return replace(
            self,
            lots=self.lots - other.lots,
            holds=self.holds - other.holds,
            debt=_less(self.debt, other.debt),
            lifetime=_less(self.lifetime, other.lifetime),
            counts=counts,
        )


@dataclass(frozen=True, slots=True)
class Ties:
    """An account's merges."""

    joined: tuple[str, ...] = ()  # members whose accounts have ever gone into this one
    been_in: tuple[str, ...] = ()  # accounts that it has ever gone into: there its lots may have lapsed
    brought: Brought | None = None  # as long as it is merged


NO_TIES = Ties()


def less_earned(brought: Brought, currency: str, amount: int, counts: Counts) -> Brought:
    """Return it after a refund took `amount` back of what had been earned before the merge."""
    return replace(brought, lifetime=_less(brought.lifetime, {currency: amount}), counts=counts)


def _less(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    left = {name: max(0, amount - other.get(name, 0)) for name, amount in one.items()}
    return {name: amount for name, amount in left.items() if amount}
