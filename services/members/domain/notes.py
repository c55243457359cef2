"""Notes: what staff writes down about a member, for those whom it concerns."""

from dataclasses import dataclass
from datetime import datetime

from services.kit.errors import Kind, Problem
from services.members.domain.visibility import Role

MAX_NOTES = 1_000
"""Of one member, under all of its ids."""

MAX_NOTE_LENGTH = 4_000

READERS = frozenset({Role.STORE_MANAGER, Role.SERVICE_AGENT, Role.ADMIN})
"""Who reads a note of which nothing else is said."""

MAY_READ = READERS | {Role.TILL, Role.CASHIER, Role.MARKETER}
"""Whom a note can be written for. A member asks for a copy of its data; it does not read over staff's shoulders."""


class InvalidNoteError(Problem):
    """The note is not right: {why}."""

    kind = Kind.INVALID
    code = "INVALID_NOTE"


class TooManyNotesError(Problem):
    """A member has at most {most} notes. Delete some first."""

    kind = Kind.REFUSED
    code = "TOO_MANY_NOTES"


class NoNoteError(Problem):
    """There is no note {note} of this member that the caller may see."""

    kind = Kind.NOT_FOUND
    code = "NOTE_NOT_FOUND"


@dataclass(frozen=True, slots=True)
class Note:
    """One note, under the id that the member had when it was written. Ids grow with time."""

    id: str
    member: str
    text: str
    by: str  # like "staff:key_…"
    at: datetime
    roles: frozenset[Role] = READERS


def check_note(note: Note) -> None:
    """Refuse, with the field at fault, what cannot be written down."""
    if not 1 <= len(note.text.strip()) <= len(note.text) <= MAX_NOTE_LENGTH:
        raise InvalidNoteError(field="text", why=f"it has 1 to {MAX_NOTE_LENGTH} characters")
    if never := sorted(note.roles - MAY_READ):
        raise InvalidNoteError(field="roles", why=f"notes are not for {never[0]}")
