"""What changes a member that exists: identities, profile, merges, erasure."""

from typing import Any

from protos.members.v1 import members_pb2 as pb
from services.kit.chain_clocks import ChainClocks
from services.kit.rpc.server import caller
from services.kit.telemetry import current_traceparent
from services.kit.timestamps import to_timestamp
from services.members.rpc.member_words import member_proto, wanted_profile, written_identity
from services.members.usecases.changes import Change, ChangeDesk
from services.members.usecases.erasure import erase_member
from services.members.usecases.identities import (
    PaymentAccount,
    Proved,
    Taken,
    add_identity,
    remove_identity,
    replace_identity,
    report_lost,
)
from services.members.usecases.merges import merge_members, split_members
from services.members.usecases.profiles import WantedProfile, update_profile

TAKEN = {
    pb.WHEN_TAKEN_REFUSE: Taken.REFUSE,
    pb.WHEN_TAKEN_MERGE: Taken.MERGE,
    pb.WHEN_TAKEN_PASS_ON: Taken.TO_ANOTHER,
}


class ChangeCalls:
    """The part of the Members servicer that changes members. Each call is one use case in one transaction."""

    changes: ChangeDesk
    clocks: ChainClocks

    async def AddIdentity(self, request: pb.AddIdentityRequest, _context: Any) -> pb.IdentityResponse:  # noqa: N802 - gRPC's name
        """Give a member an identity that it has proved."""
        account = request.payment_account
        said = (
            PaymentAccount(account.payment_kind, account.account)
            if request.WhichOneof("proved") == "payment_account"
            else written_identity(request.identity)
        )
        taken = TAKEN.get(request.when_taken, Taken.REFUSE)
        change = await self._change(request.key)
        return _proved(await add_identity(request.member_id, said, taken=taken, change=change, desk=self.changes))

    async def RemoveIdentity(self, request: pb.RemoveIdentityRequest, _context: Any) -> pb.IdentityResponse:  # noqa: N802 - gRPC's name
        """Take an identity away."""
        said, change = written_identity(request.identity), await self._change(request.key)
        return _proved(await remove_identity(request.member_id, said, change=change, desk=self.changes))

    async def ReportLost(self, request: pb.RemoveIdentityRequest, _context: Any) -> pb.IdentityResponse:  # noqa: N802 - gRPC's name
        """Let a lost card name nobody."""
        said, change = written_identity(request.identity), await self._change(request.key)
        return _proved(await report_lost(request.member_id, said, change=change, desk=self.changes))

    async def ReplaceIdentity(self, request: pb.ReplaceIdentityRequest, _context: Any) -> pb.IdentityResponse:  # noqa: N802 - gRPC's name
        """Change one identity for another."""
        old, new = written_identity(request.old), written_identity(request.new)
        change = await self._change(request.key)
        return _proved(await replace_identity(request.member_id, old, new, change=change, desk=self.changes))

    async def MergeMembers(self, request: pb.MergeMembersRequest, _context: Any) -> pb.MergeMembersResponse:  # noqa: N802 - gRPC's name
        """Make one of two members."""
        change = await self._change(request.key)
        done = await merge_members(request.member_id, request.other_member_id, change=change, desk=self.changes)
        return pb.MergeMembersResponse(member_id=done.survivor, merge_id=done.merge, repeated_call=done.repeated_call)

    async def SplitMembers(self, request: pb.SplitMembersRequest, _context: Any) -> pb.SplitMembersResponse:  # noqa: N802 - gRPC's name
        """Undo a merge."""
        done = await split_members(request.merge_id, change=await self._change(request.key), desk=self.changes)
        return pb.SplitMembersResponse(member_id=done.survivor, freed_id=done.freed, repeated_call=done.repeated_call)

    async def UpdateProfile(self, request: pb.UpdateProfileRequest, _context: Any) -> pb.UpdateProfileResponse:  # noqa: N802 - gRPC's name
        """Change what a member says of itself."""
        wanted = WantedProfile(
            wanted_profile(request.profile),
            tuple(request.fields),
            tuple(request.tags.tags) if request.HasField("tags") else None,
            request.version,
        )
        change = await self._change(request.key)
        member = await update_profile(request.member_id, wanted, change=change, desk=self.changes)
        return pb.UpdateProfileResponse(member=member_proto(member))

    async def EraseMember(self, request: pb.EraseMemberRequest, _context: Any) -> pb.EraseMemberResponse:  # noqa: N802 - gRPC's name
        """Forget a person."""
        done = await erase_member(request.member_id, change=await self._change(request.key), desk=self.changes)
        return pb.EraseMemberResponse(member_ids=done.ids, erased_at=to_timestamp(done.erased_at))

    async def _change(self, key: str) -> Change:
        who = caller()
        return Change(key, who, await self.clocks.now(who.chain), current_traceparent())


def _proved(done: Proved) -> pb.IdentityResponse:
    return pb.IdentityResponse(member_id=done.member, merge_id=done.merge, repeated_call=done.repeated_call)
