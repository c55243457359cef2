"""Targets and leaderboards in the graph."""

from typing import Annotated

import strawberry

from protos.members.v1 import staff_pb2 as pb
from protos.members.v1.staff_pb2_grpc import StaffStub
from services.kit.graph import INPUT, After, Connection, First, Info, Page, field, mutation
from services.members.graph.staff import STAFF_READERS, STAFF_WRITERS, StaffError, StaffMember, staff_member


@strawberry.type(description="What is wanted in a month.")
class StaffTarget:
    """A target."""

    enrollments: int = strawberry.field(description="Guests enrolled.")
    repeat_visits: int = strawberry.field(description="Days on which guests came again.")


@strawberry.type(description="Somebody on a store's board.")
class LeaderboardPlace:
    """A place."""

    rank: int = strawberry.field(description="From 1; equals share one, and as many are left out after it.")
    staff: StaffMember = strawberry.field(description="Who.")
    enrollments: int = strawberry.field(description="Guests whom the person enrolled in this store and month.")
    repeat_visits: int = strawberry.field(
        description="Days in this store and month on which guests came again whom the person enrolled anywhere."
    )
    target: StaffTarget | None = strawberry.field(description="The person's; null: none was set.")


@strawberry.type(description="Who in a store has brought in how much in a month.")
class Leaderboard:
    """A board."""

    places: Connection[LeaderboardPlace] = strawberry.field(description="By enrollments, then by repeat visits.")
    enrollments: int = strawberry.field(description="Of everybody on the board.")
    repeat_visits: int = strawberry.field(description="Of everybody on the board.")
    target: StaffTarget | None = strawberry.field(description="The store's; null: none was set.")


@strawberry.input(description="What is wanted of a staff member or of a store in a month.")
class StaffTargetInput:
    """A target."""

    subject_id: strawberry.ID = strawberry.field(description="A staff member's or a store's id.")
    month: str = strawberry.field(description='Of the store\'s calendar, like "2026-03".')
    enrollments: int = strawberry.field(description="Guests enrolled.")
    repeat_visits: int = strawberry.field(description="Days on which guests come again.")


@strawberry.input(description="Targets as they should be.")
class SetStaffTargetsInput:
    """Targets."""

    targets: list[StaffTargetInput] = strawberry.field(description="Up to 1,000, all or none.")


@strawberry.type(description="Why no target was set, if so.")
class SetStaffTargetsPayload:
    """Set targets."""

    user_errors: list[StaffError] = strawberry.field(description="Empty: they hold.")


@strawberry.type
class LeaderboardQuery:
    """Asking."""

    @field(STAFF_READERS, description="A store's board of a month; a caller with stores sees those of its own.")
    async def staff_leaderboard(
        self,
        info: Info,
        store_id: Annotated[strawberry.ID, strawberry.argument(description="Which store.")],
        month: Annotated[str, strawberry.argument(description='Of the store\'s calendar, like "2026-03".')],
        first: First = 20,
        after: After = None,
    ) -> Leaderboard:
        """Ask for a part of the board."""
        page = Page.checked(first=first, after=after)
        members = info.context.channel("members")
        request = pb.GetLeaderboardRequest(store_id=store_id, month=month, page=page.to_proto())
        answer = await members.ask(members.stub(StaffStub).GetLeaderboard, request)
        places = [
            LeaderboardPlace(
                rank=one.rank,
                staff=staff_member(one.staff),
                enrollments=one.enrollments,
                repeat_visits=one.repeat_visits,
                target=_target(one.target) if one.HasField("target") else None,
            )
            for one in answer.places
        ]
        return Leaderboard(
            places=Connection.of(places, page, end_cursor=answer.end_cursor),
            enrollments=answer.enrollments,
            repeat_visits=answer.repeat_visits,
            target=_target(answer.target) if answer.HasField("target") else None,
        )


@strawberry.type
class LeaderboardMutation:
    """Setting. The same again changes nothing."""

    @mutation(STAFF_WRITERS, description="Sets targets of staff and stores.")
    async def set_staff_targets(
        self, info: Info, wish: Annotated[SetStaffTargetsInput, INPUT]
    ) -> SetStaffTargetsPayload:
        """Set targets."""
        targets = [
            pb.StaffTarget(
                subject_id=one.subject_id,
                month=one.month,
                enrollments=one.enrollments,
                repeat_visits=one.repeat_visits,
            )
            for one in wish.targets
        ]
        members = info.context.channel("members")
        request = pb.SetStaffTargetsRequest(targets=targets)
        await members.ask(members.stub(StaffStub).SetStaffTargets, request)
        return SetStaffTargetsPayload(user_errors=[])


def _target(one: pb.StaffTarget) -> StaffTarget:
    return StaffTarget(enrollments=one.enrollments, repeat_visits=one.repeat_visits)
