"""Merging, changing and erasing members over the graph."""

from enum import Enum
from typing import Annotated

import strawberry

from protos.members.v1 import members_pb2 as pb
from protos.members.v1.members_pb2_grpc import MembersStub
from services.kit.graph import INPUT, Caller, Info, Instant, SafeInt, UserError, allow, instant, mutation
from services.members.graph.enrollment import ProfileFields, profile_proto
from services.members.graph.identities import KEY
from services.members.graph.members import Member, member

MERGERS = allow(Caller.STAFF, scope="members:merge")
ERASERS = allow(Caller.STAFF, scope="members:erase")
CHANGERS = allow(Caller.MEMBER, Caller.STAFF, scope="members:write")


@strawberry.input(description="Two members that are the same person.")
class MergeMembersInput:
    """A merge."""

    key: str = strawberry.field(description=KEY)
    member_id: strawberry.ID = strawberry.field(description="One of them.")
    other_member_id: strawberry.ID = strawberry.field(description="The other.")


@strawberry.input(description="A merge that was a mistake.")
class SplitMembersInput:
    """A merge to undo."""

    key: str = strawberry.field(description=KEY)
    merge_id: strawberry.ID = strawberry.field(description="`mrg_…`.")


@strawberry.input(description="What a member says of itself from now on; what is not given stays.")
class UpdateProfileInput(ProfileFields):
    """A change of a profile."""

    key: str = strawberry.field(default="", description=KEY)
    member_id: strawberry.ID = strawberry.field(default=strawberry.ID(""), description="Whose.")
    tags: list[str] | None = strawberry.field(default=None, description="All tags from now on; not for guests.")
    version: SafeInt | None = strawberry.field(
        default=None, description="Refused unless the member still has this version; null: whichever it has."
    )


@strawberry.input(description="A person to forget, for good.")
class EraseMemberInput:
    """An erasure."""

    key: str = strawberry.field(description=KEY)
    member_id: strawberry.ID = strawberry.field(description="Any id that the person has had.")


@strawberry.enum(description="Why a member stayed as it was.")
class MemberChangeErrorCode(Enum):
    """Codes of `MemberChangeError`."""

    INVALID = strawberry.enum_value("INVALID", description="The input is wrong by itself.")
    NOT_FOUND = strawberry.enum_value("NOT_FOUND", description="What is named does not exist in this chain.")
    CONFLICT = strawberry.enum_value("CONFLICT", description="It is in use with other content.")
    REFUSED = strawberry.enum_value("REFUSED", description="The state does not allow it.")
    INVALID_KEY = strawberry.enum_value("INVALID_KEY", description="The command key is too short or too long.")
    KEY_REUSED = strawberry.enum_value("KEY_REUSED", description="The command key was used for something else.")
    INVALID_MEMBER = strawberry.enum_value("INVALID_MEMBER", description="No member can be like that.")
    MEMBER_NOT_FOUND = strawberry.enum_value("MEMBER_NOT_FOUND", description="There is no such member.")
    MEMBER_CHANGED = strawberry.enum_value("MEMBER_CHANGED", description="It has another version by now.")
    MERGE_NOT_FOUND = strawberry.enum_value("MERGE_NOT_FOUND", description="There is no such merge.")
    CANNOT_MERGE = strawberry.enum_value("CANNOT_MERGE", description="They cannot become one.")
    CANNOT_SPLIT = strawberry.enum_value("CANNOT_SPLIT", description="The merge cannot be undone.")
    CHAIN_NOT_FOUND = strawberry.enum_value("CHAIN_NOT_FOUND", description="The caller's chain is not open.")


@strawberry.type(description="Why a member stayed as it was.")
class MemberChangeError(UserError):
    """An item of `userErrors`."""

    code: MemberChangeErrorCode = strawberry.field(description="For programs.")


@strawberry.type(description="The member that stays, or why there are still two.")
class MergeMembersPayload:
    """The answer to a merge."""

    user_errors: list[MemberChangeError] = strawberry.field(description="Empty: they are one.")
    member_id: strawberry.ID | None = strawberry.field(default=None, description="The older of the two, which stays.")
    merge_id: strawberry.ID | None = strawberry.field(
        default=None, description="`mrg_…`, to undo it by; null: they were one before."
    )
    repeated_call: bool = strawberry.field(default=False, description="It had been done with this key before.")


