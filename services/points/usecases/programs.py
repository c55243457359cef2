"""Which program a chain has."""

from collections.abc import Collection, Mapping
from typing import Protocol

from services.points.domain.programs import Programs


class ProgramSource(Protocol):
    """Where the chains' programs are kept."""

    async def of(self, chains: Collection[str]) -> Mapping[str, Programs]:
        """Return the program of each of `chains`: the one that all chains start with, where there is no other."""
