"""Which chains there are, for what is done chain by chain."""

from collections.abc import Sequence
from typing import Protocol


class Chains(Protocol):
    """Which chains there are."""

    async def chains(self) -> Sequence[str]:
        """Return every chain that ever booked anything."""
