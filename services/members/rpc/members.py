"""The Members servicer."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from protos.members.v1 import members_pb2 as pb
from protos.members.v1 import members_pb2_grpc
from services.kit.chain_clocks import ChainClocks
from services.kit.errors import Problem
from services.kit.rpc.problems import to_proto
from services.kit.rpc.server import caller
from services.kit.telemetry import current_traceparent
from services.members.domain.enrollment import Enrolled
from services.members.rpc.changes import ChangeCalls
from services.members.rpc.member_words import member_proto, wanted_member, wanted_payer, written_or_scanned
from services.members.rpc.records import RecordCalls, Records
from services.members.usecases.cards import Cards, resolve
from services.members.usecases.changes import ChangeDesk
from services.members.usecases.enrollment import Desk, enroll_members
from services.members.usecases.looks import note_look
from services.members.usecases.members import (
    IdentityFinder,
    MemberFinder,
    get_members,
    role_of,
)
from services.members.usecases.payers import StoreFinder, enroll_payers
from services.members.usecases.timelines import IdFinder


class Finder(MemberFinder, IdentityFinder, IdFinder, Protocol):
    """Where members are looked up, by id and by identity."""


@dataclass(frozen=True)
class MembersServicer(ChangeCalls, RecordCalls, members_pb2_grpc.MembersServicer):
    """protos/members/v1/members.proto."""

    desk: Desk
    ids: Finder
    stores: StoreFinder
    clocks: ChainClocks
    changes: ChangeDesk
    records: Records
    cards: Cards

    async def EnrollMember(self, request: pb.EnrollMemberRequest, _context: Any) -> pb.EnrollMemberResponse:  # noqa: N802 - gRPC's name
        """Enroll one member."""
        [answer] = await self._enroll([request])
        if isinstance(answer, Problem):
            raise answer
        return _enrolled(answer)

    async def EnrollMembers(self, request: pb.EnrollMembersRequest, _context: Any) -> pb.EnrollMembersResponse:  # noqa: N802 - gRPC's name
        """Enroll many, each with its own result."""
        answers = await self._enroll(request.enrollments)
        return pb.EnrollMembersResponse(
            results=[
                pb.EnrollResult(problem=to_proto(answer))
                if isinstance(answer, Problem)
                else pb.EnrollResult(enrolled=_enrolled(answer))
                for answer in answers
            ]
        )

    async def GetMembers(self, request: pb.GetMembersRequest, _context: Any) -> pb.GetMembersResponse:  # noqa: N802 - gRPC's name
        """Show members."""
        who = caller()
        found = await get_members(request.ids, caller=who, members=self.ids)
        now = await self.clocks.now(who.chain)
        await note_look(
            [one.member for one in found],
            caller=who,
            role=role_of(who),
            look_id=self.desk.make_id("look", now),
            now=now,
            looks=self.records.looks,
        )
        return pb.GetMembersResponse(
            members=[member_proto(one.member) for one in found], asked_ids=[one.asked for one in found]
        )

    async def ResolveIdentities(  # noqa: N802 - gRPC's name
        self, request: pb.ResolveIdentitiesRequest, _context: Any
    ) -> pb.ResolveIdentitiesResponse:
        """Tell who has identities."""
        member_ids = await resolve(
            [written_or_scanned(one) for one in request.identities],
            caller=caller(),
            now=await self.clocks.now(caller().chain),
            chains=self.desk.chains,
            identities=self.ids,
            cards=self.cards,
        )
        return pb.ResolveIdentitiesResponse(member_ids=member_ids)

    async def EnrollPayers(self, request: pb.EnrollPayersRequest, _context: Any) -> pb.EnrollPayersResponse:  # noqa: N802 - gRPC's name
        """Tell who payers are, and enroll those who are new."""
        found = await enroll_payers(
            [wanted_payer(one) for one in request.payers],
            caller=caller(),
            now=await self.clocks.now(caller().chain),
            desk=self.desk,
            stores=self.stores,
            traceparent=current_traceparent(),
        )
        return pb.EnrollPayersResponse(
            payers=[pb.EnrolledPayer(member_id=one.member, enrolled=one.enrolled) for one in found]
        )

    async def _enroll(self, requests: Iterable[pb.EnrollMemberRequest]) -> list[Enrolled | Problem]:
        return await enroll_members(
            [wanted_member(request) for request in requests],
            caller=caller(),
            now=await self.clocks.now(caller().chain),
            desk=self.desk,
            traceparent=current_traceparent(),
        )


def _enrolled(answer: Enrolled) -> pb.EnrollMemberResponse:
    return pb.EnrollMemberResponse(member=member_proto(answer.member), repeated_call=answer.repeated_call)
