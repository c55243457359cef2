"""Whom to ask, and which answers open a case."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.feedback.domain import (
    Answer,
    Case,
    InvalidAnswerError,
    Invitation,
    Visit,
    check_answer,
    invite,
    may_invite,
    open_case,
)

NOW = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
TICK = timedelta(milliseconds=1)
DAY = timedelta(days=1)


def visit(occurred_at: datetime = NOW, *, purchase: str = "pur_1") -> Visit:
    return Visit(chain="c1", member="mem_1", purchase=purchase, store="sto_1", occurred_at=occurred_at)


def answer(score: int) -> Answer:
    return Answer("ans_1", "mem_1", "inv_1", "sto_1", score, "cold soup", NOW)


def test_the_first_visit_is_asked_about() -> None:
    assert may_invite(visit(), asked_about=None, now=NOW)


def test_a_member_is_asked_again_after_thirty_days_and_not_before() -> None:
    assert may_invite(visit(), asked_about=NOW - 30 * DAY, now=NOW)
    assert not may_invite(visit(), asked_about=NOW - 30 * DAY + TICK, now=NOW)


def test_a_visit_before_the_one_asked_about_is_not_asked_about() -> None:
    assert not may_invite(visit(NOW - 6 * DAY), asked_about=NOW, now=NOW)


def test_a_receipt_may_be_seven_days_late() -> None:
    assert may_invite(visit(NOW - 7 * DAY), asked_about=None, now=NOW)
    assert not may_invite(visit(NOW - 7 * DAY - TICK), asked_about=None, now=NOW)


def test_an_invitation_names_the_visit() -> None:
    earlier = NOW - DAY
    assert invite(visit(earlier), invitation_id="inv_1", now=NOW) == Invitation(
        id="inv_1", member="mem_1", purchase="pur_1", store="sto_1", occurred_at=earlier, invited_at=NOW
    )


def test_a_score_of_six_opens_a_case_for_thirty_minutes() -> None:
    assert open_case(answer(6), case_id="cas_1") == Case(
        id="cas_1",
        member="mem_1",
        answer="ans_1",
        store="sto_1",
        score=6,
        comment="cold soup",
        opened_at=NOW,
        due_at=datetime(2026, 3, 1, 4, 30, tzinfo=UTC),
    )
    assert open_case(answer(0), case_id="cas_1") is not None


def test_a_score_of_seven_opens_none() -> None:
    assert open_case(answer(7), case_id="cas_1") is None


@pytest.mark.parametrize(
    ("score", "comment", "field"), [(-1, "", "score"), (11, "", "score"), (5, "x" * 2_001, "comment")]
)
def test_an_answer_out_of_bounds_is_refused_with_its_field(score: int, comment: str, field: str) -> None:
    with pytest.raises(InvalidAnswerError) as refused:
        check_answer(score=score, comment=comment)
    assert refused.value.field == field


def test_an_answer_at_its_bounds_is_fine() -> None:
    check_answer(score=0, comment="")
    check_answer(score=10, comment="好" * 2_000)


@given(st.lists(st.integers(0, 7 * 24 * 60), min_size=1, max_size=12))
def test_of_visits_in_one_week_exactly_one_is_asked_about_in_whatever_order_they_come(minutes: list[int]) -> None:
    asked_about: datetime | None = None
    asked = 0
    for minute in minutes:
        moment = NOW - timedelta(minutes=minute)
        if may_invite(visit(moment), asked_about=asked_about, now=NOW):
            asked_about, asked = moment, asked + 1
    assert asked == 1


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(-1, 9)), min_size=1, max_size=40))
def test_visits_asked_about_lie_thirty_days_apart_however_late_their_receipts_come(
    receipts: list[tuple[int, int]],
) -> None:
    now = NOW
    asked: list[datetime] = []
    for days_passed, days_late in receipts:
        now += days_passed * DAY
        moment = now - days_late * DAY
        if may_invite(visit(moment), asked_about=max(asked, default=None), now=now):
            asked.append(moment)
    for earlier, later in pairwise(asked):
        assert later - earlier >= 30 * DAY
