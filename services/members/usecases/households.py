"""Households: show them, and let members come and go."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol, TypeVar

from services.kit.ids import MakeId
from services.kit.principal import Principal
from services.members.domain.chains import Chain
from services.members.domain.households import Household, InAnotherHouseholdError, check_code, check_room
from services.members.domain.members import NoMemberError
from services.members.usecases.chains import ChainFinder, callers_chain
from services.members.usecases.limits import check_count
from services.members.usecases.members import MemberFinder
from services.members.usecases.units import Unit

T = TypeVar("T")


class HouseholdUnit(Unit, Protocol):
    """A unit of work that knows households."""

    async def households(self, codes: Collection[str]) -> Mapping[str, Household]:
        """Return the households with these codes."""

    async def homes(self, members: Collection[str]) -> Mapping[str, str]:
        """Return the codes of the households that these ids are in, by id."""

    async def join(self, household: Household, members: Sequence[str]) -> None:
        """Add members; Conflict when somebody else has changed the household."""

    async def leave(self, household: Household, members: Collection[str]) -> None:
        """Take members out; Conflict when somebody else has changed the household."""


class HouseholdUnits(Protocol):
    """Where households are changed."""

    async def run(
        self, chain: Chain, body: Callable[[HouseholdUnit], Awaitable[T]], *, now: datetime, traceparent: str = ""
    ) -> T:
        """Do `body` in one transaction, again from the start when somebody else was first."""


class HouseholdFinder(Protocol):
    """Where households are looked up."""

    async def of(self, chain: str, members: Collection[str]) -> Mapping[str, Household]:
        """Return the households that these ids are in, by id."""


@dataclass(frozen=True, slots=True)
class HouseholdDesk:
    """What households need from outside."""

    chains: ChainFinder
    units: HouseholdUnits
    found: HouseholdFinder
    members: MemberFinder
    make_id: MakeId


async def get_households(ids: Sequence[str], *, caller: Principal, desk: HouseholdDesk) -> Mapping[str, Household]:
    """Return the households of members by the ids that were asked for, each with its members as they are by now."""
    check_count(ids, field="memberIds")
    members = await desk.members.find(caller.chain, ids) if ids else {}
    everyone = {id_ for member in members.values() for id_ in member.ids}
    homes = await desk.found.of(caller.chain, everyone) if everyone else {}
    found: dict[str, Household] = {}
    for asked, member in members.items():
        # Who came in under two ids is where the survivor was.
        if (home := next((homes[id_] for id_ in member.ids if id_ in homes), None)) is not None:
            found[asked] = home
    living = {id_ for home in found.values() for id_ in home.members}
    now = await desk.members.find(caller.chain, sorted(living)) if living else {}
    return {
        asked: replace(home, members=tuple(dict.fromkeys(now[id_].id for id_ in home.members if id_ in now)))
        for asked, home in found.items()
    }


async def add_to_household(
    code: str, member_id: str, *, caller: Principal, now: datetime, desk: HouseholdDesk
) -> Household:
    """Add a member to the household of that code, a new one when there is none; to add it again changes nothing."""
    check_code(code, field="code")
    chain = await callers_chain(caller, chains=desk.chains)

    async def body(unit: HouseholdUnit) -> Household:
        member = await unit.survivor(member_id)
        if member.erased_at:
            raise NoMemberError(field="memberId", member=member_id)
        found = (await unit.households([code])).get(code) or Household(desk.make_id("hsh", now), code)
        homes = set((await unit.homes(member.ids)).values())
        if code in homes:
            return found
        if homes:
            raise InAnotherHouseholdError(field="memberId", member=member.id)
        check_room(found, field="code")
        await unit.join(found, [member.id])
        return replace(found, members=(*found.members, member.id))

    return await desk.units.run(chain, body, now=now)


async def remove_from_household(
    code: str, member_id: str, *, caller: Principal, now: datetime, desk: HouseholdDesk
) -> Household:
    """Take a member out of the household, under whichever of its ids it came."""
    check_code(code, field="code")
    chain = await callers_chain(caller, chains=desk.chains)

    async def body(unit: HouseholdUnit) -> Household:
        member = await unit.survivor(member_id)
        found = (await unit.households([code])).get(code) or Household("", code)
        leaving = [id_ for id_ in found.members if id_ in member.ids]
        if leaving:
            await unit.leave(found, leaving)
        return replace(found, members=tuple(id_ for id_ in found.members if id_ not in leaving))

    return await desk.units.run(chain, body, now=now)
