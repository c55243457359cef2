"""Credit staff with whom they enrolled and with these guests' later visits. For consumers, in their transaction."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from services.members.domain.credits import Brought, Credited, Enrollment, InChain, Visit, credit

Place = tuple[str, str]
"""(chain, store); an empty store: none, and the chain's zone counts."""


class Credits(Protocol):
    """Where credits are kept: one transaction's view of them."""

    async def zones(self, places: Collection[Place]) -> Mapping[Place, str]:
        """Return the time zones of those stores that exist, and of chains where no store is named."""

    async def months(self, chains: Collection[str]) -> Mapping[str, int]:
        """Return for how many months after an enrollment each chain credits visits."""

    async def brought(self, members: Collection[InChain]) -> Mapping[InChain, Brought]:
        """Return what is known of those members whom staff enrolled."""

    async def purchases(self, members: Collection[InChain]) -> Sequence["Visited"]:
        """Return the purchases of these members that have been heard of."""

    async def keep(self, credited: Credited) -> None:
        """Write it; `Conflict` when somebody else was faster."""


@dataclass(frozen=True, slots=True)
class EnrolledByStaff:
    """A staff member enrolled somebody. An empty `store`: not in one."""

    chain: str
    staff: str
    store: str
    member: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Visited:
    """A member paid in a store."""

    chain: str
    store: str
    member: str
    at: datetime


async def credit_enrollment(
    chain: str, staff: str, store: str, member: str, at: datetime, *, credits_: Credits
) -> None:
    """Credit one enrollment; the same one again changes nothing."""
    await credit_all([EnrolledByStaff(chain, staff, store, member, at)], credits_=credits_)


async def credit_visit(chain: str, store: str, member: str, at: datetime, *, credits_: Credits) -> None:
    """Credit one visit to whoever enrolled the member; the same day again changes nothing."""
    await credit_all([Visited(chain, store, member, at)], credits_=credits_)


async def credit_all(told: Sequence[EnrolledByStaff | Visited], *, credits_: Credits) -> None:
    """Credit a batch in its order: one look-up and one write of each kind.

    What happened in a store that the chain does not have is nobody's, since no calendar says on which day it was.
    """
    known = await credits_.brought({(one.chain, one.member) for one in told})
    new = {(one.chain, one.member) for one in told if isinstance(one, EnrolledByStaff)}
    # Most receipts are of guests whom nobody enrolled by hand: for those, nothing more is asked.
    some = [one for one in told if (one.chain, one.member) in known or (one.chain, one.member) in new]
    if not some:
        return
    # Purchases come over another stream, and may have come first: a visit that was counted then is not counted again.
    if missed := new - known.keys():
        some += await credits_.purchases(missed)
    zones = await credits_.zones({(one.chain, one.store) for one in some})
    facts = [_fact(one, zones[one.chain, one.store]) for one in some if (one.chain, one.store) in zones]
    months = await credits_.months({fact.chain for fact in facts})
    await credits_.keep(credit(facts, known=known, months=months))


def _fact(one: EnrolledByStaff | Visited, zone: str) -> Enrollment | Visit:
    day = _day(one.at, zone)
    if isinstance(one, EnrolledByStaff):
        return Enrollment(one.chain, one.staff, one.store, one.member, day)
    return Visit(one.chain, one.store, one.member, day)


def _day(at: datetime, zone: str) -> date:
    return at.astimezone(ZoneInfo(zone)).date()
