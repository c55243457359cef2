"""Take into the members' timelines and portraits what the other services tell."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.members.domain.portraits import FirstPurchase, InChain, Portrait, first_purchases, taken_in
from services.members.domain.timeline import Happening


@dataclass(frozen=True, slots=True)
class FoundPortraits:
    """Portraits by member, and where those that were merged have gone to."""

    portraits: Mapping[InChain, Portrait]
    gone_to: Mapping[InChain, InChain]


class Portraits(Protocol):
    """Where portraits and timelines are kept: one transaction's view of them."""

    async def find(self, members: Collection[InChain]) -> FoundPortraits:
        """Return the portraits of those members that exist, or of those whom they have gone to."""

    async def note(self, told: Sequence[Happening]) -> Sequence[Happening]:
        """Write `told` into the timelines, and return what was not there before."""

    async def keep(self, changed: Mapping[InChain, Portrait]) -> None:
        """Write portraits that were found before."""


async def take_in(told: Sequence[Happening], *, portraits: Portraits) -> Sequence[FirstPurchase]:
    """Take in a batch: two look-ups, two writes. Returns who has bought for the first time.

    Raises NoMemberError for a member that nobody enrolled.
    """
    if not told:
        return ()
    found = await portraits.find({(one.chain, one.member) for one in told})
    new = await portraits.note(told)
    await portraits.keep(taken_in(new, found.portraits, gone_to=found.gone_to))
    return first_purchases(new, found.portraits, gone_to=found.gone_to)
