"""The Feedback servicer over a real connection, on the real database."""

import asyncio
from base64 import urlsafe_b64encode
from dataclasses import replace
from datetime import timedelta
from functools import partial
from math import ceil
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from protos.events.v1.feedback_pb2 import CaseOpened
from protos.feedback.v1 import feedback_pb2 as pb
from services.feedback.store.collections import ANSWERS, CASES, INVITATIONS
from services.kit.errors import Kind
from services.kit.mongo.command_keys import COMMAND_KEYS
from services.kit.outbox.outbox import OUTBOX
from services.kit.rpc import RemoteProblem
from services.kit.timestamps import to_timestamp
from tests.contract.feedback.conftest import ADA, STAFF, TILL, Feedback, bought, enrolled
from tests.support.clock import START

STRANGER = replace(STAFF, chain="chn_2")
BOB = replace(ADA, id="mem_bob")


async def invitation_of(feedback: Feedback, *, store: str = "sto_1") -> str:
    await feedback.hear(enrolled(), bought(store=store))
    [[invitation]] = await feedback.invitations()
    return invitation.id


async def test_a_low_score_opens_a_case_and_tells_it(feedback: Feedback) -> None:
    invitation = await invitation_of(feedback)
    answer = await feedback.answer(invitation_id=invitation, score=6)
    assert answer.case == pb.Case(
        id=answer.case.id,
        member_id="mem_ada",
        store_id="sto_1",
        state=pb.CASE_STATE_OPEN,
        score=6,
        comment="cold soup",
        opened_at=to_timestamp(START),
        due_at=to_timestamp(START + timedelta(minutes=30)),
    )
    assert await feedback.cases() == [answer.case]
    [row] = await feedback.rows(OUTBOX)
    assert (row["stream"], row["aggregate"], row["sequence"]) == ("feedback.case", answer.case.id, 1)
    assert len(row["traceparent"]) == 55
    assert CaseOpened.FromString(row["body"]) == CaseOpened(
        case_id=answer.case.id,
        member_id="mem_ada",
        store_id="sto_1",
        score=6,
        opened_at=answer.case.opened_at,
        due_at=answer.case.due_at,
    )


async def test_a_good_score_is_kept_and_opens_nothing(feedback: Feedback) -> None:
    answer = await feedback.answer(score=7)
    assert not answer.HasField("case")
    [row] = await feedback.rows(ANSWERS)
    assert (row["answer"], row["score"], row["comment"]) == (answer.answer_id, 7, "cold soup")
    assert await feedback.rows(OUTBOX) == []


async def test_an_answered_invitation_waits_no_longer(feedback: Feedback) -> None:
    invitation = await invitation_of(feedback)
    answer = await feedback.answer(invitation_id=invitation, score=9)
    assert await feedback.invitations() == [[]]
    assert [row["answer"] for row in await feedback.rows(INVITATIONS)] == [answer.answer_id]


async def test_an_answer_without_invitation_is_about_the_store_that_it_names(feedback: Feedback) -> None:
    assert (await feedback.answer(store_id="sto_7")).case.store_id == "sto_7"


@pytest.mark.parametrize("score", [3, 9])
async def test_the_same_answer_again_gets_the_first_answer(feedback: Feedback, score: int) -> None:
    invitation = await invitation_of(feedback)
    first = await feedback.answer(invitation_id=invitation, score=score)
    before = await feedback.everything()
    feedback.clock.move(timedelta(days=1))
    again = await feedback.answer(invitation_id=invitation, score=score)
    assert (first.repeated_call, again.repeated_call) == (False, True)
    again.repeated_call = False
    assert again == first
    assert await feedback.everything() == before


async def test_the_same_answer_many_times_at_once_is_taken_once(feedback: Feedback) -> None:
    answers = await asyncio.gather(*(feedback.answer() for _ in range(5)))
    assert len({answer.case.id for answer in answers}) == 1
    assert sorted(answer.repeated_call for answer in answers) == [False, True, True, True, True]
    assert len(await feedback.rows(CASES)) == 1


async def test_of_many_answers_at_once_one_answers_the_invitation(feedback: Feedback) -> None:
    invitation = await invitation_of(feedback)
    tried = [feedback.answer(f"answer-key-{number}", invitation_id=invitation) for number in range(5)]
    answers = await asyncio.gather(*tried, return_exceptions=True)
    codes = [answer.code if isinstance(answer, RemoteProblem) else "done" for answer in answers]
    assert sorted(codes) == [*["INVITATION_ANSWERED"] * 4, "done"]
    assert len(await feedback.rows(CASES)) == 1


async def test_a_key_with_other_content_shows_the_first_but_not_its_words(feedback: Feedback) -> None:
    await feedback.answer(score=2)
    refused = await feedback.refusal(lambda: feedback.answer(score=2, comment="cold rice"))
    assert (refused.kind, refused.code, refused.field) == (Kind.CONFLICT, "KEY_REUSED", "key")
    assert "score 2 of mem_ada" in refused.message
    [row] = await feedback.rows(COMMAND_KEYS)
    assert b"soup" not in row["answer"]


