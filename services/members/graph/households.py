"""Households in the graph."""

from enum import Enum
from typing import Annotated

import strawberry

from protos.members.v1 import jobs_pb2 as pb
from protos.members.v1.jobs_pb2_grpc import MemberJobsStub
from services.kit.graph import INPUT, Caller, GraphContext, Info, UserError, allow, field, loader, mutation

READERS = allow(Caller.STAFF, scope="members:read")
WRITERS = allow(Caller.STAFF, scope="members:write")


@strawberry.type(description="Members who live together.")
class Household:
    """A household."""

    code: str = strawberry.field(description="The chain's own.")
    member_ids: list[strawberry.ID] = strawberry.field(description="Up to 20, in the order of their coming.")


@strawberry.type
class HouseholdFields:
    """What a member shows of its household."""

    id: strawberry.ID

    @field(READERS, description="With whom it lives; null: not known.")
    async def household(self, info: Info) -> Household | None:
        """Load it, together with those of the other members of this level."""
        return await households.load(info, self.id)


@loader(most=1_000)
async def households(context: GraphContext, ids: list[str]) -> list[Household | None]:
    """Fetch the households of members."""
    service = context.channel("members")
    answer = await service.ask(service.stub(MemberJobsStub).GetHouseholds, pb.GetHouseholdsRequest(member_ids=ids))
    found = dict(zip(answer.asked_ids, map(_household, answer.households), strict=True))
    return [found.get(id_) for id_ in ids]


@strawberry.input(description="A member of a household.")
class HouseholdMemberInput:
    """A member and a household."""

    code: str = strawberry.field(
        description="The chain's own: 1 to 64 letters, digits and signs of _-.:/, and no name."
    )
    member_id: strawberry.ID = strawberry.field(description="Who.")


@strawberry.enum(description="Why a household was not changed.")
class HouseholdErrorCode(Enum):
    """Codes of `HouseholdError`."""

    INVALID = strawberry.enum_value("INVALID", description="The input is wrong by itself.")
    NOT_FOUND = strawberry.enum_value("NOT_FOUND", description="What is named does not exist in this chain.")
    CONFLICT = strawberry.enum_value("CONFLICT", description="It is in use with other content.")
    REFUSED = strawberry.enum_value("REFUSED", description="The state does not allow it.")
    MEMBER_NOT_FOUND = strawberry.enum_value("MEMBER_NOT_FOUND", description="There is no such member.")
    HOUSEHOLD_FULL = strawberry.enum_value("HOUSEHOLD_FULL", description="It has as many members as it may.")
    IN_ANOTHER_HOUSEHOLD = strawberry.enum_value(
        "IN_ANOTHER_HOUSEHOLD", description="The member is in another one: take it out there first."
    )
    CHAIN_NOT_FOUND = strawberry.enum_value("CHAIN_NOT_FOUND", description="The caller's chain is not open.")


@strawberry.type(description="Why a household was not changed.")
class HouseholdError(UserError):
    """An item of `userErrors`."""

    code: HouseholdErrorCode = strawberry.field(description="For programs.")


@strawberry.type(description="The household, or why it was not changed.")
class HouseholdPayload:
    """A household as it is now."""

    user_errors: list[HouseholdError] = strawberry.field(description="Empty: it is as it should be.")
    household: Household | None = strawberry.field(
        default=None, description="As it is now; null: it was not changed, or nobody is left in it."
    )


@strawberry.type
class HouseholdMutation:
    """Coming and going. To say the same again changes nothing."""

    @mutation(WRITERS, description="Adds a member to the household of that code, which is made when there is none.")
    async def add_to_household(self, info: Info, wish: Annotated[HouseholdMemberInput, INPUT]) -> HouseholdPayload:
        """Add a member."""
        members = info.context.channel("members")
        request = pb.HouseholdMemberRequest(code=wish.code, member_id=wish.member_id)
        answer = await members.ask(members.stub(MemberJobsStub).AddToHousehold, request)
        return HouseholdPayload(user_errors=[], household=_household(answer))

    @mutation(WRITERS, description="Takes a member out. Whoever is not in that household stays out of it.")
    async def remove_from_household(self, info: Info, wish: Annotated[HouseholdMemberInput, INPUT]) -> HouseholdPayload:
        """Take a member out."""
        members = info.context.channel("members")
        request = pb.HouseholdMemberRequest(code=wish.code, member_id=wish.member_id)
        answer = await members.ask(members.stub(MemberJobsStub).RemoveFromHousehold, request)
        return HouseholdPayload(user_errors=[], household=_household(answer) if answer.member_ids else None)


def _household(one: pb.Household) -> Household:
    return Household(code=one.code, member_ids=[strawberry.ID(id_) for id_ in one.member_ids])
