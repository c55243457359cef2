"""Staff: save and show them, record their training, and what the chain has decided about it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Protocol
from zoneinfo import ZoneInfo

from services.kit.errors import Kind, Problem
from services.kit.ids import MakeId
from services.kit.principal import NotAllowedError, Principal
from services.members.domain.chains import Chain
from services.members.domain.members import NoMemberError
from services.members.domain.named import Named
from services.members.domain.staff import NoStaffError, SavedStaff, StaffMember, check_staff
from services.members.domain.stores import NoStoreError
from services.members.domain.training import InvalidTrainingError, Passed, StaffSettings, check_settings
from services.members.usecases.chains import ChainFinder, callers_chain
from services.members.usecases.limits import check_count
from services.members.usecases.members import MemberFinder
from services.members.usecases.stores import Stores

MAX_PAGE = 100


class PageSizeError(Problem):
    """A page has 1 to {most} items."""

    kind = Kind.INVALID
    code = "PAGE_SIZE"


class StaffStore(Protocol):
    """Where staff are kept."""

    async def save(
        self,
        wanted: Sequence[StaffMember],
        *,
        chain: Chain,
        new_id: Callable[[], str],
        may_change: Callable[[StaffMember], bool],
        now: datetime,
        today: date,
        traceparent: str,
    ) -> SavedStaff:
        """Fold `wanted` over who is there, and keep and tell what changed. Raises NotAllowedError for somebody whom
        `may_change` refuses."""

    async def train(
        self, passed: Mapping[str, Sequence[tuple[str, Passed]]], *, chain: str, now: datetime, traceparent: str
    ) -> list[StaffMember]:
        """Note the courses (code and record) that staff, by id, have passed, and return them in the order of ids."""

    async def find(self, chain: str, ids: Sequence[str]) -> list[StaffMember]:
        """Return those of `ids` that exist, in the order of their ids."""

    async def page(self, chain: str, *, stores: frozenset[str], after: str, most: int) -> list[StaffMember]:
        """Return those with a code behind `after` who are for one of `stores` (none: everybody), by their codes."""


class SettingsStore(Protocol):
    """Where it is kept what chains have decided about their staff."""

    async def get(self, chain: str) -> StaffSettings:
        """Return the chain's settings, the usual ones where it has not said."""

    async def save(self, settings: StaffSettings, *, chain: str) -> StaffSettings:
        """Keep the settings with their next version, unless they are as they were."""


class NamedFinder(Protocol):
    """Where the chain's brands and regions are looked up."""

    async def named(self, chain: str) -> Named:
        """Return the codes that the chain has saved."""


@dataclass(frozen=True, slots=True)
class StaffDesk:
    """What the use cases of staff need from outside."""

    chains: ChainFinder
    staff: StaffStore
    settings: SettingsStore
    stores: Stores
    members: MemberFinder
    named: NamedFinder
    make_id: MakeId


@dataclass(frozen=True, slots=True)
class Training:
    """A course that a staff member has passed, as it is told."""

    staff: str
    course: str
    passed: Passed


async def save_staff(
    wanted: Sequence[StaffMember], *, caller: Principal, now: datetime, desk: StaffDesk, traceparent: str = ""
) -> tuple[StaffMember, ...]:
    """Add or change staff, by their code, all or none; who is as wanted stays untouched.

    A caller with stores changes only who is for those stores alone.
    """
    check_count(wanted, field="staff")
    check_staff(wanted)
    for number, one in enumerate(wanted):
        if not _is_own(one, caller):
            raise NotAllowedError(
                field=f"staff.{number}.storeIds", why="its key is for some stores, and staff of those"
            )
    chain = await callers_chain(caller, chains=desk.chains)
    await _check_named(wanted, chain.id, desk)
    saved = await desk.staff.save(
        wanted,
        chain=chain,
        new_id=partial(desk.make_id, "stf", now),
        may_change=lambda one: _is_own(one, caller),
        now=now,
        today=day_of(chain, now),
        traceparent=traceparent,
    )
    return saved.all


