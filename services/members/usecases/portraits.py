"""Take into the members' portraits what the other services tell."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from services.members.domain.portraits import InChain, Portrait, Told, taken_in


class Portraits(Protocol):
    """Where portraits are kept: one transaction's view of them."""

    async def find(self, members: Collection[InChain]) -> Mapping[InChain, Portrait]:
        """Return the portraits of those members that exist."""

    async def keep(self, changed: Mapping[InChain, Portrait]) -> None:
        """Write portraits that were found before."""


async def take_in(told: Sequence[Told], *, portraits: Portraits) -> None:
    """Take in a batch: one look-up and one write. Raises NoMemberError for a member that nobody enrolled."""
    if not told:
        return
    found = await portraits.find({(one.chain, one.member) for one in told})
    await portraits.keep(taken_in(told, found))
