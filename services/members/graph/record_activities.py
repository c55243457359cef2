"""Recording over the graph what other systems tell of members."""

from enum import Enum
from typing import Annotated

import strawberry

from protos.common.v1.money_pb2 import Money as MoneyProto
from protos.members.v1 import activities_pb2 as pb
from protos.members.v1 import members_pb2
from protos.members.v1.activities_pb2_grpc import ActivitiesStub
from services.kit.graph import (
    INPUT,
    Caller,
    Info,
    Instant,
    SafeInt,
    UserError,
    allow,
    mutation,
    timestamp,
    user_error,
)
from services.members.graph.activities import ActivityKind, ActivityStatus
from services.members.graph.enrollment import IdentityInput

WRITERS = allow(Caller.STAFF, Caller.PARTNER, Caller.TILL, scope="activities:write")


@strawberry.enum(description="What a version that was told has done.")
class ActivityOutcome(Enum):
    """Named as in the proto."""

    ADDED = strawberry.enum_value("ADDED", description="Nothing was known of it.")
    CHANGED = strawberry.enum_value("CHANGED", description="It is later than what was known.")
    UNCHANGED = strawberry.enum_value("UNCHANGED", description="It is what is known.")
    OUTDATED = strawberry.enum_value("OUTDATED", description="Something later is known: nothing was done.")


@strawberry.input(
    description="A version of an activity, as a whole: what is left out is not known any more. The first of `memberId`,"
    " `cardCode` and `identity` that is said names the member. With none, or an identity that nobody has any more, it "
    "stays with whom it was, if it is known."
)
class ActivityInput:
    """An activity."""

    source: str = strawberry.field(description='The system that tells it: 1 to 64 of a-z, 0-9, "_", "-" and ".".')
    external_id: str = strawberry.field(
        description="That system's own id, 1 to 200 visible characters; never a person's name or number."
    )
    member_id: strawberry.ID | None = strawberry.field(default=None, description="Whose.")
    card_code: str | None = strawberry.field(
        default=None, description="What was scanned of a member's card, at `occurredAt` or now."
    )
    identity: IdentityInput | None = strawberry.field(default=None, description="What the member is known by.")
    kind: ActivityKind = strawberry.field(description="What kind of activity it is.")
    status: ActivityStatus = strawberry.field(description="What has become of it.")
    planned_for: Instant | None = strawberry.field(
        default=None,
        description="For when it is planned, at most 2 years ahead; null: it was not. What is PLANNED needs it.",
    )
    occurred_at: Instant | None = strawberry.field(
        default=None, description="When it took place. It needs one of the two."
    )
    store_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="Where. Null: a till's own; otherwise only what is an event or social may be nowhere.",
    )
    party_size: int = strawberry.field(default=0, description="Guests, up to 10,000; 0: not said.")
    item_count: int = strawberry.field(default=0, description="Pieces ordered ahead, up to 10,000; 0: not said.")
    amount_minor: SafeInt = strawberry.field(default=0, description="What it is going to cost, in minor units.")
    currency: str | None = strawberry.field(default=None, description='ISO 4217, like "CNY"; null: no amount.')
    channel: str | None = strawberry.field(
        default=None, description='In the other system\'s word: up to 32 of a-z, 0-9, "_", "-" and ".".'
    )
    text: str | None = strawberry.field(
        default=None, description="Up to 2,000 characters; sealed, and gone when the member is erased."
    )
    changed_at: Instant = strawberry.field(description="When the other system made this version of it.")
    revision: SafeInt = strawberry.field(
        default=0, description="That system's number of this version; compared before `changedAt`. 0: it has none."
    )


@strawberry.input(description="What other systems tell.")
class RecordActivitiesInput:
    """Activities."""

    activities: list[ActivityInput] = strawberry.field(description="Up to 500, each with its own answer.")


@strawberry.enum(description="Why an activity was not recorded.")
class RecordActivitiesErrorCode(Enum):
    """Codes of `RecordActivitiesError`."""

    INVALID = strawberry.enum_value("INVALID", description="The input is wrong by itself.")
    NOT_FOUND = strawberry.enum_value("NOT_FOUND", description="What is named does not exist in this chain.")
    CONFLICT = strawberry.enum_value("CONFLICT", description="It is in use with other content.")
    REFUSED = strawberry.enum_value("REFUSED", description="The state does not allow it.")
    DENIED = strawberry.enum_value("DENIED", description="The key is for another store.")
    INVALID_ACTIVITY = strawberry.enum_value("INVALID_ACTIVITY", description="No activity can be like that.")
    INVALID_IDENTITY = strawberry.enum_value("INVALID_IDENTITY", description="No identity can be like that.")
    ACTIVITY_DIFFERS = strawberry.enum_value(
        "ACTIVITY_DIFFERS", description="This version of it was told before with other content."
    )
    MEMBER_NOT_FOUND = strawberry.enum_value("MEMBER_NOT_FOUND", description="Nobody is meant by that, or erased.")
    STORE_NOT_FOUND = strawberry.enum_value("STORE_NOT_FOUND", description="There is no such store.")
    CHAIN_NOT_FOUND = strawberry.enum_value("CHAIN_NOT_FOUND", description="The caller's chain is not open.")
    TOO_MANY = strawberry.enum_value("TOO_MANY", description="More than one call may carry.")


