"""Show what happened with a member."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.kit.principal import Caller, Principal
from services.members.domain.members import NoMemberError
from services.members.domain.timeline import Happening


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of a timeline goes on: before this moment and ref."""

    at: datetime
    ref: str


@dataclass(frozen=True, slots=True)
class TimelinePage:
    """A page, the latest first; `next_before` is None on the last."""

    happenings: Sequence[Happening]
    next_before: Place | None


class Timelines(Protocol):
    """Where timelines are kept."""

    async def page(
        self, chain: str, member_ids: Sequence[str], *, before: Place | None, first: int
    ) -> Sequence[Happening]:
        """Return the latest `first` happenings under these ids, before `before`."""


class IdFinder(Protocol):
    """Where members' former ids are looked up."""

    async def ids_of(self, chain: str, member_id: str) -> tuple[str, ...]:
        """Return all ids under which something may be known of the member; none of one that does not exist."""


async def own_ids(member_id: str, *, caller: Principal, members: IdFinder) -> tuple[str, ...]:
    """Return all ids of a member that the caller may look at; NoMemberError for any other."""
    ids = await members.ids_of(caller.chain, member_id)
    if not ids or (caller.kind is Caller.MEMBER and caller.id not in ids):
        raise NoMemberError(field="memberId", member=member_id)
    return ids


async def get_timeline(
    member_id: str, *, caller: Principal, before: Place | None, first: int, members: IdFinder, timelines: Timelines
) -> TimelinePage:
    """Return a page of everything that happened with the member, whatever its id was then."""
    ids = await own_ids(member_id, caller=caller, members=members)
    found = await timelines.page(caller.chain, ids, before=before, first=first + 1)
    last = found[first - 1] if len(found) > first else None
    return TimelinePage(found[:first], None if last is None else Place(last.at, last.ref))
