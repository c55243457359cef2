"""Referral codes and who brought whom, in the graph."""

from enum import Enum
from typing import Annotated

import strawberry

from protos.members.v1 import referrals_pb2 as pb
from protos.members.v1.referrals_pb2_grpc import ReferralsStub
from services.kit.graph import (
    INPUT,
    Caller,
    GraphContext,
    Info,
    SafeInt,
    UserError,
    allow,
    field,
    loader,
    mutation,
)

READERS = allow(Caller.MEMBER, Caller.STAFF, Caller.TILL, scope="members:read")
WRITERS = allow(Caller.MEMBER, Caller.STAFF, Caller.TILL, scope="members:write")

OWN = "Whose; empty: the caller's own."


@strawberry.type(description="A member's referral code, and how many it has brought.")
class MemberReferrals:
    """Codes and counts; who it was is not told."""

    code: str | None = strawberry.field(
        description="8 capitals and digits, to be said by who joins; null: none was made yet, see `createReferralCode`."
    )
    waiting_count: SafeInt = strawberry.field(
        description="How many it has brought who have not bought yet; counted up to 10,000."
    )
    completed_count: SafeInt = strawberry.field(
        description="How many it has brought who have bought; counted up to 10,000."
    )


@strawberry.type
class ReferralFields:
    """What a member shows of its referrals."""

    id: strawberry.ID

    @field(READERS, description="Its referral code, and how many it has brought; null for who may not see the member.")
    async def referrals(self, info: Info) -> MemberReferrals | None:
        """Load code and counts, together with those of the other members of this level."""
        return await referrals.load(info, self.id)


@loader(most=1_000)
async def referrals(context: GraphContext, ids: list[str]) -> list[MemberReferrals | None]:
    """Fetch codes and counts; null for those whom the caller may not see."""
    service = context.channel("members")
    answer = await service.ask(service.stub(ReferralsStub).GetReferrals, pb.GetReferralsRequest(member_ids=ids))
    found = {
        one.member_id: MemberReferrals(code=one.code or None, waiting_count=one.waiting, completed_count=one.completed)
        for one in answer.members
    }
    return [found.get(id_) for id_ in ids]


@strawberry.input(description="Who wants to bring somebody.")
class CreateReferralCodeInput:
    """A member."""

    member_id: strawberry.ID = strawberry.field(default=strawberry.ID(""), description=OWN)


@strawberry.input(description="Who was brought, and by whose code.")
class SetReferrerInput:
    """A referral."""

    key: str = strawberry.field(
        description="The command key, 8 to 128 characters: a new one for each wish, the same one for each try."
    )
    member_id: strawberry.ID = strawberry.field(default=strawberry.ID(""), description=OWN)
    referral_code: str = strawberry.field(description="Of the member who recommended the chain; in capitals or not.")


@strawberry.enum(description="Why there is no code, or nobody was noted as the referrer.")
class ReferralErrorCode(Enum):
    """Codes of `ReferralError`."""

    INVALID = strawberry.enum_value("INVALID", description="The input is wrong by itself.")
    NOT_FOUND = strawberry.enum_value("NOT_FOUND", description="What is named does not exist in this chain.")
    CONFLICT = strawberry.enum_value("CONFLICT", description="It is in use with other content.")
    REFUSED = strawberry.enum_value("REFUSED", description="The state does not allow it.")
    INVALID_KEY = strawberry.enum_value("INVALID_KEY", description="The command key is too short or too long.")
    KEY_REUSED = strawberry.enum_value("KEY_REUSED", description="The command key was used for something else.")
    MEMBER_NOT_FOUND = strawberry.enum_value("MEMBER_NOT_FOUND", description="There is no such member.")
    UNKNOWN_REFERRAL_CODE = strawberry.enum_value("UNKNOWN_REFERRAL_CODE", description="Nobody has this code.")
    SELF_REFERRAL = strawberry.enum_value("SELF_REFERRAL", description="The code belongs to the same person.")
    REFERRAL_RING = strawberry.enum_value("REFERRAL_RING", description="The member has brought whoever has this code.")
    REFERRER_SET = strawberry.enum_value("REFERRER_SET", description="It was said before who brought the member.")
    BOUGHT_BEFORE = strawberry.enum_value("BOUGHT_BEFORE", description="The member has bought already.")
    CHAIN_NOT_FOUND = strawberry.enum_value("CHAIN_NOT_FOUND", description="The caller's chain is not open.")


@strawberry.type(description="Why there is no code, or nobody was noted as the referrer.")
class ReferralError(UserError):
    """An item of `userErrors`."""

    code: ReferralErrorCode = strawberry.field(description="For programs.")


@strawberry.type(description="The code, or why there is none.")
class CreateReferralCodePayload:
    """The answer."""

    user_errors: list[ReferralError] = strawberry.field(description="Empty: there is a code.")
    code: str | None = strawberry.field(default=None, description="The member's own, for ever.")


@strawberry.type(description="Who was brought, or why nothing was noted.")
class SetReferrerPayload:
    """The answer."""

    user_errors: list[ReferralError] = strawberry.field(description="Empty: it is noted.")
    member_id: strawberry.ID | None = strawberry.field(default=None, description="Who was brought, by its id of now.")
    referral_id: strawberry.ID | None = strawberry.field(
        default=None, description="`rfl_…`: the rewards of both sides refer to it."
    )
    repeated_call: bool = strawberry.field(default=False, description="The key had been used for it before.")


@strawberry.type
class ReferralMutation:
    """Bringing members. Both are safe to send again."""

    @mutation(WRITERS, description="Gives a member a referral code, if it has none yet.")
    async def create_referral_code(
        self, info: Info, wish: Annotated[CreateReferralCodeInput, INPUT]
    ) -> CreateReferralCodePayload:
        """Make a code."""
        service = info.context.channel("members")
        request = pb.CreateReferralCodeRequest(member_id=wish.member_id)
        answer = await service.ask(service.stub(ReferralsStub).CreateReferralCode, request)
        return CreateReferralCodePayload(user_errors=[], code=answer.code)

    @mutation(
        WRITERS,
        description="Says who brought a member: once, as long as it has not bought. Who joins says it at enrollment.",
    )
    async def set_referrer(self, info: Info, wish: Annotated[SetReferrerInput, INPUT]) -> SetReferrerPayload:
        """Note who brought a member."""
        service = info.context.channel("members")
        request = pb.SetReferrerRequest(key=wish.key, member_id=wish.member_id, referral_code=wish.referral_code)
        answer = await service.ask(service.stub(ReferralsStub).SetReferrer, request)
        return SetReferrerPayload(
            user_errors=[],
            member_id=strawberry.ID(answer.member_id),
            referral_id=strawberry.ID(answer.referral_id),
            repeated_call=answer.repeated_call,
        )
