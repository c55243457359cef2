"""Cases and invitations in the graph."""

from enum import Enum

import strawberry

from protos.feedback.v1 import feedback_pb2 as pb
from protos.feedback.v1.feedback_pb2_grpc import FeedbackStub
from services.kit.graph import (
    After,
    Caller,
    Connection,
    First,
    GraphContext,
    Info,
    Instant,
    Page,
    allow,
    field,
    instant,
    loader,
    page_loader,
)

READERS = allow(Caller.MEMBER, Caller.STAFF, scope="feedback:read")


@strawberry.enum(description="How far a case has come.")
class CaseState(Enum):
    """States of a case."""

    OPEN = strawberry.enum_value("OPEN", description="Somebody has to come back to the member.")


@strawberry.type(description="A member who was not content, to whom somebody has to come back.")
class Case:
    """A case."""

    id: strawberry.ID = strawberry.field(description="`cas_…`.")
    store_id: strawberry.ID | None = strawberry.field(
        description="The store that it is about; null: none in particular."
    )
    state: CaseState = strawberry.field(description="How far it has come.")
    score: int = strawberry.field(description="The member's answer to the first question, 0 to 10.")
    comment: str = strawberry.field(description="The member's answer to the second question; may be empty.")
    opened_at: Instant = strawberry.field(description="When the member answered.")
    due_at: Instant = strawberry.field(description="When somebody must have come back to the member.")


@strawberry.type(description="A wish to hear about one purchase.")
class SurveyInvitation:
    """An invitation that waits for an answer."""

    id: strawberry.ID = strawberry.field(description="`inv_…`.")
    purchase_id: strawberry.ID = strawberry.field(description="The purchase that it is about.")
    store_id: strawberry.ID = strawberry.field(description="Where it was.")
    invited_at: Instant = strawberry.field(description="When the member was invited.")


@page_loader()
async def cases_of(context: GraphContext, ids: list[str], page: Page) -> list[Connection[Case]]:
    """Fetch a page of each member's cases."""
    feedback = context.channel("feedback")
    request = pb.ListCasesRequest(member_ids=ids, page=page.to_proto())
    answer = await feedback.ask(feedback.stub(FeedbackStub).ListCases, request)
    return [
        Connection.of([case_of(case) for case in found.cases], page, end_cursor=found.end_cursor)
        for found in answer.pages
    ]


@loader(most=100)
async def invitations_of(context: GraphContext, ids: list[str]) -> list[list[SurveyInvitation]]:
    """Fetch each member's waiting invitations."""
    feedback = context.channel("feedback")
    request = pb.ListInvitationsRequest(member_ids=ids)
    answer = await feedback.ask(feedback.stub(FeedbackStub).ListInvitations, request)
    return [[_invitation(one) for one in found.invitations] for found in answer.lists]


@strawberry.federation.type(keys=["id"], description="A guest of the chain, wherever met.")
class Member:
    """What feedback knows of a member."""

    id: strawberry.ID = strawberry.field(description="`mem_…`.")

    @field(READERS, description="The member's cases, the newest first.")
    async def cases(self, info: Info, first: First = 20, after: After = None) -> Connection[Case]:
        """Load a page of cases, together with those of the other members of this level."""
        return await cases_of.load(info, self.id, first=first, after=after)

    @field(READERS, description="Surveys that wait for the member's answer, the newest first; 10 at most.")
    async def invitations(self, info: Info) -> list[SurveyInvitation]:
        """Load the invitations, together with those of the other members of this level."""
        return await invitations_of.load(info, self.id)


def case_of(case: pb.Case) -> Case:
    """Return the case as the graph has it."""
    return Case(
        id=strawberry.ID(case.id),
        store_id=strawberry.ID(case.store_id) if case.store_id else None,
        state=CaseState[pb.CaseState.Name(case.state).removeprefix("CASE_STATE_")],
        score=case.score,
        comment=case.comment,
        opened_at=instant(case.opened_at),
        due_at=instant(case.due_at),
    )


def _invitation(invitation: pb.Invitation) -> SurveyInvitation:
    return SurveyInvitation(
        id=strawberry.ID(invitation.id),
        purchase_id=strawberry.ID(invitation.purchase_id),
        store_id=strawberry.ID(invitation.store_id),
        invited_at=instant(invitation.invited_at),
    )
