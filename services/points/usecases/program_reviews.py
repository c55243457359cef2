"""When a new version moves what falls due by itself, every account of the chain is to be looked at again."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.kit.cancellation import check_cancelled
from services.kit.clock import Clock


@dataclass(frozen=True, slots=True)
class Review:
    """The accounts of a chain after `after` still wait to be looked at by a version that has taken effect."""

    chain: str
    version: int
    effective_from: datetime
    after: str = ""


class Reviews(Protocol):
    """What has to be looked at again."""

    async def next(self, *, now: datetime) -> Review | None:
        """Return one whose version has taken effect."""

    async def go_on(self, review: Review) -> Review | None:
        """Let the next accounts fall due when the version took effect; None: those were the last."""


@dataclass(frozen=True, slots=True)
class Reviewer:
    """What the job needs from outside."""

    reviews: Reviews
    clock: Clock

    async def review_all(self) -> int:
        """Go through all that waits and return how many versions that were; cut short, it goes on where it was.

        Before its version takes effect an account would be settled by the old one again, so nothing is done by then.
        What falls due too early is harmless: the fold finds out anew when it really does.
        """
        done = 0
        while review := await self.reviews.next(now=self.clock()):
            left: Review | None = review
            while left is not None:
                check_cancelled()
                left = await self.reviews.go_on(left)
            done += 1
        return done
