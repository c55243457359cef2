"""Follow-ups over the graph."""

from enum import Enum
from typing import Annotated

import strawberry

from protos.members.v1 import follow_ups_pb2 as pb
from protos.members.v1.follow_ups_pb2_grpc import FollowUpsStub
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
    SafeInt,
    UserError,
    allow,
    field,
    instant,
    mutation,
    page_loader,
    timestamp,
)
from services.members.graph.keys import KEY

READERS = allow(Caller.STAFF, scope="care:read")
WRITERS = allow(Caller.STAFF, scope="care:write")


@strawberry.enum(description="What became of a follow-up.")
class FollowUpState(Enum):
    """Named as in the proto."""

    OPEN = strawberry.enum_value("OPEN", description="It is to be done.")
    DONE = strawberry.enum_value("DONE", description="It was done.")
    CANCELLED = strawberry.enum_value("CANCELLED", description="It is not needed any more.")


@strawberry.type(description="What somebody of the staff is to do about a member, and until when.")
class FollowUp:
    """A follow-up."""

    id: strawberry.ID = strawberry.field(description="`fup_…`.")
    member_id: strawberry.ID = strawberry.field(description="About whom; perhaps by an id from before a merge.")
    kind: str = strawberry.field(description="A code of the chain's own.")
    due_at: Instant = strawberry.field(description="Until when.")
    staff_id: strawberry.ID = strawberry.field(description="Who is to do it.")
    text: str = strawberry.field(description="What about; may be empty.")
    state: FollowUpState = strawberry.field(description="What became of it.")
    overdue: bool = strawberry.field(description="Open, and due before now.")
    created_by: str = strawberry.field(description='Like "staff:key_…".')
    created_at: Instant = strawberry.field(description="When it was made.")
    changed_by: str = strawberry.field(description="Whose the latest change is.")
    changed_at: Instant = strawberry.field(description="When that was.")
    version: SafeInt = strawberry.field(description="Grows by one with every change.")


@strawberry.type
class FollowUpFields:
    """What a member shows of its follow-ups."""

    id: strawberry.ID

    @field(READERS, description="What is, or was, to be done about the member, the last made first.")
    async def follow_ups(self, info: Info, first: First = 20, after: After = None) -> Connection[FollowUp]:
        """Load a page, together with those of the other members of this level."""
        return await follow_ups_of.load(info, self.id, first=first, after=after)


@page_loader()
async def follow_ups_of(context: GraphContext, ids: list[str], page: Page) -> list[Connection[FollowUp]]:
    """Fetch pages; empty ones for those whom the caller may not see."""
    service = context.channel("members")
    request = pb.ListFollowUpsRequest(member_ids=ids, page=page.to_proto())
    answer = await service.ask(service.stub(FollowUpsStub).ListFollowUps, request)
    found = {
        one.member_id: Connection.of([_follow_up(each) for each in one.follow_ups], page, end_cursor=one.end_cursor)
        for one in answer.members
    }
    return [found.get(id_) or Connection.of(list[FollowUp](), page, end_cursor="") for id_ in ids]


@strawberry.type
class FollowUpQuery:
    """What is due."""

    @field(READERS, description="Follow-ups in the order in which they are due.")
    async def follow_ups(
        self,
        info: Info,
        *,
        staff_id: Annotated[strawberry.ID | None, strawberry.argument(description="Whose; null: everybody's.")] = None,
        state: Annotated[FollowUpState, strawberry.argument(description="At what they are.")] = FollowUpState.OPEN,
        due_before: Annotated[Instant | None, strawberry.argument(description="Null: however late.")] = None,
        first: First = 20,
        after: After = None,
    ) -> Connection[FollowUp]:
        """Ask for a page."""
        page = Page.checked(first=first, after=after)
        service = info.context.channel("members")
        request = pb.ListDueFollowUpsRequest(
            staff_id=staff_id or "",
            state=_state(state),
            due_before=None if due_before is None else timestamp(due_before),
            page=page.to_proto(),
        )
        answer = await service.ask(service.stub(FollowUpsStub).ListDueFollowUps, request)
        return Connection.of([_follow_up(one) for one in answer.follow_ups], page, end_cursor=answer.end_cursor)


@strawberry.input(description="What is to be done about a member.")
class AddFollowUpInput:
    """A follow-up."""

    key: str = strawberry.field(description=KEY)
    member_id: strawberry.ID = strawberry.field(description="About whom.")
    kind: str = strawberry.field(description="A code of the chain's own, 1 to 64 characters.")
    due_at: Instant = strawberry.field(description="Until when, within five years.")
    staff_id: strawberry.ID = strawberry.field(description="Who is to do it; must be active.")
    text: str = strawberry.field(default="", description="What about, up to 2,000 characters.")


@strawberry.input(description="What of an open follow-up is otherwise from now on; what is null stays.")
class ChangeFollowUpInput:
    """A change."""

    key: str = strawberry.field(description=KEY)
    member_id: strawberry.ID = strawberry.field(description="About whom it is.")
    follow_up_id: strawberry.ID = strawberry.field(description="`fup_…`.")
    version: SafeInt = strawberry.field(description="The version that was looked at; refused when it has another.")
    kind: str | None = strawberry.field(default=None, description="A code of the chain's own, 1 to 64 characters.")
    due_at: Instant | None = strawberry.field(default=None, description="Until when, within five years.")
    staff_id: strawberry.ID | None = strawberry.field(default=None, description="Who is to do it; must be active.")
    text: str | None = strawberry.field(default=None, description="What about, up to 2,000 characters.")
    state: FollowUpState | None = strawberry.field(default=None, description="Once closed, it stays as it is.")


