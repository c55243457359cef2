"""Ask members about their visits, and remember who they are."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from services.feedback import domain
from services.feedback.domain import Invitation, Visit
from services.kit.ids import MakeId

Name = tuple[str, str]
"""A chain, and a member of it."""


class Unit(Protocol):
    """One transaction: what it reads is one state, and what it writes is written together or not at all."""

    async def asked_about(self, members: Collection[Name], *, since: datetime) -> Mapping[Name, datetime]:
        """Return when the newest purchase took place that each member was asked about, under any of the ids that are
        one with it, if after `since`."""

    async def families(self, members: Collection[Name]) -> Mapping[Name, frozenset[str]]:
        """Return the ids that are one with each member, its own among them."""

    async def add_invitations(self, invitations: Sequence[tuple[str, Invitation]]) -> None:
        """Write invitations, each with its chain."""

    async def keep_members(self, members: Collection[Name]) -> None:
        """Remember who exists."""


async def invite(visits: Sequence[Visit], *, unit: Unit, make_id: MakeId, nows: Mapping[str, datetime]) -> None:
    """Ask about each visit that may be asked about; later visits see what the earlier ones of the batch led to.

    `nows`: what time it is for each chain.
    """
    timely = [visit for visit in visits if domain.may_invite(visit, asked_about=None, now=nows[visit.chain])]
    if not timely:
        return
    since = min(visit.occurred_at for visit in timely) - domain.QUIET
    names = {(visit.chain, visit.member) for visit in timely}
    asked, families = dict(await unit.asked_about(names, since=since)), await unit.families(names)
    invitations = []
    for visit in timely:
        name, now = (visit.chain, visit.member), nows[visit.chain]
        if domain.may_invite(visit, asked_about=asked.get(name), now=now):
            asked.update(((visit.chain, id_), visit.occurred_at) for id_ in families[name])
            invitations.append((visit.chain, domain.invite(visit, invitation_id=make_id("inv", now), now=now)))
    if invitations:
        await unit.add_invitations(invitations)


async def keep_members(members: Sequence[Name], *, unit: Unit) -> None:
    """Remember who was enrolled."""
    if members:
        await unit.keep_members(members)
