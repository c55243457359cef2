"""Likely duplicates in the graph."""

from enum import Enum
from typing import Annotated

import strawberry

from protos.members.v1 import duplicates_pb2 as pb
from protos.members.v1.duplicates_pb2_grpc import DuplicatesStub
from services.kit.graph import (
    INPUT,
    After,
    Caller,
    Connection,
    First,
    Info,
    Instant,
    Page,
    UserError,
    allow,
    field,
    instant,
    mutation,
)
from services.members.graph.members import Member, member

MERGERS = allow(Caller.STAFF, scope="members:merge")


@strawberry.enum(description="In what two members are alike. Names count without accents, case and order of words.")
class DuplicateReason(Enum):
    """Named as in the proto."""

    NAME_AND_BIRTHDAY = strawberry.enum_value(
        "NAME_AND_BIRTHDAY", description="Name, and birthday with its year: 50 of the score."
    )
    NAME_AND_PHONE_END = strawberry.enum_value(
        "NAME_AND_PHONE_END", description="Name, and the last four digits of a phone: 40."
    )
    EMAIL_NAME = strawberry.enum_value("EMAIL_NAME", description="What stands before the @: 30.")
    NAME_AND_ADDRESS = strawberry.enum_value("NAME_AND_ADDRESS", description="Name, street and city: 30.")


@strawberry.type(description="Two members that may be one person. `mergeMembers` makes one of them.")
class LikelyDuplicate:
    """A pair."""

    members: list[Member] = strawberry.field(description="Both, as much as the caller's role may see.")
    score: int = strawberry.field(description="How alike they are: 30 to 150.")
    reasons: list[DuplicateReason] = strawberry.field(description="In what.")
    found_at: Instant = strawberry.field(description="Since when that is known.")


@strawberry.input(description="Two members that are two people.")
class DismissDuplicateInput:
    """A pair that is none."""

    member_id: strawberry.ID = strawberry.field(description="One.")
    other_member_id: strawberry.ID = strawberry.field(description="The other.")


@strawberry.enum(description="Why a pair was not dismissed.")
class DismissDuplicateErrorCode(Enum):
    """Codes of `DismissDuplicateError`."""

    INVALID = strawberry.enum_value("INVALID", description="The input is wrong by itself.")
    NOT_FOUND = strawberry.enum_value("NOT_FOUND", description="What is named does not exist in this chain.")
    CONFLICT = strawberry.enum_value("CONFLICT", description="It is in use with other content.")
    REFUSED = strawberry.enum_value("REFUSED", description="The state does not allow it.")
    DUPLICATE_NOT_FOUND = strawberry.enum_value(
        "DUPLICATE_NOT_FOUND", description="These two are not among the likely duplicates."
    )


@strawberry.type(description="Why a pair was not dismissed.")
class DismissDuplicateError(UserError):
    """An item of `userErrors`."""

    code: DismissDuplicateErrorCode = strawberry.field(description="For programs.")


@strawberry.type(description="Whether the pair is dismissed.")
class DismissDuplicatePayload:
    """The answer."""

    user_errors: list[DismissDuplicateError] = strawberry.field(description="Empty: the pair does not come back.")


@strawberry.type
class DuplicateQuery:
    """Asking."""

    @field(
        MERGERS,
        description="Members that may be one person, the most alike first; known within seconds after a change.",
    )
    async def likely_duplicates(
        self, info: Info, first: First = 20, after: After = None
    ) -> Connection[LikelyDuplicate]:
        """Ask for a page."""
        page = Page.checked(first=first, after=after)
        service = info.context.channel("members")
        request = pb.ListDuplicatesRequest(page=page.to_proto())
        answer = await service.ask(service.stub(DuplicatesStub).ListDuplicates, request)
        pairs = [_duplicate(one) for one in answer.duplicates]
        return Connection.of(pairs, page, end_cursor=answer.end_cursor)


@strawberry.type
class DuplicateMutation:
    """Judging. The same again changes nothing."""

    @mutation(MERGERS, description="Says that two members are two people: the pair does not come back.")
    async def dismiss_duplicate(
        self, info: Info, wish: Annotated[DismissDuplicateInput, INPUT]
    ) -> DismissDuplicatePayload:
        """Dismiss a pair."""
        service = info.context.channel("members")
        request = pb.DismissDuplicateRequest(member_id=wish.member_id, other_member_id=wish.other_member_id)
        await service.ask(service.stub(DuplicatesStub).DismissDuplicate, request)
        return DismissDuplicatePayload(user_errors=[])


def _duplicate(one: pb.Duplicate) -> LikelyDuplicate:
    return LikelyDuplicate(
        members=[member(one.first), member(one.second)],
        score=one.score,
        reasons=[
            DuplicateReason[pb.DuplicateReason.Name(reason).removeprefix("DUPLICATE_REASON_")] for reason in one.reasons
        ],
        found_at=instant(one.found_at),
    )
