"""Activities from other systems: record them, show a member's, and count what is planned."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Protocol

from services.kit.errors import Problem
from services.kit.ids import MakeId
from services.kit.principal import Caller, NotAllowedError, Principal
from services.members.domain.activities import (
    MAX_PLANNED_DAYS,
    Activity,
    ActivityKind,
    ActivityStatus,
    Details,
    InvalidActivityError,
    Planned,
    PlannedHour,
    Recorded,
    check_activity,
    planned_hours,
)
from services.members.domain.chains import Chain
from services.members.domain.identities import IdentityKind, InvalidIdentityError, identity, identity_hash
from services.members.domain.stores import NoStoreError
from services.members.domain.visibility import SIGHT, Field, Sight
from services.members.usecases.cards import Cards, WrittenScan, verify_codes
from services.members.usecases.chains import ChainFinder, callers_chain
from services.members.usecases.limits import check_count
from services.members.usecases.looks import RECORDED, Look, Looks
from services.members.usecases.members import WrittenIdentity, role_of
from services.members.usecases.stores import Stores
from services.members.usecases.timelines import IdFinder, Place, own_ids

MAX_RECORDED = 500
"""Activities in one call, which is one transaction."""

LOOKED_AT = "activities"
"""As what a look at texts is recorded."""

Who = str | bytes | None
"""A member's id, the keyed hash of an identity (empty: of none that anybody has), or None where nobody was named."""


class Span(StrEnum):
    """Which of a member's activities."""

    ALL = "all"  # the latest first
    UPCOMING = "upcoming"  # planned and still to come, the next first
    PAST = "past"  # those whose time has come, the latest first


@dataclass(frozen=True, slots=True)
class WantedActivity:
    """An activity as it was told. `member` is an id where it is text, None where nobody was named.

    `kind`, `status` and `changed_at` are None where they were not said.
    """

    source: str
    external_id: str
    member: str | WrittenIdentity | WrittenScan | None
    kind: ActivityKind | None
    status: ActivityStatus | None
    details: Details
    changed_at: datetime | None
    revision: int = 0


@dataclass(frozen=True, slots=True)
class ActivityPage:
    """A page; `next_after` is None on the last."""

    activities: Sequence[Activity]
    next_after: Place | None


class ActivityStore(Protocol):
    """Where activities are kept."""

    async def record(
        self,
        chain: str,
        wanted: Sequence[tuple[Who, Activity]],
        *,
        new_id: Callable[[], str],
        check_change: Callable[[Activity], None],
    ) -> Sequence[Recorded | Problem]:
        """Fold `wanted` over what is there, in one transaction; an answer for each, in the order of the input."""

    async def page(
        self, chain: str, member_ids: Sequence[str], span: Span, *, now: datetime, after: Place | None, first: int
    ) -> Sequence[Activity]:
        """Return the first `first` activities of the span under these ids, after `after`, in the span's order."""

    async def planned(self, chain: str, store: str, *, since: datetime, until: datetime) -> Sequence[Planned]:
        """Return what is planned in the store from `since` on and before `until`, by the quarters of hours."""


@dataclass(frozen=True, slots=True)
class ActivityDesk:
    """What the use cases of activities need from outside."""

    chains: ChainFinder
    stores: Stores
    members: IdFinder
    cards: Cards
    activities: ActivityStore
    looks: Looks
    make_id: MakeId


async def record_activities(
    wanted: Sequence[WantedActivity], *, caller: Principal, now: datetime, desk: ActivityDesk
) -> list[Recorded | Problem]:
    """Add or change activities, by their source and its id; each has its own answer, and a bad one fails alone."""
    check_count(wanted, field="activities", most=MAX_RECORDED)
    chain = await callers_chain(caller, chains=desk.chains)
    stores = await _stores([one.details.store for one in wanted], caller, desk)
    checked: list[_Checked | Problem] = []
    for one in wanted:
        try:
            checked.append(_check(one, stores, chain, caller=caller, now=now))
        except Problem as problem:
            checked.append(problem)
    good = [one for one in checked if not isinstance(one, Problem)]
    scans = [one.who for one in good if isinstance(one.who, WrittenScan)]
    shown = iter(await verify_codes(scans, caller=caller, now=now, cards=desk.cards))
    told: list[tuple[Who, Activity]] = [
        (next(shown).member or b"" if isinstance(one.who, WrittenScan) else one.who, one.activity) for one in good
    ]
    recorded = iter(
        await desk.activities.record(
            chain.id, told, new_id=partial(desk.make_id, "act", now), check_change=partial(_check_store, caller)
        )
    )
    return [one if isinstance(one, Problem) else next(recorded) for one in checked]


