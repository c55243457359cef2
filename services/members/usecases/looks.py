"""Who looked at which personal data of whom."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.kit.principal import Caller, Principal
from services.members.domain.members import Member
from services.members.domain.visibility import Role, seen_by

RECORDED = frozenset({Caller.STAFF, Caller.TILL, Caller.PARTNER})
"""Guests look at themselves, and services are shown nothing personal."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look: `members` are the ids of those who were shown, `fields` what of them, in part or whole."""

    id: str
    at: datetime
    by: str
    role: Role
    members: tuple[str, ...]
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LookPage:
    """A page of looks, the latest first, and the id after which the next one begins; empty on the last."""

    looks: Sequence[Look]
    next_after: str


class Looks(Protocol):
    """Where looks are kept."""

    async def note(self, chain: str, look: Look) -> None:
        """Keep a look before anything is shown."""

    async def page(self, chain: str, member_ids: Sequence[str], *, before: str, first: int) -> Sequence[Look]:
        """Return up to `first` looks at these members, the latest first, older than the one with the id `before`."""


async def note_look(
    members: Sequence[Member], *, caller: Principal, role: Role, look_id: str, now: datetime, looks: Looks
) -> None:
    """Record that `members` are about to be shown to the caller; not those of whom nothing is known any more."""
    shown = tuple(member.id for member in members if not member.erased_at)
    fields = seen_by(role)
    if caller.kind not in RECORDED or not shown or not fields:
        return
    await looks.note(caller.chain, Look(look_id, now, f"{caller.kind}:{caller.id}", role, shown, fields))


async def list_looks(
    member_ids: Sequence[str], *, caller: Principal, before: str, first: int, looks: Looks
) -> LookPage:
    """Return a page of the looks at a member, by all of its ids."""
    found = await looks.page(caller.chain, member_ids, before=before, first=first + 1)
    return LookPage(found[:first], found[first - 1].id if len(found) > first else "")