@strawberry.enum(description="Why a follow-up was not made or changed.")
class FollowUpErrorCode(Enum):
    """Codes of `FollowUpError`."""

    INVALID = strawberry.enum_value("INVALID", description="The input is wrong by itself.")
    NOT_FOUND = strawberry.enum_value("NOT_FOUND", description="What is named does not exist in this chain.")
    CONFLICT = strawberry.enum_value("CONFLICT", description="It is in use with other content.")
    REFUSED = strawberry.enum_value("REFUSED", description="The state does not allow it.")
    INVALID_FOLLOW_UP = strawberry.enum_value("INVALID_FOLLOW_UP", description="No follow-up can be like that.")
    FOLLOW_UP_NOT_FOUND = strawberry.enum_value("FOLLOW_UP_NOT_FOUND", description="The member has no such one.")
    FOLLOW_UP_CLOSED = strawberry.enum_value("FOLLOW_UP_CLOSED", description="It is closed, and stays so.")
    FOLLOW_UP_CHANGED = strawberry.enum_value("FOLLOW_UP_CHANGED", description="It was changed meanwhile.")
    TOO_MANY_FOLLOW_UPS = strawberry.enum_value("TOO_MANY_FOLLOW_UPS", description="A member has at most 1,000.")
    STAFF_NOT_FOUND = strawberry.enum_value("STAFF_NOT_FOUND", description="There is no such staff member.")
    STAFF_INACTIVE = strawberry.enum_value("STAFF_INACTIVE", description="Who is not active is assigned nothing.")
    INVALID_KEY = strawberry.enum_value("INVALID_KEY", description="The command key is too short or too long.")
    KEY_REUSED = strawberry.enum_value("KEY_REUSED", description="The command key was used for something else.")
    MEMBER_NOT_FOUND = strawberry.enum_value("MEMBER_NOT_FOUND", description="There is no such member.")
    CHAIN_NOT_FOUND = strawberry.enum_value("CHAIN_NOT_FOUND", description="The caller's chain is not open.")


@strawberry.type(description="Why a follow-up was not made or changed.")
class FollowUpError(UserError):
    """An item of `userErrors`."""

    code: FollowUpErrorCode = strawberry.field(description="For programs.")


@strawberry.type(description="The follow-up's id and version, or why it was not made or changed.")
class FollowUpPayload:
    """The answer."""

    user_errors: list[FollowUpError] = strawberry.field(description="Empty: it was done.")
    follow_up_id: strawberry.ID | None = strawberry.field(default=None, description="Null when nothing was done.")
    version: SafeInt | None = strawberry.field(default=None, description="Which version it is at by that.")
    repeated_call: bool = strawberry.field(default=False, description="The key had been used for it before.")


@strawberry.type
class FollowUpMutation:
    """Making and changing."""

    @mutation(WRITERS, description="Makes a follow-up. The key makes it safe to send again.")
    async def add_follow_up(self, info: Info, wish: Annotated[AddFollowUpInput, INPUT]) -> FollowUpPayload:
        """Make a follow-up."""
        service = info.context.channel("members")
        request = pb.AddFollowUpRequest(
            key=wish.key,
            member_id=wish.member_id,
            kind=wish.kind,
            due_at=timestamp(wish.due_at),
            staff_id=wish.staff_id,
            text=wish.text,
        )
        return _payload(await service.ask(service.stub(FollowUpsStub).AddFollowUp, request))

    @mutation(WRITERS, description="Changes an open follow-up: assigns it anew, puts it off, closes it.")
    async def change_follow_up(self, info: Info, wish: Annotated[ChangeFollowUpInput, INPUT]) -> FollowUpPayload:
        """Change a follow-up."""
        service = info.context.channel("members")
        request = pb.ChangeFollowUpRequest(
            key=wish.key,
            member_id=wish.member_id,
            follow_up_id=wish.follow_up_id,
            version=wish.version,
            kind=wish.kind,
            due_at=None if wish.due_at is None else timestamp(wish.due_at),
            staff_id=wish.staff_id or "",
            text=wish.text,
            state=pb.FOLLOW_UP_STATE_UNSPECIFIED if wish.state is None else _state(wish.state),
        )
        return _payload(await service.ask(service.stub(FollowUpsStub).ChangeFollowUp, request))


def _payload(answer: pb.FollowUpResponse) -> FollowUpPayload:
    return FollowUpPayload(
        user_errors=[],
        follow_up_id=strawberry.ID(answer.follow_up_id),
        version=answer.version,
        repeated_call=answer.repeated_call,
    )


def _state(state: FollowUpState) -> pb.FollowUpState.ValueType:
    return pb.FollowUpState.Value(f"FOLLOW_UP_STATE_{state.name}")


def _follow_up(one: pb.FollowUp) -> FollowUp:
    return FollowUp(
        id=strawberry.ID(one.id),
        member_id=strawberry.ID(one.member_id),
        kind=one.kind,
        due_at=instant(one.due_at),
        staff_id=strawberry.ID(one.staff_id),
        text=one.text,
        state=FollowUpState[pb.FollowUpState.Name(one.state).removeprefix("FOLLOW_UP_STATE_")],
        overdue=one.overdue,
        created_by=one.created_by,
        created_at=instant(one.created_at),
        changed_by=one.changed_by,
        changed_at=instant(one.changed_at),
        version=one.version,
    )
