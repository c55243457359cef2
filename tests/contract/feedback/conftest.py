"""The feedback service on a real database: its store, its handler, its servicer, and members behind real gRPC."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from protos.common.v1.page_pb2 import Page
from protos.events.v1.members_pb2 import MemberEnrolled
from protos.events.v1.points_pb2 import PurchaseBooked, TierChanged
from protos.feedback.v1 import feedback_pb2 as pb
from protos.feedback.v1.feedback_pb2_grpc import FeedbackStub, add_FeedbackServicer_to_server
from protos.members.v1 import members_pb2
from protos.members.v1.members_pb2_grpc import add_MembersServicer_to_server
from services.feedback.clients import MembersClient
from services.feedback.consumers import NewsHandler
from services.feedback.rpc import FeedbackServicer
from services.feedback.store.collections import ANSWERS, CASES, INVITATIONS, KNOWN_MEMBERS
from services.feedback.store.migrations import MIGRATIONS
from services.feedback.store.voices import MongoVoices
from services.feedback.usecases.answers import Listener
from services.kit.ids import make_id
from services.kit.mongo import command_keys
from services.kit.mongo.chain_clocks import MongoChainClocks
from services.kit.mongo.collections import Keyed
from services.kit.mongo.command_keys import COMMAND_KEYS
from services.kit.mongo.database import Database, Driver
from services.kit.outbox import outbox
from services.kit.outbox.events import Event
from services.kit.outbox.outbox import OUTBOX, Outbox
from services.kit.principal import Caller, Principal
from services.kit.rabbit import inbox
from services.kit.rpc import RemoteProblem, RpcChannel
from services.kit.rpc.server import caller
from services.kit.timestamps import to_timestamp
from tests.support.clock import START, FixedClock
from tests.support.recycled import Recycled
from tests.support.served import served

if TYPE_CHECKING:
    from protos.feedback.v1.feedback_pb2_grpc import FeedbackAsyncStub

SCOPES = frozenset({"feedback:read", "feedback:write"})
STAFF = Principal(chain="chn_1", kind=Caller.STAFF, id="key_1", scopes=SCOPES)
TILL = Principal(chain="chn_1", kind=Caller.TILL, id="key_2", scopes=SCOPES, stores=frozenset({"sto_1"}))
ADA = Principal(chain="chn_1", kind=Caller.MEMBER, id="mem_ada")


def told(
    body: MemberEnrolled | PurchaseBooked | TierChanged, sequence: int, *, stream: str, chain: str = "chn_1"
) -> Event:
    return Event(
        id=f"{stream}/{chain}/{body.member_id}/{sequence}",
        chain=chain,
        stream=stream,
        aggregate=body.member_id,
        sequence=sequence,
        type=body.DESCRIPTOR.full_name,
        at=START,
        body=body.SerializeToString(),
    )


def bought(
    number: int = 1, *, at: datetime = START, member: str = "mem_ada", store: str = "sto_1", chain: str = "chn_1"
) -> Event:
    body = PurchaseBooked(purchase_id=f"pur_{number}", member_id=member, store_id=store, occurred_at=to_timestamp(at))
    return told(body, number, stream="points.account", chain=chain)


def enrolled(member: str = "mem_ada", *, chain: str = "chn_1") -> Event:
    return told(MemberEnrolled(member_id=member), 1, stream="members.member", chain=chain)


@dataclass
class Directory:
    """members, as far as feedback asks: chn_1 has Ada and Bob."""

    asked: list[tuple[str, str, list[str]]] = field(default_factory=list)

    async def GetMembers(self, request: members_pb2.GetMembersRequest, _context: Any) -> members_pb2.GetMembersResponse:  # noqa: N802 - gRPC's name
        who = caller()
        self.asked.append((who.kind, who.chain, list(request.ids)))
        found = {"mem_ada", "mem_bob"}.intersection(request.ids) if who.chain == "chn_1" else set()
        return members_pb2.GetMembersResponse(
            members=[members_pb2.Member(id=id_) for id_ in sorted(found)], asked_ids=sorted(found)
        )

    # gRPC registers every method of the service; one that feedback does not ask for fails its test.
    async def _never(self, _request: Any, _context: Any) -> Any:
        raise NotImplementedError

    def __getattr__(self, name: str) -> Any:
        if name in members_pb2.DESCRIPTOR.services_by_name["Members"].methods_by_name:
            return self._never
        raise AttributeError(name)


@dataclass
class Feedback:
    """The service as its callers and its broker have it."""

    channel: RpcChannel
    stub: "FeedbackAsyncStub"
    database: Database
    handler: NewsHandler
    clock: FixedClock
    directory: Directory

    async def hear(self, *events: Event) -> None:
        await self.database.in_transaction(partial(self.handler, events))

    async def invitations(self, *members: str, caller: Principal = STAFF) -> list[list[pb.Invitation]]:
        request = pb.ListInvitationsRequest(member_ids=members or ["mem_ada"])
        answer = await self.channel.call(self.stub.ListInvitations, request, principal=caller)
        return [list(found.invitations) for found in answer.lists]

    async def answer(
        self, key: str = "answer-key-1", *, score: int = 3, caller: Principal = ADA, **changed: str
    ) -> pb.AnswerSurveyResponse:
        content = {"member_id": "mem_ada", "comment": "cold soup"} | changed
        request = pb.AnswerSurveyRequest(key=key, score=score, **content)
        return await self.channel.call(self.stub.AnswerSurvey, request, principal=caller)

    async def pages(
        self, members: Sequence[str], *, first: int = 0, after: str = "", caller: Principal = STAFF
    ) -> Sequence[pb.CasePage]:
        request = pb.ListCasesRequest(member_ids=members, page=Page(first=first, after=after))
        return (await self.channel.call(self.stub.ListCases, request, principal=caller)).pages

    async def cases(self, member: str = "mem_ada", *, caller: Principal = STAFF) -> list[pb.Case]:
        [page] = await self.pages([member], caller=caller)
        return list(page.cases)

    async def refusal(self, call: Callable[[], Any]) -> RemoteProblem:
        """Return why `call` was refused; it must have changed nothing."""
        before = await self.everything()
        with pytest.raises(RemoteProblem) as refused:
            await call()
        assert await self.everything() == before
        return refused.value

    async def everything(self) -> list[list[dict[str, Any]]]:
        every = (INVITATIONS, ANSWERS, CASES, KNOWN_MEMBERS, OUTBOX, COMMAND_KEYS)
        return [await self.rows(keyed) for keyed in every]

    async def rows(self, keyed: Keyed) -> list[dict[str, Any]]:
        found = self.database.collection(keyed).find({"chain": {"$in": ["chn_1", "chn_2"]}})
        return await found.sort("_id", 1).to_list(10_000)


async def set_up(database: Database) -> None:
    for step in (command_keys.set_up, outbox.set_up, inbox.set_up, *(each.apply for each in MIGRATIONS)):
        await step(database)


@pytest.fixture
async def database(recycled: Recycled, driver: Driver) -> AsyncIterator[Database]:
    """Yield an empty database of feedback."""
    async with recycled.database(set_up, driver) as database:
        yield database


@pytest.fixture
async def feedback(database: Database, clock: FixedClock) -> AsyncIterator[Feedback]:
    voices = MongoVoices(database, Outbox(database))
    directory, clocks = Directory(), MongoChainClocks(database, system=clock)
    of_members = members_pb2.DESCRIPTOR.services_by_name["Members"]
    of_feedback = pb.DESCRIPTOR.services_by_name["Feedback"]
    handler = NewsHandler(voices.unit, make_id=make_id, clocks=clocks)
    async with served([(add_MembersServicer_to_server, directory, of_members)]) as members:
        listener = Listener(work=voices, known=voices, members=MembersClient(members), make_id=make_id)
        servicer = FeedbackServicer(listener=listener, voices=voices, clocks=clocks)
        async with served([(add_FeedbackServicer_to_server, servicer, of_feedback)]) as channel:
            yield Feedback(channel, channel.stub(FeedbackStub), database, handler, clock, directory)
