"""Two small subgraphs that share Member, over a channel that answers from memory and remembers what it was asked."""

import asyncio
from collections.abc import Callable
from enum import Enum
from typing import Annotated, Any, cast

import strawberry

from protos.members.v1 import members_pb2
from protos.members.v1.members_pb2_grpc import MembersStub
from protos.points.v1 import points_pb2
from protos.points.v1.points_pb2_grpc import PointsStub
from services.kit.errors import Kind, Problem
from services.kit.graph import (
    BY_ID,
    INPUT,
    After,
    Caller,
    Channels,
    Connection,
    First,
    GraphContext,
    Info,
    Money,
    Page,
    SafeInt,
    Subgraph,
    UserError,
    allow,
    field,
    loader,
    mutation,
    page_loader,
)
from services.kit.graph.schema import ServedSchema
from services.kit.principal import Principal

READERS = allow(Caller.MEMBER, Caller.STAFF, scope="members:read")


@loader(most=1_000)
async def members_by_id(context: GraphContext, ids: list[str]) -> list["Member | None"]:
    members = context.channel("members")
    answer = await members.ask(members.stub(MembersStub).GetMembers, members_pb2.GetMembersRequest(ids=ids))
    found = {one.id: Member(id=strawberry.ID(one.id), name=one.profile.name) for one in answer.members}
    return [found.get(key) for key in ids]


@strawberry.federation.type(name="Member", keys=["id"], description="A guest.")
class Member:
    id: strawberry.ID
    name: str

    @classmethod
    def resolve_reference(cls, info: Info, id: strawberry.ID) -> Any:  # noqa: A002 - the key's name
        return members_by_id.load(info, id)

    @field(READERS, description="What breaks when it is asked for.")
    def broken(self) -> str:
        message = "secret words of the inside"
        raise RuntimeError(message)


@strawberry.type(name="Query")
class MembersQuery:
    @field(READERS, description="One.")
    async def member(self, info: Info, member_id: Annotated[strawberry.ID, BY_ID]) -> Member | None:
        return await members_by_id.load(info, member_id)

    @field(READERS, description="The first so many.")
    async def members(self, info: Info, count: int) -> list[Member | None]:
        return await members_by_id.load_many(info, [f"mem_{number}" for number in range(count)])

    @field(allow(Caller.STAFF), description="Waits for ever.")
    async def stuck(self) -> str:
        await asyncio.Event().wait()
        return ""


@strawberry.enum
class RenameErrorCode(Enum):
    INVALID = "INVALID"
    NOT_FOUND = "NOT_FOUND"
    CONFLICT = "CONFLICT"
    REFUSED = "REFUSED"
    NAME_TAKEN = "NAME_TAKEN"
    DENIED = "DENIED"  # for an item of a batch; a whole call that is denied is an error all the same


@strawberry.type
class RenameError(UserError):
    code: RenameErrorCode


@strawberry.input
class RenameInput:
    id: strawberry.ID
    name: str


@strawberry.type
class RenamePayload:
    user_errors: list[RenameError]
    before: str | None = None
    id: strawberry.Private[str] = ""

    @field(READERS, description="As it is now; null when it was not renamed.")
    async def member(self, info: Info) -> Member | None:
        return await members_by_id.load(info, self.id) if self.id else None


@strawberry.type(name="Mutation")
class MembersMutation:
    @mutation(allow(Caller.STAFF, scope="members:write"), description="Gives a name.")
    async def rename(self, info: Info, wish: Annotated[RenameInput, INPUT]) -> RenamePayload:
        members = info.context.channel("members")
        wanted = members_pb2.NewMember(profile=members_pb2.Profile(name=wish.name))
        request = members_pb2.EnrollMemberRequest(key=wish.id, member=wanted)
        before = await members_by_id.load(info, wish.id)
        await members.ask_once(members.stub(MembersStub).EnrollMember, request)
        return RenamePayload(user_errors=[], before=before.name if before else None, id=wish.id)


@strawberry.type(description="What happened to points.")
class Entry:
    id: strawberry.ID
    points: SafeInt


@loader(most=1_000)
async def accounts(context: GraphContext, ids: list[str]) -> list[points_pb2.Account]:
    points = context.channel("points")
    answer = await points.ask(points.stub(PointsStub).GetAccounts, points_pb2.GetAccountsRequest(member_ids=ids))
    return list(answer.accounts)


@page_loader()
async def entries(context: GraphContext, ids: list[str], page: Page) -> list[Connection[Entry]]:
    points = context.channel("points")
    request = points_pb2.ListEntriesRequest(member_ids=ids, page=page.to_proto())
    answer = await points.ask(points.stub(PointsStub).ListEntries, request)
    return [
        Connection.of([Entry(id=strawberry.ID(e.id), points=e.points) for e in found.entries], page, end_cursor="more")
        for found in answer.pages
    ]


