"""What feedback adds to the graph, over its real servicer."""

from typing import Any

from services.feedback.graph import subgraph
from services.kit.graph import Channels, GraphContext
from services.kit.principal import Principal
from tests.contract.feedback.conftest import ADA, STAFF, Feedback, bought
from tests.support.watched import Watched

SCHEMA = subgraph.schema()

VOICES = """
query ($members: [_Any!]!, $first: Int! = 20, $after: String) {
  _entities(representations: $members) { ... on Member {
    cases(first: $first, after: $after) {
      nodes { storeId state score comment openedAt dueAt }
      pageInfo { hasNextPage endCursor }
    }
    invitations { purchaseId storeId invitedAt }
  } }
}
"""
ANSWER = """
mutation ($input: AnswerSurveyInput!) {
  answerSurvey(input: $input) { answerId case { score storeId } repeatedCall userErrors { code field } }
}
"""


async def ask(
    feedback: Feedback, query: str, *, caller: Principal = STAFF, watched: Watched | None = None, **variables: Any
) -> Any:
    channels = Channels({"feedback": watched or Watched(feedback.channel)})
    context = GraphContext(caller=caller, channels=channels)
    result = await SCHEMA.answer(SCHEMA.documents.known(query), context=context, variables=variables)
    assert result.errors is None
    return result.data


def members(*ids: str) -> list[dict[str, str]]:
    return [{"__typename": "Member", "id": id_} for id_ in ids]


async def test_a_member_shows_cases_and_invitations(feedback: Feedback) -> None:
    await feedback.hear(bought())
    await feedback.answer(score=3)
    answer = await ask(feedback, VOICES, members=members("mem_ada"), caller=ADA)
    case = {
        "storeId": None,
        "state": "OPEN",
        "score": 3,
        "comment": "cold soup",
        "openedAt": "2026-03-01T04:00:00.000Z",
        "dueAt": "2026-03-01T04:30:00.000Z",
    }
    invitation = {"purchaseId": "pur_1", "storeId": "sto_1", "invitedAt": "2026-03-01T04:00:00.000Z"}
    page = {"nodes": [case], "pageInfo": {"hasNextPage": False, "endCursor": None}}
    assert answer == {"_entities": [{"cases": page, "invitations": [invitation]}]}


async def test_many_members_take_one_call_for_each_list(feedback: Feedback) -> None:
    names = [f"mem_{number}" for number in range(5)]
    await feedback.hear(*(bought(member=name) for name in names))
    watched = Watched(feedback.channel)
    answer = await ask(feedback, VOICES, watched=watched, members=members(*names))
    assert [len(entity["invitations"]) for entity in answer["_entities"]] == [1, 1, 1, 1, 1]
    assert [list(request.member_ids) for request in watched.asked] == [names, names]


async def test_pages_follow_each_other(feedback: Feedback) -> None:
    for number in range(3):
        await feedback.answer(f"answer-key-{number}")
    cursor = None
    for expected in (2, 1):
        answer = await ask(feedback, VOICES, members=members("mem_ada"), first=2, after=cursor)
        [entity] = answer["_entities"]
        assert len(entity["cases"]["nodes"]) == expected
        cursor = entity["cases"]["pageInfo"]["endCursor"]
    assert cursor is None


async def test_a_guest_answers_and_may_ask_again(feedback: Feedback) -> None:
    await feedback.hear(bought())
    [[invitation]] = await feedback.invitations()
    wish = {"key": "answer-key-1", "memberId": "mem_ada", "invitationId": invitation.id, "score": 2}
    first = (await ask(feedback, ANSWER, caller=ADA, input=wish))["answerSurvey"]
    assert (first["case"], first["repeatedCall"], first["userErrors"]) == ({"score": 2, "storeId": "sto_1"}, False, [])
    again = (await ask(feedback, ANSWER, caller=ADA, input=wish))["answerSurvey"]
    assert again == {**first, "repeatedCall": True}


async def test_a_good_answer_opens_no_case(feedback: Feedback) -> None:
    wish = {"key": "answer-key-1", "memberId": "mem_ada", "score": 10, "storeId": "sto_1"}
    answer = (await ask(feedback, ANSWER, caller=ADA, input=wish))["answerSurvey"]
    assert (answer["case"], answer["userErrors"]) == (None, [])
    assert answer["answerId"].startswith("ans_")


async def test_a_refused_answer_says_why(feedback: Feedback) -> None:
    wish = {"key": "answer-key-1", "memberId": "mem_ada", "invitationId": "inv_none", "score": 2}
    answer = (await ask(feedback, ANSWER, caller=ADA, input=wish))["answerSurvey"]
    assert answer == {
        "answerId": None,
        "case": None,
        "repeatedCall": False,
        "userErrors": [{"code": "INVITATION_NOT_FOUND", "field": "invitationId"}],
    }
