"""Keep the sums of sales current: what was sold is noted as it is heard of, and soon after added to the sums, once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.points.domain.sales import Additions, Sold
from services.points.usecases.chains import Chains


@dataclass(frozen=True, slots=True)
class Generation:
    """One counting of a chain's sales. What was booked before `since` is counted from receipts, not from events."""

    number: int = 0
    since: datetime | None = None

    def hears(self, sold: Sold) -> bool:
        """Tell whether this counting takes the event in."""
        return self.since is None or sold.booked_at >= self.since


class SalesNews(Protocol):
    """Where what was sold waits to be added, within one transaction."""

    async def note(self, chain: str, sold: Sequence[Sold]) -> None:
        """Keep it until it is added."""


class SalesRoll(Protocol):
    """What takes news into the sums."""

    async def add_some(self, chain: str) -> int:
        """Add the oldest news to the sums and forget them, in one transaction; return how many there were."""


async def note_sales(sold: Sequence[tuple[str, Sold]], *, news: SalesNews) -> None:
    """Note a batch of (chain, purchase or refund)."""
    by_chain: dict[str, list[Sold]] = {}
    for chain, one in sold:
        by_chain.setdefault(chain, []).append(one)
    for chain, some in by_chain.items():
        await news.note(chain, some)


def additions_of(sold: Sequence[Sold], generations: Sequence[Generation]) -> Mapping[int, Additions]:
    """Return what each counting adds of it."""
    found: dict[int, Additions] = {}
    for generation in generations:
        additions = found[generation.number] = Additions()
        for one in sold:
            if generation.hears(one):
                additions.add(one)
    return found


@dataclass(frozen=True, slots=True)
class SalesRoller:
    """The job that adds news to the sums; it can be cut short and done again, by any replica."""

    roll: SalesRoll
    chains: Chains

    async def add_all(self) -> None:
        """Add all that waits, some of each chain in turn. What fails holds up no other, and is raised at the end."""
        waiting, failed = list(await self.chains.chains()), list[Exception]()
        while waiting:
            waiting = [chain for chain in waiting if await self._adds(chain, failed)]
        if failed:
            message = "some sales could not be added to the sums"
            raise ExceptionGroup(message, failed)

    async def _adds(self, chain: str, failed: list[Exception]) -> bool:
        """Tell whether there may be more."""
        try:
            return await self.roll.add_some(chain) > 0
        except Exception as error:  # noqa: BLE001 - whatever one chain's are, the others' are added
            failed.append(error)
            return False
