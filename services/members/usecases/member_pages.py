"""Pages of what is kept of members: of many members at once, each by all of its ids."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from services.members.domain.members import Member
from services.members.usecases.limits import check_count

MAX_MEMBERS = 100
MAX_ROWS = 1_000
"""Of all members' pages together."""


class Kept(Protocol):
    """Something that is kept of a member. Ids grow with time."""

    @property
    def id(self) -> str:
        """Its own id."""


T = TypeVar("T", bound=Kept)


@dataclass(frozen=True, slots=True)
class MemberPage(Generic[T]):
    """A page of what is kept of one member, the latest first, and the id after which it goes on; empty on the last.

    `asked` is the id that was asked for.
    """

    asked: str
    items: Sequence[T]
    next_after: str


def check_pages(member_ids: Sequence[str], *, first: int) -> None:
    """Refuse more members than pages of this size can be asked for."""
    check_count(member_ids, field="memberIds", most=min(MAX_MEMBERS, max(1, MAX_ROWS // first)))


def pages_of(
    asked: Sequence[str], found: Mapping[str, Member], rows: Mapping[str, Sequence[T]], *, first: int
) -> list[MemberPage[T]]:
    """Put together what was found under each id: `rows` has, by id, the latest `first` + 1 of it or all there is."""
    pages = []
    for id_ in dict.fromkeys(asked):
        if id_ in found:
            theirs = sorted((row for one in found[id_].ids for row in rows.get(one, ())), key=lambda row: row.id)[::-1]
            pages.append(MemberPage(id_, theirs[:first], theirs[first - 1].id if len(theirs) > first else ""))
    return pages
