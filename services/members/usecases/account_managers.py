"""Account managers: find somebody for members, by hand or by the chain's rules; and members' favourite stores."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.kit.principal import NotAllowedError, Principal
from services.members.domain.account_managers import (
    Care,
    ManagerRules,
    Pool,
    Subject,
    check_rules,
    dealt,
    effective,
    pool_for,
    within,
)
from services.members.domain.follow_ups import InactiveStaffError
from services.members.domain.members import Member, NoMemberError
from services.members.domain.named import Named
from services.members.domain.staff import NoStaffError
from services.members.domain.stores import NoStoreError, Store
from services.members.usecases.chains import ChainFinder, callers_chain
from services.members.usecases.limits import check_count
from services.members.usecases.members import MemberFinder, find_visible

MOST_ASSIGNED = 500
"""Members in one call, and in one batch of a reassignment: one transaction."""

TRIES = 3
"""How often somebody else is looked for where the one who was found has just left."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who is to take care of a member from now on. `version` is its care's version that was looked at."""

    member: str
    manager: str
    by: str
    version: int


class Managers(Protocol):
    """Where it is kept who takes care of whom."""

    async def rules(self, chain: str) -> ManagerRules:
        """Return the chain's rules."""

    async def save_rules(self, chain: str, rules: ManagerRules) -> ManagerRules:
        """Keep the rules with their next version; RulesChangedError when they are at another than said."""

    async def care(self, chain: str, members: Collection[str]) -> Mapping[str, Care]:
        """Return what was said under these ids."""

    async def managed(self, chain: str, staff: str, *, after: str, first: int) -> Sequence[Care]:
        """Return up to `first` ids that one of the staff takes care of, behind `after`."""

    async def staff(self, chain: str, ids: Collection[str]) -> Mapping[str, bool]:
        """Return which of these staff members exist, and whether they are active."""

    async def staff_of(self, chain: str, stores: Collection[str]) -> Mapping[str, tuple[str, ...]]:
        """Return by store who is active there, in the order of their ids."""

    async def parents(self, chain: str) -> Mapping[str, str]:
        """Return by region's code in which it lies."""

    async def take_turns(self, chain: str, turns: Mapping[str, int]) -> Mapping[str, int]:
        """Take so many turns of each key at once, and return the first one's number: nobody else gets the same."""

    async def assign(self, chain: str, wanted: Sequence[Assignment], *, now: datetime) -> None:
        """Write those that are still at their version, of members that were not erased, to staff that is active."""

    async def like(self, chain: str, member: str, store: str) -> None:
        """Note a favourite store. Raises NoMemberError."""


class StoreFinder(Protocol):
    """Where stores are looked up."""

    async def find(self, chain: str, ids: frozenset[str]) -> list[Store]:
        """Return those of `ids` that exist, in the order of their ids."""


class NamedFinder(Protocol):
    """Where the chain's brands and regions are looked up."""

    async def named(self, chain: str) -> Named:
        """Return the codes that the chain has saved."""


@dataclass(frozen=True, slots=True)
class ManagerDesk:
    """What the use cases need from outside."""

    chains: ChainFinder
    members: MemberFinder
    managers: Managers
    stores: StoreFinder
    named: NamedFinder


async def save_rules(rules: ManagerRules, *, caller: Principal, desk: ManagerDesk) -> ManagerRules:
    """Keep the rules by which managers are found from now on; nobody's manager changes by it."""
    if caller.stores:
        raise NotAllowedError(why="it is limited to some stores, and rules are the whole chain's")
    check_rules(rules.rules)
    chain = await callers_chain(caller, chains=desk.chains)
    await _check_named(rules, chain.id, desk)
    return await desk.managers.save_rules(chain.id, rules)


