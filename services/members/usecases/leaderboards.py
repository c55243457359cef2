"""Targets of staff and stores, and the monthly leaderboard of a store."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.kit.principal import NotAllowedError, Principal
from services.members.domain.credits import Counts
from services.members.domain.leaderboards import Board, Target, check_month, check_targets, part_of, ranked
from services.members.domain.staff import NoStaffError, StaffMember
from services.members.domain.stores import NoStoreError
from services.members.usecases.limits import check_count
from services.members.usecases.staff import MAX_PAGE, PageSizeError, StaffStore
from services.members.usecases.stores import Stores

STAFF_PREFIX = "stf_"

MAX_ON_BOARD = 1_000
"""People of one store's board: those of the store, and those who were credited there."""


class Targets(Protocol):
    """Where targets and the sums of credits are kept."""

    async def save(self, targets: Sequence[Target], *, chain: str) -> None:
        """Keep targets in the place of those of the same subject and month."""

    async def find(self, chain: str, subjects: Collection[str], month: str) -> Mapping[str, Target]:
        """Return the targets of a month, by subject."""

    async def counts(self, chain: str, *, store: str, month: str, most: int) -> Mapping[str, Counts]:
        """Return what staff are credited with in a store and month, by their ids."""


@dataclass(frozen=True, slots=True)
class BoardDesk:
    """What boards need from outside."""

    staff: StaffStore
    stores: Stores
    targets: Targets


@dataclass(frozen=True, slots=True)
class Shown:
    """A part of a board, and who stands on it, by id."""

    board: Board
    staff: Mapping[str, StaffMember]


async def set_targets(targets: Sequence[Target], *, caller: Principal, desk: BoardDesk) -> None:
    """Set targets, all or none; the same again changes nothing. A caller with stores sets those of its own."""
    check_count(targets, field="targets")
    check_targets(targets)
    subjects = {one.subject for one in targets}
    staff = {one.id: one for one in await desk.staff.find(caller.chain, sorted(subjects))}
    stores = {one.id for one in await desk.stores.find(caller.chain, frozenset(subjects))} if subjects else set()
    for number, target in enumerate(targets):
        field = f"targets.{number}.subjectId"
        somebody = staff.get(target.subject)
        if somebody is None and target.subject not in stores:
            if target.subject.startswith(STAFF_PREFIX):
                raise NoStaffError(field=field, staff=target.subject)
            raise NoStoreError(field=field, store=target.subject)
        concerned = frozenset({target.subject}) if somebody is None else somebody.stores
        if caller.stores and not (concerned and concerned <= caller.stores):
            raise NotAllowedError(field=field, why="its key is for other stores")
    await desk.targets.save(targets, chain=caller.chain)


async def show_board(store: str, month: str, *, first: int, after: str, caller: Principal, desk: BoardDesk) -> Shown:
    """Return a part of the store's board of a month of its calendar."""
    check_month(month, field="month")
    if not 1 <= first <= MAX_PAGE:
        raise PageSizeError(field="first", most=MAX_PAGE)
    if not caller.may_use_store(store):
        raise NotAllowedError(field="storeId", why="its key is for other stores")
    if not await desk.stores.find(caller.chain, frozenset({store})):
        raise NoStoreError(field="storeId", store=store)
    own = await desk.staff.page(caller.chain, stores=frozenset({store}), after="", most=MAX_ON_BOARD)
    counts = await desk.targets.counts(caller.chain, store=store, month=month, most=MAX_ON_BOARD)
    active = {one.id for one in own if one.active}
    targets = await desk.targets.find(caller.chain, {*active, *counts, store}, month)
    places = ranked(counts, staff=active, targets=targets)
    board = part_of(places, first=first, after=after, target=targets.get(store))
    names = await desk.staff.find(caller.chain, [place.staff for place in board.places])
    return Shown(board, {one.id: one for one in names})
