"""The Feedback servicer: translate, call one use case, translate."""

from base64 import b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Any

from protos.feedback.v1 import feedback_pb2 as pb
from protos.feedback.v1 import feedback_pb2_grpc
from services.feedback.domain import Case, Invitation
from services.feedback.usecases.answers import AnswerSurvey, Listener, answer_survey
from services.feedback.usecases.lists import CasePage, Voices, list_cases, list_invitations
from services.kit.chain_clocks import ChainClocks
from services.kit.errors import Kind, Problem
from services.kit.rpc.server import caller
from services.kit.telemetry import current_traceparent
from services.kit.timestamps import to_timestamp


class CursorError(Problem):
    """This cursor was not made by an earlier answer."""

    kind = Kind.INVALID
    code = "INVALID_CURSOR"


@dataclass(frozen=True, slots=True)
class FeedbackServicer(feedback_pb2_grpc.FeedbackServicer):
    """protos/feedback/v1/feedback.proto."""

    listener: Listener
    voices: Voices
    clocks: ChainClocks

    async def ListInvitations(self, request: pb.ListInvitationsRequest, _context: Any) -> pb.ListInvitationsResponse:  # noqa: N802 - gRPC's name
        """Read the invitations that wait for an answer."""
        found = await list_invitations(request.member_ids, caller=caller(), voices=self.voices)
        return pb.ListInvitationsResponse(
            lists=[pb.InvitationList(invitations=[_invitation(one) for one in some]) for some in found]
        )

    async def AnswerSurvey(self, request: pb.AnswerSurveyRequest, _context: Any) -> pb.AnswerSurveyResponse:  # noqa: N802 - gRPC's name
        """Hear an answer."""
        command = AnswerSurvey(
            key=request.key,
            member=request.member_id,
            invitation=request.invitation_id,
            score=request.score,
            comment=request.comment,
            store=request.store_id,
            traceparent=current_traceparent(),
        )
        who = caller()
        now = await self.clocks.now(who.chain)
        answered = await answer_survey(command, caller=who, now=now, listener=self.listener)
        return pb.AnswerSurveyResponse(
            answer_id=answered.answer,
            case=_case(answered.case) if answered.case else None,
            repeated_call=answered.repeated_call,
        )

    async def ListCases(self, request: pb.ListCasesRequest, _context: Any) -> pb.ListCasesResponse:  # noqa: N802 - gRPC's name
        """Read a page of cases."""
        pages = await list_cases(
            request.member_ids,
            caller=caller(),
            first=request.page.first,
            after=_after(request.page.after),
            voices=self.voices,
        )
        return pb.ListCasesResponse(pages=[_page(page) for page in pages])


def _invitation(invitation: Invitation) -> pb.Invitation:
    return pb.Invitation(
        id=invitation.id,
        member_id=invitation.member,
        purchase_id=invitation.purchase,
        store_id=invitation.store,
        invited_at=to_timestamp(invitation.invited_at),
    )


def _case(case: Case) -> pb.Case:
    return pb.Case(
        id=case.id,
        member_id=case.member,
        store_id=case.store,
        state=pb.CASE_STATE_OPEN,
        score=case.score,
        comment=case.comment,
        opened_at=to_timestamp(case.opened_at),
        due_at=to_timestamp(case.due_at),
    )


def _page(page: CasePage) -> pb.CasePage:
    return pb.CasePage(
        cases=[_case(case) for case in page.cases],
        end_cursor=urlsafe_b64encode(page.next_after.encode()).decode(),
    )


def _after(cursor: str) -> str:
    try:
        after = b64decode(cursor, altchars="-_", validate=True).decode()
    except ValueError:  # neither base64 nor text
        raise CursorError(field="after") from None
    if after and not after.startswith("cas_"):
        raise CursorError(field="after")
    return after