async def list_activities(
    member_id: str, span: Span, *, caller: Principal, after: Place | None, first: int, now: datetime, desk: ActivityDesk
) -> ActivityPage:
    """Return a page of a member's activities, whatever its id was then; that staff is shown texts is recorded."""
    ids = await own_ids(member_id, caller=caller, members=desk.members)
    found = await desk.activities.page(caller.chain, ids, span, now=now, after=after, first=first + 1)
    page = found[:first]
    role = role_of(caller)
    # What was said to a waiter is as personal as what a kitchen must know.
    if SIGHT[Field.NEEDS, role] is not Sight.ALL:
        page = [replace(one, details=replace(one.details, text="")) for one in page]
    elif caller.kind in RECORDED and any(one.details.text for one in page):
        look = Look(desk.make_id("look", now), now, f"{caller.kind}:{caller.id}", role, (ids[0],), (LOOKED_AT,))
        await desk.looks.note(caller.chain, look)
    return ActivityPage(page, Place(page[-1].at, page[-1].id) if len(found) > first else None)


async def count_planned(
    store: str, since: date, until: date, *, caller: Principal, desk: ActivityDesk
) -> list[PlannedHour]:
    """Return what is planned in a store, by the hours of its clock, on days of its own calendar, both included."""
    if not 0 <= (until - since).days < MAX_PLANNED_DAYS:
        raise InvalidActivityError(field="untilDay", why=f"ask for 1 to {MAX_PLANNED_DAYS} days")
    [*known] = await desk.stores.find(caller.chain, frozenset({store}))
    if not known:
        raise NoStoreError(field="storeId", store=store)
    # No clock differs from UTC by more than a day.
    begin = datetime.combine(since, datetime.min.time(), tzinfo=UTC) - timedelta(days=1)
    end = begin + timedelta(days=(until - since).days + 3)
    planned = await desk.activities.planned(caller.chain, store, since=begin, until=end)
    return planned_hours(planned, time_zone=known[0].time_zone, since=since, until=until)


@dataclass(frozen=True, slots=True)
class _Checked:
    """An activity that can be, and by what its member is named."""

    who: Who | WrittenScan
    activity: Activity


def _check(
    wanted: WantedActivity, stores: frozenset[str], chain: Chain, *, caller: Principal, now: datetime
) -> _Checked:
    if wanted.kind is None:
        raise InvalidActivityError(field="kind", why="say what kind of activity it is")
    if wanted.status is None:
        raise InvalidActivityError(field="status", why="say what has become of it")
    if wanted.changed_at is None:
        raise InvalidActivityError(field="changedAt", why="say when this version of it was made")
    details = replace(wanted.details, store=_store(wanted.details.store, caller))
    activity = Activity(
        source=wanted.source,
        external_id=wanted.external_id,
        kind=wanted.kind,
        status=wanted.status,
        details=details,
        changed_at=wanted.changed_at,
        revision=wanted.revision,
    )
    check_activity(activity, now=now)
    if details.store and details.store not in stores:
        raise NoStoreError(field="storeId", store=details.store)
    if isinstance(wanted.member, WrittenScan):
        scan = replace(wanted.member, store=wanted.member.store or details.store)
        if not caller.may_use_store(scan.store):
            raise NotAllowedError(field="identity.storeId", why="its key is for other stores")
        return _Checked(scan, activity)
    return _Checked(_who(wanted.member, chain), activity)


def _who(said: str | WrittenIdentity | None, chain: Chain) -> Who:
    """Return by what the member is looked up: an id, or an identity's hash."""
    if not isinstance(said, WrittenIdentity):
        return said
    # A payer's hash is what points alone makes; nobody is named by one from outside.
    if said.kind is None or said.kind is IdentityKind.PAYER:
        raise InvalidIdentityError(field="identity.kind", why="say whether it is a phone, an e-mail, a card or an id")
    found = identity(said.kind, said.value, calling_code=chain.calling_code, field="identity.value")
    return identity_hash(found, key=chain.identity_key)


async def _stores(named: Sequence[str], caller: Principal, desk: ActivityDesk) -> frozenset[str]:
    """Return those of the named stores, and of the caller's own, that exist."""
    asked = frozenset(named) - {""} | caller.stores
    return frozenset(store.id for store in await desk.stores.find(caller.chain, asked)) if asked else frozenset()


def _store(wanted: str, caller: Principal) -> str:
    if not wanted and caller.kind is Caller.TILL and len(caller.stores) == 1:
        return next(iter(caller.stores))
    if not caller.may_use_store(wanted):
        raise NotAllowedError(field="storeId", why="its key is for other stores")
    return wanted


def _check_store(caller: Principal, before: Activity) -> None:
    if not caller.may_use_store(before.details.store):
        raise NotAllowedError(field="storeId", why="it is known in a store that the key is not for")
