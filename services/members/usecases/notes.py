"""Notes: write them down, show them to whom they are for, delete them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from services.kit.principal import NotAllowedError, Principal
from services.members.domain.chains import Chain
from services.members.domain.members import Member, NoMemberError
from services.members.domain.notes import MAX_NOTES, READERS, NoNoteError, Note, TooManyNotesError, check_note
from services.members.domain.visibility import Role
from services.members.usecases.changes import Change, ChangeDesk, carry_out
from services.members.usecases.looks import RECORDED, Look, Looks
from services.members.usecases.member_pages import MemberPage, check_pages, pages_of
from services.members.usecases.members import MemberFinder, find_visible, role_of
from services.members.usecases.units import CommandKey, Unit

SHOWN = "notes"
"""As what notes are on record in looks."""


class Notes(Protocol):
    """Where notes are looked up."""

    async def latest(
        self, chain: str, members: Collection[str], *, role: Role, before: str, first: int
    ) -> Mapping[str, Sequence[Note]]:
        """Return by id up to `first` notes for `role`, the latest first, before the one with the id `before`."""


@dataclass(frozen=True, slots=True)
class AddedNote:
    """Of whom a note was written down."""

    member: str
    note: str
    repeated_call: bool


async def add_note(member_id: str, text: str, roles: frozenset[Role], *, change: Change, desk: ChangeDesk) -> AddedNote:
    """Write a note down. No `roles`: for those who look after guests."""
    wanted = Note(desk.make_id("note", change.now), member_id, text, change.by, change.now, roles or READERS)
    check_note(wanted)

    async def body(unit: Unit, _chain: Chain, command: CommandKey) -> AddedNote:
        member = await living(unit, member_id)
        if (first := await unit.answered(command)) is not None:
            return AddedNote(member.id, first.decode(), repeated_call=True)
        if await unit.notes.count(member.ids) >= MAX_NOTES:
            raise TooManyNotesError(field="memberId", most=MAX_NOTES)
        await unit.notes.add(replace(wanted, member=member.id))
        unit.keep(member)
        await unit.answer(command, wanted.id.encode(), summary=f"a note on {member.id} was written with it")
        return AddedNote(member.id, wanted.id, repeated_call=False)

    return await carry_out(change, ("note", member_id, text, sorted(wanted.roles)), body, desk=desk)


async def delete_note(member_id: str, note_id: str, *, change: Change, desk: ChangeDesk) -> bool:
    """Delete a note for good: its author may, and an admin. Returns whether it had been done before."""
    role = role_of(change.caller)

    async def body(unit: Unit, _chain: Chain, command: CommandKey) -> bool:
        if await unit.answered(command) is not None:
            return True
        member = await living(unit, member_id)
        note = await unit.notes.find(member.ids, note_id)
        if note is None or role not in note.roles:
            raise NoNoteError(field="noteId", note=note_id)
        if role is not Role.ADMIN and note.by != change.by:
            raise NotAllowedError(field="noteId", why="it deletes its own notes only")
        await unit.notes.delete(note)
        await unit.answer(command, b"", summary=f"a note on {member.id} was deleted with it")
        return False

    return await carry_out(change, ("delete note", member_id, note_id), body, desk=desk)


async def list_notes(
    member_ids: Sequence[str],
    *,
    caller: Principal,
    before: str,
    first: int,
    look_id: str,
    now: datetime,
    members: MemberFinder,
    notes: Notes,
    looks: Looks,
) -> list[MemberPage[Note]]:
    """Return a page of the notes on each member that are for the caller's role, and record that they were shown."""
    check_pages(member_ids, first=first)
    role = role_of(caller)
    found = await find_visible(member_ids, caller=caller, members=members)
    ids = {id_ for member in found.values() for id_ in member.ids}
    rows = await notes.latest(caller.chain, ids, role=role, before=before, first=first + 1) if ids else {}
    pages = pages_of(member_ids, found, rows, first=first)
    shown = tuple(dict.fromkeys(found[page.asked].id for page in pages if page.items))
    if shown and caller.kind in RECORDED:
        look = Look(look_id, now, f"{caller.kind}:{caller.id}", role, shown, (SHOWN,))
        await looks.note(caller.chain, look)
    return pages


async def living(unit: Unit, member_id: str) -> Member:
    """Return the member that is meant, or raise NoMemberError for one that does not exist or was erased."""
    member = await unit.survivor(member_id)
    if member.erased_at:
        raise NoMemberError(field="memberId", member=member_id)
    return member