@strawberry.type(description="Both members, or why there is still one.")
class SplitMembersPayload:
    """The answer to the undoing of a merge."""

    user_errors: list[MemberChangeError] = strawberry.field(description="Empty: they are two.")
    member_id: strawberry.ID | None = strawberry.field(default=None, description="Who had stayed.")
    freed_id: strawberry.ID | None = strawberry.field(default=None, description="Who is itself again.")
    repeated_call: bool = strawberry.field(default=False, description="It had been done with this key before.")


@strawberry.type(description="The member as it is from now on, or why it stayed as it was.")
class UpdateProfilePayload:
    """The answer to a change of a profile."""

    user_errors: list[MemberChangeError] = strawberry.field(description="Empty: it is done.")
    member: Member | None = strawberry.field(default=None, description="As the caller may see it.")


@strawberry.type(description="Since when the person is forgotten, or why not.")
class EraseMemberPayload:
    """The answer to an erasure."""

    user_errors: list[MemberChangeError] = strawberry.field(description="Empty: it is done.")
    member_ids: list[strawberry.ID] = strawberry.field(default_factory=list, description="All ids it has had.")
    erased_at: Instant | None = strawberry.field(default=None, description="The first time holds.")


@strawberry.type
class ChangeMutation:
    """Changes of members. The key makes each safe to send again."""

    @mutation(MERGERS, description="Makes one of two members. The older stays, and both ids mean it from then on.")
    async def merge_members(self, info: Info, wish: Annotated[MergeMembersInput, INPUT]) -> MergeMembersPayload:
        """Merge two."""
        service = info.context.channel("members")
        request = pb.MergeMembersRequest(key=wish.key, member_id=wish.member_id, other_member_id=wish.other_member_id)
        answer = await service.ask(service.stub(MembersStub).MergeMembers, request)
        return MergeMembersPayload(
            user_errors=[],
            member_id=strawberry.ID(answer.member_id),
            merge_id=strawberry.ID(answer.merge_id) if answer.merge_id else None,
            repeated_call=answer.repeated_call,
        )

    @mutation(MERGERS, description="Undoes a merge. What was spent meanwhile stays spent.")
    async def split_members(self, info: Info, wish: Annotated[SplitMembersInput, INPUT]) -> SplitMembersPayload:
        """Undo a merge."""
        service = info.context.channel("members")
        request = pb.SplitMembersRequest(key=wish.key, merge_id=wish.merge_id)
        answer = await service.ask(service.stub(MembersStub).SplitMembers, request)
        return SplitMembersPayload(
            user_errors=[],
            member_id=strawberry.ID(answer.member_id),
            freed_id=strawberry.ID(answer.freed_id),
            repeated_call=answer.repeated_call,
        )

    @mutation(CHANGERS, description="Changes what a member says of itself. To send the same again changes nothing.")
    async def update_profile(self, info: Info, wish: Annotated[UpdateProfileInput, INPUT]) -> UpdateProfilePayload:
        """Change a profile."""
        service = info.context.channel("members")
        profile, said = profile_proto(wish)
        request = pb.UpdateProfileRequest(
            key=wish.key,
            member_id=wish.member_id,
            profile=profile,
            fields=said,
            tags=None if wish.tags is None else pb.Tags(tags=wish.tags),
            version=wish.version or 0,
        )
        answer = await service.ask(service.stub(MembersStub).UpdateProfile, request)
        return UpdateProfilePayload(user_errors=[], member=member(answer.member))

    @mutation(ERASERS, description="Forgets a person for good, under every id that it has had. There is no way back.")
    async def erase_member(self, info: Info, wish: Annotated[EraseMemberInput, INPUT]) -> EraseMemberPayload:
        """Erase a person."""
        service = info.context.channel("members")
        request = pb.EraseMemberRequest(key=wish.key, member_id=wish.member_id)
        answer = await service.ask(service.stub(MembersStub).EraseMember, request)
        return EraseMemberPayload(
            user_errors=[],
            member_ids=[strawberry.ID(one) for one in answer.member_ids],
            erased_at=instant(answer.erased_at),
        )
