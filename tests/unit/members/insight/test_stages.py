from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.members.domain.insight.history import EMPTY, Counting, History, history_of
from services.members.domain.insight.receipts import Moment, Receipt
from services.members.domain.insight.stages import (
    InvalidStagesError,
    Reason,
    Stage,
    StagePolicy,
    Standing,
    check_stages,
    standing,
)

FIRST = date(2026, 1, 5).toordinal()


def on_days(*days: int) -> History:
    return history_of([Receipt(Moment(FIRST + day, 12), 1_000) for day in days])


def at(history: History, day: int, *, gap: float | None = 10.0, policy: StagePolicy | None = None) -> Standing:
    return standing(history, usual_gap_days=gap, today=FIRST + day, policy=policy or StagePolicy())


def test_who_never_bought_is_a_prospect_for_ever() -> None:
    assert at(EMPTY, 99) == Standing(Stage.PROSPECT, Reason.NEVER_BOUGHT)


def test_a_life() -> None:
    once = on_days(0)
    assert at(once, 0) == Standing(Stage.NEW, Reason.FEW_VISITS, 0, FIRST + 21, Stage.DORMANT)
    assert at(once, 20).stage is Stage.NEW
    assert at(once, 21) == Standing(Stage.DORMANT, Reason.AWAY, 21, FIRST + 41, Stage.LOST)
    assert at(once, 40).stage is Stage.DORMANT
    assert at(once, 41) == Standing(Stage.LOST, Reason.LONG_AWAY, 41)
    assert at(on_days(0, 41), 41) == Standing(Stage.RETURNED, Reason.CAME_BACK, 0, FIRST + 62, Stage.DORMANT)
    assert at(on_days(0, 41, 50), 50) == Standing(Stage.ACTIVE, Reason.WITHIN_USUAL, 0, FIRST + 71, Stage.DORMANT)
    assert at(on_days(0, 20), 20).stage is Stage.ACTIVE
    assert at(on_days(0, 21), 21).stage is Stage.RETURNED


def test_limits_are_the_chains() -> None:
    policy = StagePolicy(3, 1.5, 3.0, 3.0, 2, 7.0)
    assert at(on_days(0, 8), 8, gap=None, policy=policy) == Standing(
        Stage.NEW, Reason.FEW_VISITS, 0, FIRST + 19, Stage.DORMANT
    )
    assert at(on_days(0, 22, 23), 23, gap=None, policy=policy).stage is Stage.RETURNED
    assert at(on_days(0, 22, 23, 24), 24, gap=None, policy=policy).stage is Stage.ACTIVE
    assert at(on_days(0, 99), 99, policy=StagePolicy(returned_visits=0)).stage is Stage.ACTIVE


def test_a_gap_below_a_day_is_one() -> None:
    assert at(on_days(0), 0, gap=0.0).changes_on == FIRST + 3


def test_receipts_of_a_day_can_be_visits() -> None:
    twice = on_days(0, 0)
    found = standing(twice, usual_gap_days=9, today=FIRST, policy=StagePolicy(), counting=Counting.RECEIPTS)
    assert (found.stage, at(twice, 0).stage) == (Stage.ACTIVE, Stage.NEW)


@given(st.lists(st.integers(0, 100), min_size=1, max_size=8), st.integers(0, 300), st.floats(0, 50))
def test_it_changes_by_itself_on_the_day_that_was_told_and_not_before(days: list[int], later: int, gap: float) -> None:
    history, today = on_days(*days), max(days) + later
    now = at(history, today, gap=gap)
    if now.changes_on is None:
        assert {at(history, today + more, gap=gap).stage for more in (1, 10, 1_000)} == {now.stage}
    else:
        change = now.changes_on - FIRST
        assert change > today
        assert at(history, change - 1, gap=gap).stage is now.stage
        assert at(history, change, gap=gap).stage is now.changes_to


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        (StagePolicy(dormant_multiple=4.0), "lostMultiple"),
        (StagePolicy(dormant_multiple=0.0), "lostMultiple"),
        (StagePolicy(lost_multiple=101.0), "lostMultiple"),
        (StagePolicy(returned_multiple=0.0), "returnedMultiple"),
        (StagePolicy(new_visits=-1), "newVisits"),
        (StagePolicy(returned_visits=101), "returnedVisits"),
        (StagePolicy(default_gap_days=0.5), "defaultGapDays"),
    ],
)
def test_limits_out_of_order_are_refused(policy: StagePolicy, field: str) -> None:
    with pytest.raises(InvalidStagesError) as raised:
        check_stages(policy, field="stages")
    assert raised.value.field == f"stages.{field}"
    check_stages(StagePolicy(), field="stages")
