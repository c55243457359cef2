"""Follow-ups: make them, change them, and list them by member or by when they are due."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from services.kit.principal import NotAllowedError, Principal
from services.members.domain.chains import Chain
from services.members.domain.follow_ups import (
    MAX_FOLLOW_UPS,
    READERS,
    FollowUp,
    FollowUpState,
    InactiveStaffError,
    NoFollowUpError,
    TooManyFollowUpsError,
    WantedChange,
    changed,
    check_follow_up,
)
from services.members.domain.staff import NoStaffError
from services.members.domain.visibility import Role
from services.members.usecases.changes import Change, ChangeDesk, carry_out
from services.members.usecases.looks import Look, Looks
from services.members.usecases.member_pages import MemberPage, check_pages, pages_of
from services.members.usecases.members import MemberFinder, find_visible, role_of
from services.members.usecases.notes import living
from services.members.usecases.units import CommandKey, Unit

SHOWN = "follow_ups"
"""As what follow-ups are on record in looks."""


@dataclass(frozen=True, slots=True)
class Due:
    """A place in the order in which follow-ups are due."""

    at: datetime
    id: str


@dataclass(frozen=True, slots=True)
class DueSearch:
    """Which follow-ups are wanted. `staff` empty: everybody's; `before` None: however late they are due."""

    state: FollowUpState = FollowUpState.OPEN
    staff: str = ""
    before: datetime | None = None


@dataclass(frozen=True, slots=True)
class DuePage:
    """A page of follow-ups, the first due first, and where the next one begins; None on the last."""

    items: Sequence[FollowUp]
    next_after: Due | None


@dataclass(frozen=True, slots=True)
class ChangedFollowUp:
    """A follow-up as it is by now."""

    follow_up: str
    member: str
    version: int
    repeated_call: bool


class FollowUps(Protocol):
    """Where follow-ups are looked up."""

    async def latest(
        self, chain: str, members: Collection[str], *, before: str, first: int
    ) -> Mapping[str, Sequence[FollowUp]]:
        """Return by id up to `first` follow-ups, the last made first, before the one with the id `before`."""

    async def due(self, chain: str, wanted: DueSearch, *, after: Due | None, first: int) -> Sequence[FollowUp]:
        """Return up to `first` follow-ups in the order in which they are due, after a place."""


@dataclass(frozen=True, slots=True)
class FollowUpDesk:
    """What showing follow-ups needs from outside."""

    members: MemberFinder
    follow_ups: FollowUps
    looks: Looks


@dataclass(frozen=True, slots=True)
class WantedFollowUp:
    """A follow-up as it came."""

    member: str
    kind: str
    due_at: datetime
    staff: str
    text: str = ""


async def add_follow_up(wanted: WantedFollowUp, *, change: Change, desk: ChangeDesk) -> ChangedFollowUp:
    """Make a follow-up for somebody who is active."""
    _reader(change.caller)
    new = FollowUp(
        id=desk.make_id("fup", change.now),
        member=wanted.member,
        kind=wanted.kind,
        due_at=wanted.due_at,
        staff=wanted.staff,
        text=wanted.text,
        created_by=change.by,
        created_at=change.now,
        changed_by=change.by,
        changed_at=change.now,
    )
    check_follow_up(new, now=change.now)

    async def body(unit: Unit, _chain: Chain, command: CommandKey) -> ChangedFollowUp:
        member = await living(unit, wanted.member)
        if (first := await unit.answered(command)) is not None:
            return _answer(first)
        await _check_staff(unit, new.staff)
        if await unit.follow_ups.count(member.ids) >= MAX_FOLLOW_UPS:
            raise TooManyFollowUpsError(field="memberId", most=MAX_FOLLOW_UPS)
        made = replace(new, member=member.id)
        await unit.follow_ups.add(made)
        unit.keep(member)
        return await _note(unit, command, made)

    return await carry_out(change, ("follow-up", wanted), body, desk=desk)


