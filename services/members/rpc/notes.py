"""The Notes servicer."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from protos.members.v1 import attributes_pb2, notes_pb2_grpc
from protos.members.v1 import notes_pb2 as pb
from services.kit.chain_clocks import ChainClocks
from services.kit.rpc.server import caller
from services.kit.timestamps import to_timestamp
from services.members.domain.notes import InvalidNoteError, Note
from services.members.domain.visibility import Role
from services.members.rpc.asking import change_of
from services.members.rpc.attributes import ROLE_OF, ROLES
from services.members.rpc.pages import decoded, encoded, size
from services.members.usecases.changes import ChangeDesk
from services.members.usecases.looks import Looks
from services.members.usecases.members import MemberFinder
from services.members.usecases.notes import Notes, add_note, delete_note, list_notes


@dataclass(frozen=True, slots=True)
class NotesServicer(notes_pb2_grpc.NotesServicer):
    """protos/members/v1/notes.proto."""

    changes: ChangeDesk
    clocks: ChainClocks
    members: MemberFinder
    notes: Notes
    looks: Looks

    async def AddNote(self, request: pb.AddNoteRequest, _context: Any) -> pb.AddNoteResponse:  # noqa: N802 - gRPC's name
        """Write a note down."""
        done = await add_note(
            request.member_id,
            request.text,
            _roles(request.roles),
            change=await change_of(request.key, self.clocks),
            desk=self.changes,
        )
        return pb.AddNoteResponse(member_id=done.member, note_id=done.note, repeated_call=done.repeated_call)

    async def DeleteNote(self, request: pb.DeleteNoteRequest, _context: Any) -> pb.DeleteNoteResponse:  # noqa: N802 - gRPC's name
        """Delete a note."""
        change = await change_of(request.key, self.clocks)
        repeated = await delete_note(request.member_id, request.note_id, change=change, desk=self.changes)
        return pb.DeleteNoteResponse(repeated_call=repeated)

    async def ListNotes(self, request: pb.ListNotesRequest, _context: Any) -> pb.ListNotesResponse:  # noqa: N802 - gRPC's name
        """Show notes."""
        who = caller()
        now = await self.clocks.now(who.chain)
        pages = await list_notes(
            request.member_ids,
            caller=who,
            before=decoded(request.page.after),
            first=size(request.page),
            look_id=self.changes.make_id("look", now),
            now=now,
            members=self.members,
            notes=self.notes,
            looks=self.looks,
        )
        return pb.ListNotesResponse(
            members=[
                pb.MemberNotes(
                    member_id=page.asked,
                    notes=[_note_proto(one) for one in page.items],
                    end_cursor=encoded(page.next_after),
                )
                for page in pages
            ]
        )


def _roles(roles: Iterable[attributes_pb2.ViewerRole.ValueType]) -> frozenset[Role]:
    if not set(roles) <= ROLES.keys():
        raise InvalidNoteError(field="roles", why="one of the roles is not known here")
    return frozenset(ROLES[role] for role in roles)


def _note_proto(one: Note) -> pb.Note:
    return pb.Note(
        id=one.id,
        text=one.text,
        written_by=one.by,
        written_at=to_timestamp(one.at),
        roles=sorted(ROLE_OF[role] for role in one.roles),
    )