@strawberry.type(description="Why an activity was not recorded.")
class RecordActivitiesError(UserError):
    """An item of `userErrors`."""

    code: RecordActivitiesErrorCode = strawberry.field(description="For programs.")


@strawberry.type(description="What is known of one activity now, or why it was not recorded.")
class RecordedActivity:
    """The answer to one."""

    user_errors: list[RecordActivitiesError] = strawberry.field(description="Empty: it is recorded.")
    activity_id: strawberry.ID | None = strawberry.field(
        default=None, description="`act_…`, the same for every version of it; null when it was not recorded."
    )
    outcome: ActivityOutcome | None = strawberry.field(default=None, description="What this version has done.")
    status: ActivityStatus | None = strawberry.field(default=None, description="As it is now.")


@strawberry.type(description="Each activity's own answer.")
class RecordActivitiesPayload:
    """The answer."""

    user_errors: list[RecordActivitiesError] = strawberry.field(description="What is wrong with the call as a whole.")
    results: list[RecordedActivity] = strawberry.field(
        default_factory=list, description="In the order of the input; a bad one fails alone."
    )


@strawberry.type
class ActivityMutation:
    """Recording. Versions make it safe to send again."""

    @mutation(WRITERS, description="Adds or changes activities by their source and its id. Safe to send again.")
    async def record_activities(
        self, info: Info, wish: Annotated[RecordActivitiesInput, INPUT]
    ) -> RecordActivitiesPayload:
        """Record activities."""
        members = info.context.channel("members")
        request = pb.RecordActivitiesRequest(activities=[_said(one) for one in wish.activities])
        answer = await members.ask(members.stub(ActivitiesStub).RecordActivities, request, timeout_s=20.0)
        return RecordActivitiesPayload(
            user_errors=[], results=[_result(one, number) for number, one in enumerate(answer.results)]
        )


def _said(wish: ActivityInput) -> pb.ActivityInput:
    said = pb.ActivityInput(
        source=wish.source,
        external_id=wish.external_id,
        kind=pb.ActivityKind.Value(f"ACTIVITY_KIND_{wish.kind.name}"),
        status=pb.ActivityStatus.Value(f"ACTIVITY_STATUS_{wish.status.name}"),
        planned_for=None if wish.planned_for is None else timestamp(wish.planned_for),
        occurred_at=None if wish.occurred_at is None else timestamp(wish.occurred_at),
        store_id=wish.store_id or "",
        party_size=wish.party_size,
        item_count=wish.item_count,
        amount=MoneyProto(amount_minor=wish.amount_minor, currency=wish.currency or ""),
        channel=wish.channel or "",
        text=wish.text or "",
        changed_at=timestamp(wish.changed_at),
        revision=wish.revision,
    )
    if wish.member_id:
        said.member_id = wish.member_id
    elif (named := _identity(wish)) is not None:
        said.identity.CopyFrom(named)
    return said


def _identity(wish: ActivityInput) -> members_pb2.Identity | None:
    if wish.card_code:
        at = None if wish.occurred_at is None else timestamp(wish.occurred_at)
        return members_pb2.Identity(kind=members_pb2.IDENTITY_KIND_CARD_CODE, value=wish.card_code, at=at)
    if wish.identity is None:
        return None
    kind = members_pb2.IdentityKind.Value(f"IDENTITY_KIND_{wish.identity.kind.name}")
    return members_pb2.Identity(kind=kind, value=wish.identity.value)


def _result(one: pb.RecordActivityResult, number: int) -> RecordedActivity:
    if one.WhichOneof("result") == "problem":
        return RecordedActivity(user_errors=[user_error(RecordActivitiesError, one.problem, at=f"activities.{number}")])
    done = one.recorded
    return RecordedActivity(
        user_errors=[],
        activity_id=strawberry.ID(done.activity_id),
        outcome=ActivityOutcome[pb.ActivityOutcome.Name(done.outcome).removeprefix("ACTIVITY_OUTCOME_")],
        status=ActivityStatus[pb.ActivityStatus.Name(done.status).removeprefix("ACTIVITY_STATUS_")],
    )
