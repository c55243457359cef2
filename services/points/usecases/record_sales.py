"""Keep the sums of sales current: each purchase and refund is added once, whatever generation of sums is counted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.points.domain.sales import Additions, Sold


@dataclass(frozen=True, slots=True)
class Generation:
    """One counting of a chain's sales. What was booked before `since` is counted from receipts, not from events."""

    number: int = 0
    since: datetime | None = None

    def hears(self, sold: Sold) -> bool:
        """Tell whether this counting takes the event in."""
        return self.since is None or sold.booked_at >= self.since


class SalesBook(Protocol):
    """Where sums are kept, within one transaction."""

    async def generations(self, chains: frozenset[str]) -> Mapping[str, Sequence[Generation]]:
        """Return those that are counted now, by chain: the one that reports read, and one that is being rebuilt."""

    async def add(self, chain: str, generation: int, additions: Additions) -> None:
        """Add to the sums of one generation."""


async def record_sales(sold: Sequence[tuple[str, Sold]], *, book: SalesBook) -> None:
    """Add a batch of (chain, purchase or refund) to the sums."""
    by_chain: dict[str, list[Sold]] = {}
    for chain, one in sold:
        by_chain.setdefault(chain, []).append(one)
    generations = await book.generations(frozenset(by_chain))
    for chain, some in by_chain.items():
        for generation in generations.get(chain, (Generation(),)):
            additions = Additions()
            for one in some:
                if generation.hears(one):
                    additions.add(one)
            await book.add(chain, generation.number, additions)