async def assign_managers(
    member_ids: Sequence[str], staff_id: str, *, caller: Principal, now: datetime, desk: ManagerDesk
) -> list[tuple[str, Care]]:
    """Give members a manager and return by the id that was asked for what holds: as `staff_id` says, who replaces
    whoever was there; or, empty, by the rules, those who have none that is active. The same again changes nothing.
    """
    check_count(member_ids, field="memberIds", most=MOST_ASSIGNED)
    if staff_id:
        await _check_active(staff_id, caller.chain, desk)
    found = await desk.members.find(caller.chain, member_ids) if member_ids else {}
    people = {one.id: one for one in found.values() if not one.erased_at}
    for _ in range(TRIES):
        holds = await _holding(people.values(), caller.chain, desk)
        lacking = await _lacking(holds, staff_id, caller.chain, desk)
        if not lacking:
            break
        chosen = await _chosen([people[id_] for id_ in lacking], staff_id, caller=caller, leaving="", desk=desk)
        wanted = [Assignment(id_, *chosen[id_], holds[id_].version) for id_ in lacking if id_ in chosen]
        if not wanted:
            break
        await desk.managers.assign(caller.chain, wanted, now=now)
    holds = await _holding(people.values(), caller.chain, desk)
    return [(id_, holds[found[id_].id]) for id_ in dict.fromkeys(member_ids) if id_ in found and found[id_].id in holds]


async def reassign_managers(
    staff_id: str, to: str, *, after: str, first: int, caller: Principal, now: datetime, desk: ManagerDesk
) -> tuple[int, str]:
    """Give a batch of those whom one of the staff takes care of to `to`, or, empty, to others by the rules.

    Returns how many have another manager by now, and where to go on; empty when it is done. Whoever no rule has
    anybody for keeps the one that it has.
    """
    if to == staff_id:
        raise NoStaffError(field="toStaffId", staff=to)
    if to:
        await _check_active(to, caller.chain, desk)
    batch = await desk.managers.managed(caller.chain, staff_id, after=after, first=first + 1)
    some = {one.member: one for one in batch[:first]}
    # Each id for itself, a merged one too: whoever is split off again finds itself with the new manager.
    found = await desk.members.find(caller.chain, list(some)) if some else {}
    people = {found[id_].id: found[id_] for id_ in some if id_ in found}
    chosen = await _chosen(list(people.values()), to, caller=caller, leaving=staff_id, desk=desk)
    wanted = [
        Assignment(id_, *chosen[found[id_].id], one.version)
        for id_, one in some.items()
        if id_ in found and found[id_].id in chosen
    ]
    if wanted:
        await desk.managers.assign(caller.chain, wanted, now=now)
    left = await desk.managers.care(caller.chain, list(some)) if some else {}
    done = sum(id_ in left and left[id_].manager != staff_id for id_ in some)
    return done, batch[first - 1].member if len(batch) > first else ""


async def get_care(member_ids: Sequence[str], *, caller: Principal, desk: ManagerDesk) -> list[tuple[str, Care]]:
    """Return what holds, by the id that was asked for; without those whom the caller may not see."""
    check_count(member_ids, field="memberIds")
    found = await find_visible(member_ids, caller=caller, members=desk.members)
    holds = await _holding(found.values(), caller.chain, desk)
    return [(id_, holds[found[id_].id]) for id_ in dict.fromkeys(member_ids) if id_ in found]


async def list_managed(
    staff_id: str, *, after: str, first: int, caller: Principal, desk: ManagerDesk
) -> tuple[list[str], str]:
    """Return a page of those whom one of the staff takes care of, active or not, and where the next begins.

    A page may be shorter than asked for: an id whose person has another manager since a merge is left out.
    """
    batch = await desk.managers.managed(caller.chain, staff_id, after=after, first=first + 1)
    some = [one.member for one in batch[:first]]
    found = await desk.members.find(caller.chain, some) if some else {}
    holds = await _holding(found.values(), caller.chain, desk)
    theirs = [found[id_].id for id_ in some if id_ in found and holds[found[id_].id].manager == staff_id]
    return list(dict.fromkeys(theirs)), batch[first - 1].member if len(batch) > first else ""


async def set_favourite_store(member_id: str, store: str, *, caller: Principal, desk: ManagerDesk) -> str:
    """Note where the member likes to be; empty: nowhere. Returns whose it is by now. The same again changes nothing."""
    found = (await find_visible([member_id], caller=caller, members=desk.members)).get(member_id)
    if found is None or found.erased_at:
        raise NoMemberError(field="memberId", member=member_id)
    if store and not await desk.stores.find(caller.chain, frozenset({store})):
        raise NoStoreError(field="storeId", store=store)
    await desk.managers.like(caller.chain, found.id, store)
    return found.id


