"""Enrolling members over the graph."""

from enum import Enum
from typing import Annotated

import strawberry

from protos.members.v1 import members_pb2 as pb
from protos.members.v1.members_pb2_grpc import MembersStub
from services.kit.graph import INPUT, Caller, Info, Instant, UserError, allow, mutation, timestamp, user_error
from services.members.graph.members import Channel, IdentityKind, Member, member

ENROLLERS = allow(Caller.STAFF, Caller.PARTNER, Caller.TILL, scope="members:write")


@strawberry.input(description="Something that the guest is known by.")
class IdentityInput:
    """An identity."""

    kind: IdentityKind = strawberry.field(description="What it is.")
    value: str = strawberry.field(description="In any usual writing; a phone with its country, like +86 138 0013 8000.")


@strawberry.input(description="The person who joins.")
class ProfileInput:
    """A profile."""

    name: str = strawberry.field(default="", description="As the member wants to be called.")
    identities: list[IdentityInput] = strawberry.field(
        default_factory=list, description="Up to 20; each belongs to one member of the chain at most."
    )


@strawberry.input(description="A new member.")
class EnrollMemberInput:
    """An enrollment."""

    key: str = strawberry.field(
        description="The command key, 8 to 128 characters: a new one for each wish, the same one for each try."
    )
    profile: ProfileInput = strawberry.field(description="Who joins.")
    channel: Channel = strawberry.field(description="How the member came.")
    enrolled_at: Instant | None = strawberry.field(
        default=None, description="When the member joined, for those who did long ago; null: now."
    )
    store_id: strawberry.ID | None = strawberry.field(default=None, description="Where; null: not in a store.")


@strawberry.input(description="Many new members.")
class EnrollMembersInput:
    """Enrollments."""

    members: list[EnrollMemberInput] = strawberry.field(description="Up to 1,000.")


@strawberry.enum(description="Why a member was not enrolled.")
class EnrollMemberErrorCode(Enum):
    """Codes of `EnrollMemberError`."""

    INVALID = strawberry.enum_value("INVALID", description="The input is wrong by itself.")
    NOT_FOUND = strawberry.enum_value("NOT_FOUND", description="What is named does not exist in this chain.")
    CONFLICT = strawberry.enum_value("CONFLICT", description="It is in use with other content.")
    REFUSED = strawberry.enum_value("REFUSED", description="The state does not allow it.")
    DENIED = strawberry.enum_value("DENIED", description="The key is for another store.")
    INVALID_KEY = strawberry.enum_value("INVALID_KEY", description="The command key is too short or too long.")
    INVALID_MEMBER = strawberry.enum_value("INVALID_MEMBER", description="No member can be like that.")
    INVALID_IDENTITY = strawberry.enum_value("INVALID_IDENTITY", description="No identity can be like that.")
    KEY_REUSED = strawberry.enum_value("KEY_REUSED", description="The command key was used for something else.")
    IDENTITY_TAKEN = strawberry.enum_value("IDENTITY_TAKEN", description="Another member has this identity.")
    STORE_NOT_FOUND = strawberry.enum_value("STORE_NOT_FOUND", description="There is no such store.")
    CHAIN_NOT_FOUND = strawberry.enum_value("CHAIN_NOT_FOUND", description="The caller's chain is not open.")
    TOO_MANY = strawberry.enum_value("TOO_MANY", description="More than one call may carry.")


@strawberry.type(description="Why a member was not enrolled.")
class EnrollMemberError(UserError):
    """An item of `userErrors`."""

    code: EnrollMemberErrorCode = strawberry.field(description="For programs.")


@strawberry.type(description="The member, or why it was not enrolled.")
class EnrollMemberPayload:
    """The answer to one enrollment."""

    user_errors: list[EnrollMemberError] = strawberry.field(description="Empty: it is a member.")
    member: Member | None = strawberry.field(default=None, description="As enrolled; null when it was not.")
    repeated_call: bool = strawberry.field(
        default=False, description="The key had been used before, and this is the first answer."
    )


@strawberry.type(description="Each enrollment's own answer.")
class EnrollMembersPayload:
    """The answer to many."""

    user_errors: list[EnrollMemberError] = strawberry.field(description="What is wrong with the call as a whole.")
    results: list[EnrollMemberPayload] = strawberry.field(
        default_factory=list, description="In the order of the input; a bad enrollment fails alone."
    )


@strawberry.type
class EnrollmentMutation:
    """Enrolling. The key makes each safe to send again, so both go as calls that may be repeated."""

    @mutation(ENROLLERS, description="Makes somebody a member of the chain.")
    async def enroll_member(self, info: Info, wish: Annotated[EnrollMemberInput, INPUT]) -> EnrollMemberPayload:
        """Enroll one member."""
        members = info.context.channel("members")
        return _payload(await members.ask(members.stub(MembersStub).EnrollMember, _request_of(wish)))

    @mutation(ENROLLERS, description="Makes up to 1,000 people members, each with its own answer. Safe to send again.")
    async def enroll_members(self, info: Info, wish: Annotated[EnrollMembersInput, INPUT]) -> EnrollMembersPayload:
        """Enroll many members."""
        members = info.context.channel("members")
        request = pb.EnrollMembersRequest(enrollments=[_request_of(one) for one in wish.members])
        answer = await members.ask(members.stub(MembersStub).EnrollMembers, request, timeout_s=20.0)
        results = [
            EnrollMemberPayload(user_errors=[user_error(EnrollMemberError, one.problem, at=f"members.{number}")])
            if one.WhichOneof("result") == "problem"
            else _payload(one.enrolled)
            for number, one in enumerate(answer.results)
        ]
        return EnrollMembersPayload(user_errors=[], results=results)


def _request_of(wish: EnrollMemberInput) -> pb.EnrollMemberRequest:
    identities = [
        pb.Identity(kind=pb.IdentityKind.Value(f"IDENTITY_KIND_{one.kind.name}"), value=one.value)
        for one in wish.profile.identities
    ]
    new = pb.NewMember(
        profile=pb.Profile(name=wish.profile.name, identities=identities),
        enrolled_at=None if wish.enrolled_at is None else timestamp(wish.enrolled_at),
        channel=pb.Channel.Value(f"CHANNEL_{wish.channel.name}"),
        store_id=wish.store_id or "",
    )
    return pb.EnrollMemberRequest(key=wish.key, member=new)


def _payload(answer: pb.EnrollMemberResponse) -> EnrollMemberPayload:
    return EnrollMemberPayload(user_errors=[], member=member(answer.member), repeated_call=answer.repeated_call)
