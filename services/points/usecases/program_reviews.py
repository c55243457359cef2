"""When a new version moves what falls due by itself, every account of the chain is to be looked at again."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.kit.cancellation import check_cancelled
from services.kit.chain_clocks import ChainClocks
from services.points.usecases.chains import Chains


@dataclass(frozen=True, slots=True)
class Review:
    """The accounts of a chain after `after` still wait to be looked at by a version that has taken effect."""

    chain: str
    version: int
    effective_from: datetime
    after: str = ""


class Reviews(Protocol):
    """What has to be looked at again."""

    async def next(self, chain: str, *, now: datetime) -> Review | None:
        """Return one of the chain whose version has taken effect."""

    async def next_due(self, chain: str, after: datetime) -> datetime | None:
        """Return when the first one takes effect after `after`."""

    async def go_on(self, review: Review) -> Review | None:
        """Let the next accounts fall due when the version took effect; None: those were the last."""


@dataclass(frozen=True, slots=True)
class Reviewer:
    """What the job needs from outside."""

    reviews: Reviews
    chains: Chains
    clocks: ChainClocks

    async def review_all(self) -> int:
        """Go through all that waits, chain by chain, and return how many versions that were."""
        return sum([await self.run(chain, await self.clocks.now(chain)) for chain in await self.chains.chains()])

    async def next_due(self, chain: str, after: datetime) -> datetime | None:
        """Return when the next version after `after` takes effect that has accounts looked at again."""
        return await self.reviews.next_due(chain, after)

    async def run(self, chain: str, now: datetime) -> int:
        """Go through what waits in one chain; cut short, it goes on where it was.

        Before its version takes effect an account would be settled by the old one again, so nothing is done by then.
        What falls due too early is harmless: the fold finds out anew when it really does.
        """
        done = 0
        while review := await self.reviews.next(chain, now=now):
            left: Review | None = review
            while left is not None:
                check_cancelled()
                left = await self.reviews.go_on(left)
            done += 1
        return done