WRONG: dict[str, tuple[dict[str, Any], tuple[Kind, str, str]]] = {
    "a score too high": ({"score": 11}, (Kind.INVALID, "INVALID_ANSWER", "score")),
    "a long comment": ({"comment": "x" * 2_001}, (Kind.INVALID, "INVALID_ANSWER", "comment")),
    "a short key": ({"key": "short"}, (Kind.INVALID, "INVALID_KEY", "key")),
    "no such invitation": ({"invitation_id": "inv_none"}, (Kind.NOT_FOUND, "INVITATION_NOT_FOUND", "invitationId")),
    "another guest": ({"caller": BOB}, (Kind.DENIED, "DENIED", "memberId")),
    "another store": ({"caller": TILL, "store_id": "sto_2"}, (Kind.DENIED, "DENIED", "storeId")),
    "another chain": ({"caller": STRANGER}, (Kind.NOT_FOUND, "MEMBER_NOT_FOUND", "memberId")),
    "nobody": ({"caller": STAFF, "member_id": "mem_zoe"}, (Kind.NOT_FOUND, "MEMBER_NOT_FOUND", "memberId")),
    "no scope": ({"caller": replace(TILL, scopes=frozenset({"feedback:read"}))}, (Kind.DENIED, "DENIED", "")),
}


async def test_a_wrong_answer_is_refused(feedback: Feedback) -> None:
    await invitation_of(feedback)
    told = {}
    for name, (changed, _) in WRONG.items():
        refused = await feedback.refusal(partial(feedback.answer, **changed))
        told[name] = refused.kind, refused.code, refused.field
    assert told == {name: expected for name, (_, expected) in WRONG.items()}


async def test_another_members_invitation_is_not_found(feedback: Feedback) -> None:
    invitation = await invitation_of(feedback)
    refused = await feedback.refusal(lambda: feedback.answer(caller=BOB, member_id="mem_bob", invitation_id=invitation))
    assert (refused.kind, refused.code) == (Kind.NOT_FOUND, "INVITATION_NOT_FOUND")


async def test_a_till_answers_no_invitation_of_another_store(feedback: Feedback) -> None:
    invitation = await invitation_of(feedback, store="sto_2")
    refused = await feedback.refusal(lambda: feedback.answer(invitation_id=invitation, caller=TILL))
    assert (refused.kind, refused.field) == (Kind.DENIED, "storeId")


async def test_a_known_member_is_not_asked_for(feedback: Feedback) -> None:
    await feedback.hear(enrolled())
    await feedback.answer()
    assert feedback.directory.asked == []


async def test_a_member_whose_news_lags_is_asked_for_once_and_then_known(feedback: Feedback) -> None:
    await feedback.answer()
    await feedback.answer("answer-key-2")
    assert feedback.directory.asked == [("service", "chn_1", ["mem_ada"])]


async def test_a_guest_sees_only_the_own_and_a_stranger_nothing(feedback: Feedback) -> None:
    await feedback.hear(bought(), bought(member="mem_bob"))
    await feedback.answer()
    await feedback.answer("answer-key-2", caller=STAFF, member_id="mem_bob")
    both = ["mem_bob", "mem_ada"]
    for who, seen in ((STAFF, [1, 1]), (ADA, [0, 1]), (STRANGER, [0, 0])):
        assert [len(page.cases) for page in await feedback.pages(both, caller=who)] == seen
        assert [len(waiting) for waiting in await feedback.invitations(*both, caller=who)] == seen


async def test_a_forged_cursor_is_refused(feedback: Feedback) -> None:
    for cursor in ("{$gt: 0}", "!!!!", urlsafe_b64encode(b"mem_ada").decode()):
        with pytest.raises(RemoteProblem, match="not made by an earlier answer"):
            await feedback.pages(["mem_ada"], after=cursor)


# Not shrunk when it fails: every try costs many calls.
@settings(
    max_examples=10,
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(count=st.integers(0, 6), first=st.integers(1, 4))
async def test_pages_joined_are_all_cases_each_once(feedback: Feedback, count: int, first: int) -> None:
    await feedback.database.collection(CASES).delete_many({"chain": "chn_1"})
    opened = []
    for _ in range(count):
        now = feedback.clock.move(timedelta(milliseconds=1))
        opened.append((await feedback.answer(f"answer-{now.isoformat()}")).case.id)
    joined: list[str] = []
    cursor = ""
    for _ in range(max(1, ceil(count / first))):
        mine, other = await feedback.pages(["mem_ada", "mem_bob"], first=first, after=cursor)
        assert (list(other.cases), other.end_cursor) == ([], "")
        joined += [case.id for case in mine.cases]
        cursor = mine.end_cursor
    assert (joined, cursor) == (opened[::-1], "")
