"""The Activities servicer."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from protos.common.v1.money_pb2 import Money
from protos.members.v1 import activities_pb2 as pb
from protos.members.v1 import activities_pb2_grpc
from services.kit.chain_clocks import ChainClocks
from services.kit.errors import Problem
from services.kit.rpc.problems import to_proto
from services.kit.rpc.server import caller
from services.kit.timestamps import to_timestamp
from services.members.domain.activities import (
    Activity,
    ActivityKind,
    ActivityStatus,
    Details,
    InvalidActivityError,
    Outcome,
    Recorded,
)
from services.members.rpc.member_words import moment, written_or_scanned
from services.members.rpc.pages import size
from services.members.rpc.records import cursor_of, place_in
from services.members.usecases.activities import (
    ActivityDesk,
    Span,
    WantedActivity,
    count_planned,
    list_activities,
    record_activities,
)
from services.members.usecases.cards import WrittenScan
from services.members.usecases.members import WrittenIdentity

KINDS = {pb.ActivityKind.Value(f"ACTIVITY_KIND_{one.name}"): one for one in ActivityKind}
STATUSES = {pb.ActivityStatus.Value(f"ACTIVITY_STATUS_{one.name}"): one for one in ActivityStatus}
SPANS = {pb.ACTIVITY_SPAN_UPCOMING: Span.UPCOMING, pb.ACTIVITY_SPAN_PAST: Span.PAST}

_KIND_OF = {one: number for number, one in KINDS.items()}
_STATUS_OF = {one: number for number, one in STATUSES.items()}
_OUTCOME_OF = {one: pb.ActivityOutcome.Value(f"ACTIVITY_OUTCOME_{one.name}") for one in Outcome}


@dataclass(frozen=True, slots=True)
class ActivitiesServicer(activities_pb2_grpc.ActivitiesServicer):
    """protos/members/v1/activities.proto."""

    desk: ActivityDesk
    clocks: ChainClocks

    async def RecordActivities(  # noqa: N802 - gRPC's name
        self, request: pb.RecordActivitiesRequest, _context: Any
    ) -> pb.RecordActivitiesResponse:
        """Record what other systems tell."""
        who = caller()
        answers = await record_activities(
            [_wanted(one) for one in request.activities],
            caller=who,
            now=await self.clocks.now(who.chain),
            desk=self.desk,
        )
        return pb.RecordActivitiesResponse(results=[_result(one) for one in answers])

    async def ListActivities(self, request: pb.ListActivitiesRequest, _context: Any) -> pb.ListActivitiesResponse:  # noqa: N802 - gRPC's name
        """Show a member's activities."""
        who = caller()
        page = await list_activities(
            request.member_id,
            SPANS.get(request.span, Span.ALL),
            caller=who,
            after=place_in(request.page.after),
            first=size(request.page),
            now=await self.clocks.now(who.chain),
            desk=self.desk,
        )
        return pb.ListActivitiesResponse(
            activities=[_activity_proto(one) for one in page.activities],
            end_cursor="" if page.next_after is None else cursor_of(page.next_after),
        )

    async def CountPlanned(self, request: pb.CountPlannedRequest, _context: Any) -> pb.CountPlannedResponse:  # noqa: N802 - gRPC's name
        """Count what is planned."""
        hours = await count_planned(
            request.store_id,
            _day(request.from_day, "fromDay"),
            _day(request.until_day, "untilDay"),
            caller=caller(),
            desk=self.desk,
        )
        return pb.CountPlannedResponse(
            hours=[
                pb.PlannedHour(
                    day=one.day.isoformat(),
                    hour=one.hour,
                    activities=one.activities,
                    guests=one.guests,
                    items=one.items,
                )
                for one in hours
            ]
        )


def _wanted(one: pb.ActivityInput) -> WantedActivity:
    return WantedActivity(
        source=one.source,
        external_id=one.external_id,
        member=_member(one),
        kind=KINDS.get(one.kind),
        status=STATUSES.get(one.status),
        details=Details(
            planned_for=moment(one.planned_for) if one.HasField("planned_for") else None,
            occurred_at=moment(one.occurred_at) if one.HasField("occurred_at") else None,
            store=one.store_id,
            party_size=one.party_size,
            item_count=one.item_count,
            amount_minor=one.amount.amount_minor,
            currency=one.amount.currency,
            channel=one.channel,
            text=one.text,
        ),
        changed_at=moment(one.changed_at) if one.HasField("changed_at") else None,
        revision=one.revision,
    )


def _member(one: pb.ActivityInput) -> str | WrittenIdentity | WrittenScan | None:
    match one.WhichOneof("member"):
        case "member_id":
            return one.member_id
        case "identity":
            return written_or_scanned(one.identity)
        case _:
            return None


def _result(one: Recorded | Problem) -> pb.RecordActivityResult:
    if isinstance(one, Problem):
        return pb.RecordActivityResult(problem=to_proto(one))
    recorded = pb.RecordedActivity(
        activity_id=one.activity.id,
        outcome=_OUTCOME_OF[one.outcome],
        status=_STATUS_OF[one.activity.status],
    )
    return pb.RecordActivityResult(recorded=recorded)


def _activity_proto(one: Activity) -> pb.Activity:
    details = one.details
    return pb.Activity(
        id=one.id,
        member_id=one.member,
        source=one.source,
        external_id=one.external_id,
        kind=_KIND_OF[one.kind],
        status=_STATUS_OF[one.status],
        planned_for=None if details.planned_for is None else to_timestamp(details.planned_for),
        occurred_at=None if details.occurred_at is None else to_timestamp(details.occurred_at),
        store_id=details.store,
        party_size=details.party_size,
        item_count=details.item_count,
        amount=Money(amount_minor=details.amount_minor, currency=details.currency) if details.currency else None,
        channel=details.channel,
        text=details.text,
        changed_at=to_timestamp(one.changed_at),
        revision=one.revision,
    )


def _day(text: str, field: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidActivityError(field=field, why="a day is written like 2026-03-01") from None
