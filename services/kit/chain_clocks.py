"""What time it is for a chain: the system's for a real one, and its own for a sandbox, which operators move.

Whatever belongs to a chain (what is booked, issued, invited to, sealed) is done at the chain's time. What belongs to
the platform (tokens, keys, leases, caches, the relay) stays on the system's `Clock`; the two have different types, so
that one cannot be taken for the other.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Protocol

SANDBOX_PREFIX = "sbx"
"""What a sandbox's id begins with, so that nobody has to ask which kind of chain it is."""

_BEGINNING = f"{SANDBOX_PREFIX}_"


def is_sandbox(chain: str) -> bool:
    """Tell whether the chain of this id has a clock of its own."""
    return chain.startswith(_BEGINNING)


class ChainClocks(Protocol):
    """The clocks of all chains."""

    async def now(self, chain: str) -> datetime:
        """Return what time it is for `chain`: aware, UTC, whole milliseconds."""

    async def each(self, chains: Iterable[str]) -> Mapping[str, datetime]:
        """Return what time it is for each of `chains`, as `now` does, with one question for all of them."""


class Due(Protocol):
    """A kind of thing that happens in a chain by itself, because its time has come."""

    async def next_due(self, chain: str, after: datetime) -> datetime | None:
        """Return the earliest moment later than `after` at which something falls due; None when nothing does."""

    async def run(self, chain: str, now: datetime) -> object:
        """Do all that is due by `now`. Must bear to be cut short at any await and done again, also by two at once."""