async def change_follow_up(
    member_id: str, follow_up_id: str, wanted: WantedChange, *, change: Change, desk: ChangeDesk
) -> ChangedFollowUp:
    """Change an open follow-up that is still at the version that was looked at; a new assignee must be active."""
    _reader(change.caller)

    async def body(unit: Unit, _chain: Chain, command: CommandKey) -> ChangedFollowUp:
        member = await living(unit, member_id)
        if (first := await unit.answered(command)) is not None:
            return _answer(first)
        before = await unit.follow_ups.find(member.ids, follow_up_id)
        if before is None:
            raise NoFollowUpError(field="followUpId", follow_up=follow_up_id)
        after = changed(before, wanted, by=change.by, now=change.now)
        if after.staff != before.staff:
            await _check_staff(unit, after.staff)
        if after != before:
            await unit.follow_ups.keep(after)
            unit.keep(member)
        return await _note(unit, command, after)

    return await carry_out(change, ("change follow-up", member_id, follow_up_id, wanted), body, desk=desk)


async def list_follow_ups(
    member_ids: Sequence[str],
    *,
    caller: Principal,
    before: str,
    first: int,
    look_id: str,
    now: datetime,
    desk: FollowUpDesk,
) -> list[MemberPage[FollowUp]]:
    """Return a page of each member's follow-ups, the last made first, and record that they were shown."""
    role = _reader(caller)
    check_pages(member_ids, first=first)
    found = await find_visible(member_ids, caller=caller, members=desk.members)
    ids = {id_ for member in found.values() for id_ in member.ids}
    rows = await desk.follow_ups.latest(caller.chain, ids, before=before, first=first + 1) if ids else {}
    pages = pages_of(member_ids, found, rows, first=first)
    shown = tuple(dict.fromkeys(found[page.asked].id for page in pages if page.items))
    await _record(shown, caller=caller, role=role, look_id=look_id, now=now, looks=desk.looks)
    return pages


async def list_due(
    wanted: DueSearch,
    *,
    caller: Principal,
    after: Due | None,
    first: int,
    look_id: str,
    now: datetime,
    desk: FollowUpDesk,
) -> DuePage:
    """Return a page of follow-ups in the order in which they are due, and record that they were shown."""
    role = _reader(caller)
    found = await desk.follow_ups.due(caller.chain, wanted, after=after, first=first + 1)
    last = found[first - 1] if len(found) > first else None
    shown = tuple(dict.fromkeys(one.member for one in found[:first]))
    await _record(shown, caller=caller, role=role, look_id=look_id, now=now, looks=desk.looks)
    return DuePage(found[:first], None if last is None else Due(last.due_at, last.id))


async def _record(
    members: tuple[str, ...], *, caller: Principal, role: Role, look_id: str, now: datetime, looks: Looks
) -> None:
    if members:
        await looks.note(caller.chain, Look(look_id, now, f"{caller.kind}:{caller.id}", role, members, (SHOWN,)))


def _reader(caller: Principal) -> Role:
    if (role := role_of(caller)) not in READERS:
        raise NotAllowedError(why=f"its role {role} has no business with single guests")
    return role


async def _check_staff(unit: Unit, staff: str) -> None:
    active = (await unit.follow_ups.staff([staff])).get(staff)
    if active is None:
        raise NoStaffError(field="staffId", staff=staff)
    if not active:
        raise InactiveStaffError(field="staffId", staff=staff)


async def _note(unit: Unit, command: CommandKey, one: FollowUp) -> ChangedFollowUp:
    said = f"{one.id} {one.member} {one.version}"
    await unit.answer(command, said.encode(), summary=f"{one.id} of {one.member} was written with it")
    return ChangedFollowUp(one.id, one.member, one.version, repeated_call=False)


def _answer(first: bytes) -> ChangedFollowUp:
    id_, member, version = first.decode().split(" ")
    return ChangedFollowUp(id_, member, int(version), repeated_call=True)