@strawberry.federation.type(name="Member", keys=["id"], description="A guest.")
class MemberInPoints:
    id: strawberry.ID

    @field(allow(Caller.MEMBER, Caller.STAFF, scope="points:read"), description="What can be spent.")
    async def points(self, info: Info) -> SafeInt:
        return (await accounts.load(info, self.id)).available_points

    @field(allow(Caller.MEMBER, Caller.STAFF, scope="points:read"), description="What counts so far.")
    async def spend(self, info: Info) -> Money:
        return Money.of((await accounts.load(info, self.id)).tier.qualifying_spend)

    @field(allow(Caller.MEMBER, Caller.STAFF, scope="points:read"), description="The newest first.")
    async def entries(self, info: Info, first: First = 20, after: After = None) -> Connection[Entry]:
        return await entries.load(info, self.id, first=first, after=after)


MEMBERS = Subgraph("members", query=MembersQuery, mutation=MembersMutation)
POINTS = Subgraph("points", types=[MemberInPoints])


class NameTakenError(Problem):
    """{name} is taken."""

    kind = Kind.CONFLICT
    code = "NAME_TAKEN"


class Memory:
    """Both services; `asked` holds every request. `mem_nobody` does not exist."""

    def __init__(self) -> None:
        self.asked: list[Any] = []  # protos
        self.names: dict[str, str] = {}
        self.raises: Problem | None = None
        self.hold: asyncio.Event | None = None  # answers wait for it

    def stub(self, stub_class: Callable[..., Any]) -> Any:
        names = [name for name in vars(stub_class) if not name.startswith("_")]
        return type("Stub", (), dict.fromkeys([*names, "GetMembers", "EnrollMember", "GetAccounts", "ListEntries"]))()

    async def call(self, method: Any, request: Any, *, principal: Principal, **_options: Any) -> Any:
        assert (method, principal.chain) == (None, "chn_1")
        self.asked.append(request)
        await (self.hold.wait() if self.hold else asyncio.sleep(0))
        if self.raises is not None:
            raise self.raises
        return self._answers[type(request)](self, request)

    def stream(self, method: Any, request: Any, **_options: Any) -> Any:
        raise NotImplementedError(method, request)  # nothing here has many answers

    def _members(self, request: members_pb2.GetMembersRequest) -> members_pb2.GetMembersResponse:
        return members_pb2.GetMembersResponse(
            members=[
                members_pb2.Member(id=key, profile=members_pb2.Profile(name=self.names.get(key, f"name of {key}")))
                for key in request.ids
                if key != "mem_nobody"
            ]
        )

    def _enroll(self, request: members_pb2.EnrollMemberRequest) -> members_pb2.EnrollMemberResponse:
        name = request.member.profile.name
        if name == "taken":
            raise NameTakenError(field="name", name=name)
        self.names[request.key] = name
        return members_pb2.EnrollMemberResponse()

    def _accounts(self, request: points_pb2.GetAccountsRequest) -> points_pb2.GetAccountsResponse:
        return points_pb2.GetAccountsResponse(
            accounts=[points_pb2.Account(member_id=key, available_points=5_000_000_000) for key in request.member_ids]
        )

    def _entries(self, request: points_pb2.ListEntriesRequest) -> points_pb2.ListEntriesResponse:
        pages = [
            points_pb2.EntryPage(entries=[points_pb2.Entry(id=f"ent_{key}", points=request.page.first)])
            for key in request.member_ids
        ]
        return points_pb2.ListEntriesResponse(pages=pages)

    _answers = cast(
        "dict[type[Any], Callable[..., Any]]",
        {
            members_pb2.GetMembersRequest: _members,
            members_pb2.EnrollMemberRequest: _enroll,
            points_pb2.GetAccountsRequest: _accounts,
            points_pb2.ListEntriesRequest: _entries,
        },
    )


STAFF = Principal(
    "chn_1", Caller.STAFF, "key_1", frozenset({"members:read", "members:write", "points:read"}), frozenset()
)


async def ask(
    schema: ServedSchema,
    query: str,
    *,
    memory: Memory | None = None,
    caller: Principal | None = STAFF,
    **variables: Any,
) -> dict[str, Any]:
    """Return what the caller gets, as JSON would show it."""
    memory = memory or Memory()
    channels = Channels({"members": memory, "points": memory})
    context = GraphContext(caller=caller, channels=channels, trace_id="4bf9")
    result = await schema.answer(schema.documents.known(query), context=context, variables=variables)
    answer: dict[str, Any] = {"data": result.data}
    if result.errors:
        answer["errors"] = [error.formatted for error in result.errors]
    return answer