async def _chosen(
    people: Sequence[Member], staff_id: str, *, caller: Principal, leaving: str, desk: ManagerDesk
) -> Mapping[str, tuple[str, str]]:
    """Return by member who is to take care of it, and who or what decided so."""
    if staff_id:
        return {one.id: (staff_id, f"{caller.kind}:{caller.id}") for one in people}
    pools = await _pools(people, caller.chain, leaving, desk)
    turns = Counter(pool.key for pool in pools.values())
    first = await desk.managers.take_turns(caller.chain, turns) if turns else {}
    rule = {member: f"rule:{pool.key.partition(chr(0))[0]}" for member, pool in pools.items()}
    return {member: (staff, rule[member]) for member, staff in dealt(pools, first).items()}


async def _pools(people: Sequence[Member], chain: str, leaving: str, desk: ManagerDesk) -> dict[str, Pool]:
    rules = (await desk.managers.rules(chain)).rules
    named = {person for rule in rules for person in rule.pool}
    known = await desk.managers.staff(chain, named) if named else {}
    of_stores: Mapping[str, tuple[str, ...]] = {}
    if any(rule.of_store for rule in rules):
        of_stores = await desk.managers.staff_of(chain, {one.source.store for one in people if one.source.store})
    active = {id_ for id_, is_active in known.items() if is_active}.union(*of_stores.values()) - {leaving}
    regions = await _regions(people, chain, desk) if any(rule.regions for rule in rules) else {}
    pools = {}
    for one in people:
        store = one.source.store
        subject = Subject(one.id, frozenset(one.tags), store, regions.get(store, frozenset()))
        if (pool := pool_for(subject, rules, active=active, of_stores=of_stores)) is not None:
            pools[one.id] = pool
    return pools


async def _regions(people: Sequence[Member], chain: str, desk: ManagerDesk) -> Mapping[str, frozenset[str]]:
    stores = await desk.stores.find(chain, frozenset(one.source.store for one in people if one.source.store))
    parents = await desk.managers.parents(chain)
    return {store.id: within(store.region, lambda code: parents.get(code, "")) for store in stores}


async def _lacking(holds: Mapping[str, Care], staff_id: str, chain: str, desk: ManagerDesk) -> list[str]:
    if staff_id:
        return [id_ for id_, care in holds.items() if care.manager != staff_id]
    managers = {care.manager for care in holds.values() if care.manager}
    known = await desk.managers.staff(chain, managers) if managers else {}
    return [id_ for id_, care in holds.items() if not known.get(care.manager or "", False)]


async def _holding(people: Collection[Member], chain: str, desk: ManagerDesk) -> Mapping[str, Care]:
    said = await desk.managers.care(chain, {id_ for one in people for id_ in one.ids}) if people else {}
    return {one.id: effective(one.ids, said) for one in people}


async def _check_active(staff_id: str, chain: str, desk: ManagerDesk) -> None:
    known = await desk.managers.staff(chain, [staff_id])
    if staff_id not in known:
        raise NoStaffError(field="staffId", staff=staff_id)
    if not known[staff_id]:
        raise InactiveStaffError(field="staffId", staff=staff_id)


async def _check_named(rules: ManagerRules, chain: str, desk: ManagerDesk) -> None:
    staff = {person for rule in rules.rules for person in rule.pool}
    stores = frozenset[str]().union(*(rule.stores for rule in rules.rules))
    known = await desk.managers.staff(chain, staff) if staff else {}
    held = {store.id for store in await desk.stores.find(chain, stores)} if stores else set()
    named = await desk.named.named(chain)
    for number, rule in enumerate(rules.rules):
        for person in rule.pool:
            if person not in known:
                raise NoStaffError(field=f"rules.{number}.pool", staff=person)
        for region in sorted(rule.regions):
            named.check_region(region, field=f"rules.{number}.regions")
        if missing := sorted(rule.stores - held):
            raise NoStoreError(field=f"rules.{number}.storeIds", store=missing[0])
