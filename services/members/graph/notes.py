"""Notes on members over the graph."""

from enum import Enum
from typing import Annotated

import strawberry

from protos.members.v1 import attributes_pb2
from protos.members.v1 import notes_pb2 as pb
from protos.members.v1.notes_pb2_grpc import NotesStub
from services.kit.graph import (
    INPUT,
    After,
    Caller,
    Connection,
    First,
    GraphContext,
    Info,
    Instant,
    Page,
    UserError,
    allow,
    field,
    instant,
    mutation,
    page_loader,
)
from services.members.graph.attributes import ViewerRole
from services.members.graph.keys import KEY

READERS = allow(Caller.STAFF, Caller.TILL, scope="care:read")
WRITERS = allow(Caller.STAFF, scope="care:write")


@strawberry.type(description="What somebody wrote down about a member. It is never changed.")
class Note:
    """A note."""

    id: strawberry.ID = strawberry.field(description="`note_…`.")
    text: str = strawberry.field(description="As it was written.")
    written_by: str = strawberry.field(description='Like "staff:key_…".')
    written_at: Instant = strawberry.field(description="When.")
    roles: list[ViewerRole] = strawberry.field(description="Who reads it.")


@strawberry.type
class NoteFields:
    """What a member shows of the notes on it."""

    id: strawberry.ID

    @field(READERS, description="Notes that are for the caller's role, the latest first.")
    async def notes(self, info: Info, first: First = 20, after: After = None) -> Connection[Note]:
        """Load a page, together with those of the other members of this level."""
        return await notes_of.load(info, self.id, first=first, after=after)


@page_loader()
async def notes_of(context: GraphContext, ids: list[str], page: Page) -> list[Connection[Note]]:
    """Fetch pages; empty ones for those whom the caller may not see."""
    service = context.channel("members")
    request = pb.ListNotesRequest(member_ids=ids, page=page.to_proto())
    answer = await service.ask(service.stub(NotesStub).ListNotes, request)
    found = {
        one.member_id: Connection.of([_note(each) for each in one.notes], page, end_cursor=one.end_cursor)
        for one in answer.members
    }
    return [found.get(id_) or Connection.of(list[Note](), page, end_cursor="") for id_ in ids]


@strawberry.input(description="What is to be written down about a member.")
class AddNoteInput:
    """A note."""

    key: str = strawberry.field(description=KEY)
    member_id: strawberry.ID = strawberry.field(description="About whom.")
    text: str = strawberry.field(description="1 to 4,000 characters.")
    roles: list[ViewerRole] = strawberry.field(
        default_factory=list,
        description="Who reads it: tills, cashiers, store managers, service agents, marketers, admins. Empty: store "
        "managers, service agents and admins.",
    )


@strawberry.input(description="A note that is to go.")
class DeleteNoteInput:
    """A deletion."""

    key: str = strawberry.field(description=KEY)
    member_id: strawberry.ID = strawberry.field(description="About whom it is.")
    note_id: strawberry.ID = strawberry.field(description="`note_…`.")


@strawberry.enum(description="Why a note was not written or deleted.")
class NoteErrorCode(Enum):
    """Codes of `NoteError`."""

    INVALID = strawberry.enum_value("INVALID", description="The input is wrong by itself.")
    NOT_FOUND = strawberry.enum_value("NOT_FOUND", description="What is named does not exist in this chain.")
    CONFLICT = strawberry.enum_value("CONFLICT", description="It is in use with other content.")
    REFUSED = strawberry.enum_value("REFUSED", description="The state does not allow it.")
    INVALID_NOTE = strawberry.enum_value("INVALID_NOTE", description="No note can be like that.")
    TOO_MANY_NOTES = strawberry.enum_value("TOO_MANY_NOTES", description="A member has at most 1,000.")
    NOTE_NOT_FOUND = strawberry.enum_value("NOTE_NOT_FOUND", description="None that the caller may see.")
    INVALID_KEY = strawberry.enum_value("INVALID_KEY", description="The command key is too short or too long.")
    KEY_REUSED = strawberry.enum_value("KEY_REUSED", description="The command key was used for something else.")
    MEMBER_NOT_FOUND = strawberry.enum_value("MEMBER_NOT_FOUND", description="There is no such member.")
    CHAIN_NOT_FOUND = strawberry.enum_value("CHAIN_NOT_FOUND", description="The caller's chain is not open.")


@strawberry.type(description="Why a note was not written or deleted.")
class NoteError(UserError):
    """An item of `userErrors`."""

    code: NoteErrorCode = strawberry.field(description="For programs.")


@strawberry.type(description="The note's id, or why it was not written.")
class AddNotePayload:
    """A written note."""

    user_errors: list[NoteError] = strawberry.field(description="Empty: it is written.")
    note_id: strawberry.ID | None = strawberry.field(default=None, description="Null when it was not written.")
    repeated_call: bool = strawberry.field(default=False, description="The key had been used for it before.")


@strawberry.type(description="That the note is gone, or why not.")
class DeleteNotePayload:
    """A deleted note."""

    user_errors: list[NoteError] = strawberry.field(description="Empty: it is gone.")
    repeated_call: bool = strawberry.field(default=False, description="The key had been used for it before.")


@strawberry.type
class NoteMutation:
    """Writing and deleting."""

    @mutation(WRITERS, description="Writes a note on a member down. The key makes it safe to send again.")
    async def add_note(self, info: Info, wish: Annotated[AddNoteInput, INPUT]) -> AddNotePayload:
        """Add a note."""
        service = info.context.channel("members")
        roles = [attributes_pb2.ViewerRole.Value(f"VIEWER_ROLE_{one.name}") for one in wish.roles]
        request = pb.AddNoteRequest(key=wish.key, member_id=wish.member_id, text=wish.text, roles=roles)
        answer = await service.ask(service.stub(NotesStub).AddNote, request)
        return AddNotePayload(user_errors=[], note_id=strawberry.ID(answer.note_id), repeated_call=answer.repeated_call)

    @mutation(WRITERS, description="Deletes a note for good. Its author may, and an admin.")
    async def delete_note(self, info: Info, wish: Annotated[DeleteNoteInput, INPUT]) -> DeleteNotePayload:
        """Delete a note."""
        service = info.context.channel("members")
        request = pb.DeleteNoteRequest(key=wish.key, member_id=wish.member_id, note_id=wish.note_id)
        answer = await service.ask(service.stub(NotesStub).DeleteNote, request)
        return DeleteNotePayload(user_errors=[], repeated_call=answer.repeated_call)


def _note(one: pb.Note) -> Note:
    return Note(
        id=strawberry.ID(one.id),
        text=one.text,
        written_by=one.written_by,
        written_at=instant(one.written_at),
        roles=[ViewerRole[attributes_pb2.ViewerRole.Name(each).removeprefix("VIEWER_ROLE_")] for each in one.roles],
    )