async def record_training(
    records: Sequence[Training], *, caller: Principal, now: datetime, desk: StaffDesk, traceparent: str = ""
) -> list[StaffMember]:
    """Note who has passed what; the latest of a course holds. Return these staff in the order of their ids."""
    check_count(records, field="records")
    known = {course.code for course in (await desk.settings.get(caller.chain)).courses}
    found = {one.id: one for one in await desk.staff.find(caller.chain, [one.staff for one in records])}
    passed: dict[str, list[tuple[str, Passed]]] = {}
    for number, record in enumerate(records):
        at = f"records.{number}"
        if record.course not in known:
            raise InvalidTrainingError(field=f"{at}.course", why=f"there is no course {record.course}")
        if record.passed.valid_until is not None and record.passed.valid_until < record.passed.on:
            raise InvalidTrainingError(field=f"{at}.validUntil", why="it runs out before it was passed")
        if (one := found.get(record.staff)) is None or not _is_seen(one, caller):
            raise NoStaffError(field=f"{at}.staffId", staff=record.staff)
        if not _is_own(one, caller):
            raise NotAllowedError(field=f"{at}.staffId", why="its key is for staff of its own stores")
        passed.setdefault(record.staff, []).append((record.course, record.passed))
    return await desk.staff.train(passed, chain=caller.chain, now=now, traceparent=traceparent)


async def get_staff(ids: Sequence[str], *, caller: Principal, desk: StaffDesk) -> list[StaffMember]:
    """Return those of `ids` that exist and that the caller may see, in the order of their ids."""
    check_count(ids, field="ids")
    return [one for one in await desk.staff.find(caller.chain, ids) if _is_seen(one, caller)]


async def list_staff(
    *, store: str, first: int, after: str, caller: Principal, desk: StaffDesk
) -> tuple[list[StaffMember], str]:
    """Return a page of staff by their codes, of one store or (empty) of all that the caller may see; and its cursor."""
    if not 1 <= first <= MAX_PAGE:
        raise PageSizeError(field="first", most=MAX_PAGE)
    if store and not caller.may_use_store(store):
        raise NotAllowedError(field="storeId", why="its key is for other stores")
    stores = frozenset({store}) if store else caller.stores
    found = await desk.staff.page(caller.chain, stores=stores, after=after, most=first + 1)
    return found[:first], found[first - 1].code if len(found) > first else ""


async def save_settings(settings: StaffSettings, *, caller: Principal, desk: StaffDesk) -> StaffSettings:
    """Keep what the chain has decided. Nobody loses a role by it, but what roles are effective follows it at once."""
    if caller.stores:
        raise NotAllowedError(why="it is limited to some stores, and this is the whole chain's")
    check_settings(settings)
    chain = await callers_chain(caller, chains=desk.chains)
    return await desk.settings.save(settings, chain=chain.id)


def day_of(chain: Chain, now: datetime) -> date:
    """Return which day it is for the chain."""
    return now.astimezone(ZoneInfo(chain.time_zone)).date()


async def _check_named(wanted: Sequence[StaffMember], chain: str, desk: StaffDesk) -> None:
    stores = frozenset[str]().union(*(one.stores for one in wanted))
    members = sorted({one.member for one in wanted if one.member})
    held = {store.id for store in await desk.stores.find(chain, stores)} if stores else set()
    cards = await desk.members.find(chain, members) if members else {}
    named = await desk.named.named(chain)
    for number, one in enumerate(wanted):
        if missing := sorted(one.stores - held):
            raise NoStoreError(field=f"staff.{number}.storeIds", store=missing[0])
        if one.member and one.member not in cards:
            raise NoMemberError(field=f"staff.{number}.memberId", member=one.member)
        for region in sorted(one.regions):
            named.check_region(region, field=f"staff.{number}.regions")


def _is_own(one: StaffMember, caller: Principal) -> bool:
    """Tell whether the caller may change somebody: one with stores only who is for those alone."""
    return not caller.stores or (bool(one.stores) and one.stores <= caller.stores and not one.regions)


def _is_seen(one: StaffMember, caller: Principal) -> bool:
    return not caller.stores or bool(one.stores & caller.stores)
