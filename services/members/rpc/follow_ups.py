"""The FollowUps servicer."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from protos.common.v1.page_pb2 import Page
from protos.members.v1 import follow_ups_pb2 as pb
from protos.members.v1 import follow_ups_pb2_grpc
from services.kit.chain_clocks import ChainClocks
from services.kit.rpc.server import caller
from services.kit.timestamps import to_timestamp
from services.members.domain.follow_ups import FollowUp, FollowUpState, InvalidFollowUpError, WantedChange
from services.members.rpc.asking import change_of
from services.members.rpc.member_words import moment
from services.members.rpc.pages import CursorError, decoded, encoded, size
from services.members.usecases.changes import ChangeDesk
from services.members.usecases.follow_ups import (
    ChangedFollowUp,
    Due,
    DueSearch,
    FollowUpDesk,
    WantedFollowUp,
    add_follow_up,
    change_follow_up,
    list_due,
    list_follow_ups,
)

STATES = {pb.FollowUpState.Value(f"FOLLOW_UP_STATE_{one.name}"): one for one in FollowUpState}
_STATE_OF = {one: number for number, one in STATES.items()}


@dataclass(frozen=True, slots=True)
class FollowUpsServicer(follow_ups_pb2_grpc.FollowUpsServicer):
    """protos/members/v1/follow_ups.proto."""

    changes: ChangeDesk
    clocks: ChainClocks
    desk: FollowUpDesk

    async def AddFollowUp(self, request: pb.AddFollowUpRequest, _context: Any) -> pb.FollowUpResponse:  # noqa: N802 - gRPC's name
        """Make a follow-up."""
        if not request.HasField("due_at"):
            raise InvalidFollowUpError(field="dueAt", why="say when it is due")
        wanted = WantedFollowUp(request.member_id, request.kind, moment(request.due_at), request.staff_id, request.text)
        change = await change_of(request.key, self.clocks)
        return _done(await add_follow_up(wanted, change=change, desk=self.changes))

    async def ChangeFollowUp(self, request: pb.ChangeFollowUpRequest, _context: Any) -> pb.FollowUpResponse:  # noqa: N802 - gRPC's name
        """Change a follow-up."""
        wanted = WantedChange(
            version=request.version,
            kind=request.kind if request.HasField("kind") else None,
            due_at=moment(request.due_at) if request.HasField("due_at") else None,
            staff=request.staff_id or None,
            text=request.text if request.HasField("text") else None,
            state=STATES.get(request.state),
        )
        change = await change_of(request.key, self.clocks)
        done = await change_follow_up(request.member_id, request.follow_up_id, wanted, change=change, desk=self.changes)
        return _done(done)

    async def ListFollowUps(self, request: pb.ListFollowUpsRequest, _context: Any) -> pb.ListFollowUpsResponse:  # noqa: N802 - gRPC's name
        """Show members' follow-ups."""
        now = await self.clocks.now(caller().chain)
        pages = await list_follow_ups(
            request.member_ids,
            caller=caller(),
            before=decoded(request.page.after),
            first=size(request.page),
            look_id=self.changes.make_id("look", now),
            now=now,
            desk=self.desk,
        )
        return pb.ListFollowUpsResponse(
            members=[
                pb.MemberFollowUps(
                    member_id=page.asked,
                    follow_ups=[_proto(one, now) for one in page.items],
                    end_cursor=encoded(page.next_after),
                )
                for page in pages
            ]
        )

    async def ListDueFollowUps(  # noqa: N802 - gRPC's name
        self, request: pb.ListDueFollowUpsRequest, _context: Any
    ) -> pb.ListDueFollowUpsResponse:
        """Show what is due."""
        now = await self.clocks.now(caller().chain)
        page = await list_due(
            DueSearch(
                state=STATES.get(request.state, FollowUpState.OPEN),
                staff=request.staff_id,
                before=moment(request.due_before) if request.HasField("due_before") else None,
            ),
            caller=caller(),
            after=_place(request.page),
            first=size(request.page),
            look_id=self.changes.make_id("look", now),
            now=now,
            desk=self.desk,
        )
        after = page.next_after
        return pb.ListDueFollowUpsResponse(
            follow_ups=[_proto(one, now) for one in page.items],
            end_cursor="" if after is None else encoded(f"{after.at.isoformat()} {after.id}"),
        )


def _place(page: Page) -> Due | None:
    if not page.after:
        return None
    at, _, id_ = decoded(page.after).partition(" ")
    try:
        place = Due(datetime.fromisoformat(at), id_)
    except ValueError:
        raise CursorError(field="after") from None
    if place.at.tzinfo is None:
        raise CursorError(field="after")
    return place


def _done(done: ChangedFollowUp) -> pb.FollowUpResponse:
    return pb.FollowUpResponse(
        follow_up_id=done.follow_up, member_id=done.member, version=done.version, repeated_call=done.repeated_call
    )


def _proto(one: FollowUp, now: datetime) -> pb.FollowUp:
    return pb.FollowUp(
        id=one.id,
        member_id=one.member,
        kind=one.kind,
        due_at=to_timestamp(one.due_at),
        staff_id=one.staff,
        text=one.text,
        state=_STATE_OF[one.state],
        overdue=one.is_overdue(now),
        created_by=one.created_by,
        created_at=to_timestamp(one.created_at),
        changed_by=one.changed_by,
        changed_at=to_timestamp(one.changed_at),
        version=one.version,
    )
