"""Answers to surveys in the graph."""

from enum import Enum
from typing import Annotated

import strawberry

from protos.feedback.v1 import feedback_pb2 as pb
from protos.feedback.v1.feedback_pb2_grpc import FeedbackStub
from services.feedback.graph.voices import Case, case_of
from services.kit.graph import INPUT, Caller, Info, UserError, allow, mutation

ANSWERERS = allow(Caller.MEMBER, Caller.STAFF, Caller.TILL, scope="feedback:write")


@strawberry.input(description="A member's answers to the two questions.")
class AnswerSurveyInput:
    """The wish to say something."""

    key: str = strawberry.field(description="The command key: 8 to 128 characters, one for each wish.")
    member_id: strawberry.ID = strawberry.field(description="Who answers.")
    score: int = strawberry.field(description='Question 1, "How likely are you to recommend us?": 0 to 10.')
    comment: str = strawberry.field(
        default="", description='Question 2, "What should we do better?": up to 2,000 characters, may be empty.'
    )
    invitation_id: strawberry.ID | None = strawberry.field(
        default=None, description="The invitation that is answered; null: the member speaks unasked."
    )
    store_id: strawberry.ID | None = strawberry.field(
        default=None, description="The store that it is about when there is no invitation."
    )


@strawberry.enum(description="Why an answer was not taken.")
class AnswerSurveyErrorCode(Enum):
    """Codes of `AnswerSurveyError`."""

    INVALID = strawberry.enum_value("INVALID", description="The input is wrong by itself.")
    NOT_FOUND = strawberry.enum_value("NOT_FOUND", description="What is named does not exist in this chain.")
    CONFLICT = strawberry.enum_value("CONFLICT", description="It is in use with other content.")
    REFUSED = strawberry.enum_value("REFUSED", description="The state does not allow it.")
    INVALID_KEY = strawberry.enum_value("INVALID_KEY", description="The command key is too short or too long.")
    KEY_REUSED = strawberry.enum_value("KEY_REUSED", description="The key was used for another wish.")
    INVALID_ANSWER = strawberry.enum_value("INVALID_ANSWER", description="No answer can be like that.")
    MEMBER_NOT_FOUND = strawberry.enum_value("MEMBER_NOT_FOUND", description="There is no such member.")
    INVITATION_NOT_FOUND = strawberry.enum_value(
        "INVITATION_NOT_FOUND", description="The member has no such invitation."
    )
    INVITATION_ANSWERED = strawberry.enum_value("INVITATION_ANSWERED", description="It was answered before.")


@strawberry.type(description="Why an answer was not taken.")
class AnswerSurveyError(UserError):
    """An item of `userErrors`."""

    code: AnswerSurveyErrorCode = strawberry.field(description="For programs.")


@strawberry.type(description="What came of the answer, or why it was not taken.")
class AnswerSurveyPayload:
    """The answer to an answer."""

    user_errors: list[AnswerSurveyError] = strawberry.field(description="Empty: it was taken.")
    answer_id: strawberry.ID | None = strawberry.field(default=None, description="`ans_…`; null when it was not taken.")
    case: Case | None = strawberry.field(default=None, description="The case that the answer opened, if it did.")
    repeated_call: bool = strawberry.field(
        default=False, description="The key had been used before, and this is the first answer."
    )


@strawberry.type
class Mutation:
    """What can be told to feedback."""

    @mutation(ANSWERERS, description="Takes a member's answers. A score of 6 or less opens a case.")
    async def answer_survey(self, info: Info, wish: Annotated[AnswerSurveyInput, INPUT]) -> AnswerSurveyPayload:
        """Answer a survey."""
        feedback = info.context.channel("feedback")
        request = pb.AnswerSurveyRequest(
            key=wish.key,
            member_id=wish.member_id,
            invitation_id=wish.invitation_id or "",
            score=wish.score,
            comment=wish.comment,
            store_id=wish.store_id or "",
        )
        # The key makes asking again safe.
        answer = await feedback.ask(feedback.stub(FeedbackStub).AnswerSurvey, request)
        return AnswerSurveyPayload(
            user_errors=[],
            answer_id=strawberry.ID(answer.answer_id),
            case=case_of(answer.case) if answer.HasField("case") else None,
            repeated_call=answer.repeated_call,
        )
