"""Count a chain's sales again from its receipts, while others go on booking, so that each is counted exactly once.

The new counting has a cut a little ahead: what is booked before it comes from receipts, the rest from events, which
from now on are added to both countings. Receipts are read once all that was booked before the cut must be there.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

AHEAD = timedelta(minutes=2)
"""How far the cut lies ahead: more than an event takes that was being worked off when the rebuild began (30 s), and
than the replicas' clocks differ."""

SETTLED = timedelta(minutes=2)
"""How long after the cut the last receipt booked before it is committed at the latest: a call lasts 60 s at most."""


@dataclass(frozen=True, slots=True)
class Rebuild:
    """How far a counting is: which, from which moment on it hears events, and the receipts that it has counted."""

    number: int
    cut: datetime
    receipts: int = 0
    is_read: bool = False  # reports read it: what is left is to remove older ones

    @property
    def begins_at(self) -> datetime:
        """From when on receipts can be counted."""
        return self.cut + SETTLED


@dataclass(frozen=True, slots=True)
class Progress:
    """What to tell. `begins_at`: nothing can be done before."""

    receipts: int
    begins_at: datetime | None = None
    done: bool = False


class Rebuilds(Protocol):
    """Where countings are kept; each step is safe to repeat, and to be done by two at once."""

    async def begin(self, chain: str, *, cut: datetime) -> Rebuild:
        """Return the one under way; where there is none, begin one with this cut."""

    async def count(self, chain: str) -> Rebuild | None:
        """Count the next receipts in one transaction; None when there are no more, and reports read it from now on."""

    async def drop(self, chain: str) -> bool:
        """Remove some of the older countings; False when nothing is left of them."""


async def rebuild_sales(chain: str, *, now: datetime, rebuilds: Rebuilds) -> AsyncGenerator[Progress, None]:
    """Do the next steps and tell how far it is; it can be left at any point, and goes on there when called again."""
    rebuild = await rebuilds.begin(chain, cut=now + AHEAD)
    receipts = rebuild.receipts
    if not rebuild.is_read:
        if now < rebuild.begins_at:
            yield Progress(receipts, begins_at=rebuild.begins_at)
            return
        while (counted := await rebuilds.count(chain)) is not None:
            receipts = counted.receipts
            yield Progress(receipts)
    while await rebuilds.drop(chain):
        yield Progress(receipts)
    yield Progress(receipts, done=True)
