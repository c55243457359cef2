"""Erase a person: what is left of the member is a number on receipts that balance."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from services.members.domain.chains import Chain
from services.members.domain.facts import MemberErased
from services.members.domain.members import Member, NoMemberError, Source
from services.members.domain.profiles import Profile
from services.members.usecases.changes import Change, ChangeDesk, carry_out
from services.members.usecases.units import CommandKey, Unit


@dataclass(frozen=True, slots=True)
class ErasedMember:
    """Who was erased, under all of its ids, and since when it is."""

    ids: tuple[str, ...]
    erased_at: datetime


@dataclass(frozen=True, slots=True)
class Erasure:
    """That a member was erased. Lists are in the order of time and id."""

    member: str
    at: datetime


class Erasures(Protocol):
    """What the vault remembers of erasures, whatever backup the rest is restored from."""

    async def erasures(self, chain: str, *, after: Erasure | None, first: int) -> Sequence[Erasure]:
        """Return up to `first` erasures of the chain, in their order, after the given one."""


async def erase_member(member_id: str, *, change: Change, desk: ChangeDesk) -> ErasedMember:
    """Forget the person for good, under every id that it has had. To be erased again changes nothing."""

    async def body(unit: Unit, _chain: Chain, _command: CommandKey) -> ErasedMember:
        return await erase_within(unit, member_id, now=change.now)

    return await carry_out(change, ("erase", member_id), body, desk=desk)


async def erase_within(unit: Unit, member_id: str, *, now: datetime) -> ErasedMember:
    """Erase in a unit of work that does more besides."""
    survivor = await unit.survivor(member_id)
    members = await unit.members(survivor.ids)
    if survivor.erased_at:
        return ErasedMember(survivor.ids, survivor.erased_at)
    for member in members.values():
        unit.keep(_erased(member, now))
        unit.tell(MemberErased(member.id, now))
    await unit.release([held.hash for held in await unit.held_by(survivor.ids)])
    await unit.forget(survivor.ids)
    return ErasedMember(survivor.ids, now)


def _erased(member: Member, now: datetime) -> Member:
    if member.erased_at:
        raise NoMemberError(field="memberId", member=member.id)
    # Where and by whom a member was won stays, as the chain's own figures are made of it; who recommended it does not.
    source = Source(store=member.source.store, staff=member.source.staff, partner=member.source.partner)
    gone = replace(member, profile=Profile(), tags=(), open_attributes=frozenset(), source=source)
    return replace(gone, erased_at=now, version=member.version + 1)
