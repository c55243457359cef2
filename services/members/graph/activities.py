"""What members do elsewhere than at a till, in the graph."""

from enum import Enum
from typing import Annotated

import strawberry

from protos.members.v1 import activities_pb2 as pb
from protos.members.v1.activities_pb2_grpc import ActivitiesStub
from services.kit.graph import (
    After,
    Caller,
    Connection,
    First,
    Info,
    Instant,
    Money,
    Page,
    SafeInt,
    allow,
    field,
    instant,
)
from services.members.graph.chains import EVERYBODY, Store, stores

READERS = allow(Caller.MEMBER, Caller.STAFF, scope="members:read")


@strawberry.enum(description="What kind of activity it is. Each is a kind of the timeline, too, in lower case.")
class ActivityKind(Enum):
    """Named as in the proto."""

    BOOKING = strawberry.enum_value("BOOKING", description="A table, an appointment.")
    PRE_ORDER = strawberry.enum_value("PRE_ORDER", description="Ordered ahead, not paid at a till yet.")
    CHECK_IN = strawberry.enum_value("CHECK_IN", description="A check-in.")
    EVENT = strawberry.enum_value("EVENT", description="A tasting, a class, a party of the chain's.")
    VISIT = strawberry.enum_value("VISIT", description="Came, and bought nothing.")
    SOCIAL = strawberry.enum_value("SOCIAL", description="Something on a social network.")


@strawberry.enum(description="What has become of an activity.")
class ActivityStatus(Enum):
    """Named as in the proto."""

    PLANNED = strawberry.enum_value("PLANNED", description="Booked, ordered, put on the list.")
    HAPPENED = strawberry.enum_value("HAPPENED", description="The guest arrived, fetched it, was there.")
    CANCELLED = strawberry.enum_value("CANCELLED", description="Called off.")
    NO_SHOW = strawberry.enum_value("NO_SHOW", description="The guest did not come.")


@strawberry.enum(description="Which of a member's activities.")
class ActivitySpan(Enum):
    """Named as in the proto."""

    UPCOMING = strawberry.enum_value("UPCOMING", description="Planned and still to come, the next first.")
    PAST = strawberry.enum_value("PAST", description="Those whose time has come, the latest first.")


@strawberry.type(description="What a guest does elsewhere than at a till, as another system tells it.")
class Activity:
    """An activity."""

    id: strawberry.ID = strawberry.field(description="`act_…`: the `ref` of its happening in the timeline.")
    source: str = strawberry.field(description="The system that told it.")
    external_id: str = strawberry.field(description="That system's own id.")
    kind: ActivityKind = strawberry.field(description="What kind of activity it is.")
    status: ActivityStatus = strawberry.field(description="What has become of it.")
    planned_for: Instant | None = strawberry.field(description="For when it is planned; null: it was not.")
    occurred_at: Instant | None = strawberry.field(description="When it took place; null: it has not, or not said.")
    party_size: int | None = strawberry.field(description="Guests; null: not said.")
    item_count: int | None = strawberry.field(description="Pieces that were ordered ahead; null: not said.")
    amount: Money | None = strawberry.field(description="What it is going to cost; null: not said.")
    channel: str | None = strawberry.field(description="How it came about, in the other system's word.")
    text: str | None = strawberry.field(description="What was said to it; null also where the caller may not read it.")
    changed_at: Instant = strawberry.field(description="When the other system made this version of it.")
    revision: SafeInt | None = strawberry.field(description="That system's number of this version; null: it has none.")
    store_id: strawberry.Private[str]

    @field(EVERYBODY, description="Where; null when not in a store.")
    async def store(self, info: Info) -> Store | None:
        """Load the store, together with those of the other activities of this level."""
        return await stores.load(info, self.store_id) if self.store_id else None


@strawberry.type
class ActivityFields:
    """What a member shows of its activities."""

    id: strawberry.ID

    @field(READERS, description="Bookings, check-ins …, as other systems tell them, whatever the member's id was then.")
    async def activities(
        self,
        info: Info,
        span: Annotated[
            ActivitySpan | None, strawberry.argument(description="Which; null: all of them, the latest first.")
        ] = None,
        first: First = 20,
        after: After = None,
    ) -> Connection[Activity]:
        """Ask for a page."""
        page = Page.checked(first=first, after=after)
        service = info.context.channel("members")
        wanted = pb.ACTIVITY_SPAN_UNSPECIFIED if span is None else pb.ActivitySpan.Value(f"ACTIVITY_SPAN_{span.name}")
        request = pb.ListActivitiesRequest(member_id=self.id, span=wanted, page=page.to_proto())
        answer = await service.ask(service.stub(ActivitiesStub).ListActivities, request)
        return Connection.of([_activity(one) for one in answer.activities], page, end_cursor=answer.end_cursor)


def _activity(one: pb.Activity) -> Activity:
    return Activity(
        id=strawberry.ID(one.id),
        source=one.source,
        external_id=one.external_id,
        kind=ActivityKind[pb.ActivityKind.Name(one.kind).removeprefix("ACTIVITY_KIND_")],
        status=ActivityStatus[pb.ActivityStatus.Name(one.status).removeprefix("ACTIVITY_STATUS_")],
        planned_for=instant(one.planned_for) if one.HasField("planned_for") else None,
        occurred_at=instant(one.occurred_at) if one.HasField("occurred_at") else None,
        party_size=one.party_size or None,
        item_count=one.item_count or None,
        amount=Money.of(one.amount) if one.HasField("amount") else None,
        channel=one.channel or None,
        text=one.text or None,
        changed_at=instant(one.changed_at),
        revision=one.revision or None,
        store_id=one.store_id,
    )
