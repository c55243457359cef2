"""Take into the members' timelines and portraits what the other services tell."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.members.domain.portraits import InChain, Portrait, taken_in
from services.members.domain.timeline import Happening


@dataclass(frozen=True, slots=True)
class Person:
    """Who a member is. `ids` are all that were merged into it, its own first."""

    ids: tuple[str, ...]
    erased: bool


@dataclass(frozen=True, slots=True)
class FoundPortraits:
    """Portraits by member, and where those that were merged have gone to."""

    portraits: Mapping[InChain, Portrait]
    gone_to: Mapping[InChain, InChain]
    persons: Mapping[InChain, Person]


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What was new of a batch, and the portraits before it."""

    new: Sequence[Happening]
    before: FoundPortraits


class Portraits(Protocol):
    """Where portraits and timelines are kept: one transaction's view of them."""

    async def find(self, members: Collection[InChain]) -> FoundPortraits:
        """Return the portraits of those members that exist, or of those whom they have gone to."""

    async def note(self, told: Sequence[Happening]) -> Sequence[Happening]:
        """Write `told` into the timelines, and return what was not there before."""

    async def keep(self, changed: Mapping[InChain, Portrait]) -> None:
        """Write portraits that were found before."""


async def take_in(told: Sequence[Happening], *, portraits: Portraits) -> TakenIn:
    """Take in a batch: two look-ups, two writes. Raises NoMemberError for a member that nobody enrolled."""
    if not told:
        return TakenIn((), FoundPortraits({}, {}, {}))
    found = await portraits.find({(one.chain, one.member) for one in told})
    new = await portraits.note(told)
    await portraits.keep(taken_in(new, found.portraits, gone_to=found.gone_to))
    return TakenIn(new, found)
