"""Show members' cases and invitations, many members at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.feedback.domain import Case, Invitation
from services.kit.errors import Kind, Problem
from services.kit.principal import Principal

MAX_MEMBERS = 100
MAX_CASES = 1_000
MAX_INVITATIONS = 10
"""Of one member. They are a month apart, so that more would be older than anybody remembers."""

DEFAULT_FIRST = 20
MAX_FIRST = 100


class PageTooLargeError(Problem):
    """Too much for one call: {why}."""

    kind = Kind.INVALID
    code = "TOO_MANY"


@dataclass(frozen=True, slots=True)
class CasePage:
    """Cases, the newest first, and the case after which to go on; empty: this was the last page."""

    cases: tuple[Case, ...]
    next_after: str


class Voices(Protocol):
    """Where cases and invitations are read."""

    async def cases(
        self, chain: str, members: Sequence[str], *, after: str, first: int
    ) -> Mapping[str, Sequence[Case]]:
        """Return up to `first` cases of each member that are older than the case `after`, the newest first."""

    async def waiting(self, chain: str, members: Sequence[str], *, first: int) -> Mapping[str, Sequence[Invitation]]:
        """Return up to `first` unanswered invitations of each member, the newest first."""


async def list_cases(
    members: Sequence[str], *, caller: Principal, first: int, after: str, voices: Voices
) -> list[CasePage]:
    """Return a page of the cases of each of `members`, in order; empty for those whom the caller may not see."""
    first = first or DEFAULT_FIRST
    if not 1 <= first <= MAX_FIRST:
        raise PageTooLargeError(field="first", why=f"first must be 1 to {MAX_FIRST}")
    if len(members) > MAX_MEMBERS or len(members) * first > MAX_CASES:
        raise PageTooLargeError(field="first", why=f"{len(members)} members of {first} cases; ask for fewer")
    visible = [member for member in members if caller.may_see_member(member)]
    # One more than asked for tells whether there is a next page.
    found = await voices.cases(caller.chain, visible, after=after, first=first + 1) if visible else {}
    return [_page(found.get(member, ()), first) for member in members]


async def list_invitations(members: Sequence[str], *, caller: Principal, voices: Voices) -> list[Sequence[Invitation]]:
    """Return the waiting invitations of each of `members`, in order; none for those whom the caller may not see."""
    if len(members) > MAX_MEMBERS:
        raise PageTooLargeError(field="memberIds", why=f"ask for at most {MAX_MEMBERS} members")
    visible = [member for member in members if caller.may_see_member(member)]
    found = await voices.waiting(caller.chain, visible, first=MAX_INVITATIONS) if visible else {}
    return [found.get(member, ()) for member in members]


def _page(cases: Sequence[Case], first: int) -> CasePage:
    shown = tuple(cases[:first])
    return CasePage(shown, shown[-1].id if len(cases) > first else "")
