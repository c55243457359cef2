"""The Referrals servicer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from protos.members.v1 import referrals_pb2 as pb
from protos.members.v1 import referrals_pb2_grpc
from services.kit.chain_clocks import ChainClocks
from services.kit.rpc.server import caller
from services.members.rpc.asking import change_of
from services.members.usecases.changes import ChangeDesk
from services.members.usecases.referrals import ReferralBook, create_code, get_referrals, set_referrer


@dataclass(frozen=True, slots=True)
class ReferralsServicer(referrals_pb2_grpc.ReferralsServicer):
    """protos/members/v1/referrals.proto. `random_bytes` returns so many bytes that nobody can guess."""

    changes: ChangeDesk
    book: ReferralBook
    clocks: ChainClocks
    random_bytes: Callable[[int], bytes]

    async def CreateReferralCode(  # noqa: N802 - gRPC's name
        self, request: pb.CreateReferralCodeRequest, _context: Any
    ) -> pb.CreateReferralCodeResponse:
        """Make a code."""
        who = caller()
        code = await create_code(
            request.member_id,
            caller=who,
            now=await self.clocks.now(who.chain),
            desk=self.changes,
            random_bytes=self.random_bytes,
        )
        return pb.CreateReferralCodeResponse(code=code)

    async def SetReferrer(self, request: pb.SetReferrerRequest, _context: Any) -> pb.SetReferrerResponse:  # noqa: N802 - gRPC's name
        """Note who brought a member."""
        done = await set_referrer(
            request.member_id,
            request.referral_code,
            change=await change_of(request.key, self.clocks),
            desk=self.changes,
        )
        return pb.SetReferrerResponse(
            member_id=done.member, referral_id=done.referral, repeated_call=done.repeated_call
        )

    async def GetReferrals(self, request: pb.GetReferralsRequest, _context: Any) -> pb.GetReferralsResponse:  # noqa: N802 - gRPC's name
        """Show codes and counts."""
        found = await get_referrals(request.member_ids, caller=caller(), book=self.book)
        return pb.GetReferralsResponse(
            members=[
                pb.MemberReferrals(
                    member_id=id_, code=one.code, waiting=one.brought.waiting, completed=one.brought.completed
                )
                for id_, one in found.items()
            ]
        )
