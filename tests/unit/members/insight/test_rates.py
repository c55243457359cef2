from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from services.members.domain.insight.before_after import Change, change
from services.members.domain.insight.cohorts import cell_changes, cells_of, month_of, repeats, retention
from services.members.domain.insight.flows import Flow, Step, flows, funnel
from services.members.domain.insight.history import EMPTY, History, history_of, of_receipt, together
from services.members.domain.insight.proportions import Share, share_of
from services.members.domain.insight.receipts import Moment, Receipt
from services.members.domain.insight.second_visits import Point, curve, within
from services.members.domain.insight.stages import Stage

JANUARY = 2026 * 12


def on(*days: date) -> History:
    return history_of([Receipt(Moment(day.toordinal(), 12), 1_000) for day in days])


@given(st.integers(1, 10_000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_intervals_are_wilsons(pair: tuple[int, int]) -> None:
    found, wanted = share_of(*pair), binomtest(*pair).proportion_ci(method="wilson")
    assert found.low == pytest.approx(wanted.low, abs=1e-9)
    assert found.high == pytest.approx(wanted.high, abs=1e-9)
    assert found.low is not None
    assert found.share is not None
    assert found.high is not None
    assert 0 <= found.low <= found.share <= found.high <= 1


def test_a_share_of_nothing_is_none() -> None:
    assert share_of(0, 0) == Share(0, 0, None, None, None)
    assert (share_of(0, 9).low, share_of(9, 9).high) == (0.0, 1.0)


# By days since the first visit, and days to the second.
FIRSTS = {(100, 10): 2, (100, 30): 1, (100, None): 3, (20, 5): 1, (20, None): 3}


def test_the_second_visit_within_so_many_days_looks_at_those_who_had_the_time() -> None:
    assert within(FIRSTS, 30) == share_of(3, 6)
    assert within(FIRSTS, 29) == share_of(2, 6)
    assert within(FIRSTS, 20) == share_of(3, 10)
    assert within({}, 30) == share_of(0, 0)


def test_the_curve_uses_who_is_still_waiting() -> None:
    points = curve(FIRSTS, [4, 5, 10, 25, 30, 100, 101])
    # 10 at risk, 1 comes on day 5; of 9 2 on day 10; 3 leave on day 20; of 4 1 on day 30
    kept = [1.0, 0.9, 0.9 * 7 / 9, 0.7, 0.7 * 3 / 4, 0.525]
    assert [one.came for one in points[:-1]] == pytest.approx([1 - away for away in kept])
    assert points[-1] == Point(101, None, None, None)
    assert points[0] == Point(4, 0.0, 0.0, 0.0)
    assert all(one.low < one.came < one.high for one in points[1:-1] if one.low and one.came and one.high)
    # R, survival::survfit(conf.type = "log-log"), by its formula
    error = (1 / 90 + 2 / 63) ** 0.5 / abs(np.log(0.7))
    low, high = 1 - 0.7 ** np.exp(-1.959964 * error), 1 - 0.7 ** np.exp(1.959964 * error)
    assert points[3].low == pytest.approx(low, rel=1e-5)
    assert points[3].high == pytest.approx(high, rel=1e-5)


def test_when_all_came_again_all_came() -> None:
    assert curve({(9, 2): 4}, [1, 2, 400]) == (
        Point(1, 0.0, 0.0, 0.0),
        Point(2, 1.0, 1.0, 1.0),
        Point(400, 1.0, 1.0, 1.0),
    )
    assert curve({}, [1]) == (Point(1, None, None, None),)


def test_cohorts() -> None:
    members = [
        on(date(2026, 1, 31), date(2026, 2, 1), date(2026, 2, 2)),
        on(date(2026, 1, 1), date(2026, 3, 9)),
        on(date(2026, 2, 5)),
        on(date(2026, 3, 1)),
    ]
    cells: dict[tuple[int, int], int] = {}
    for one in members:
        for cell in cells_of(one):
            cells[cell] = cells.get(cell, 0) + 1
    assert cells_of(members[0]) == {(JANUARY, 0), (JANUARY, 1)}
    found = retention(cells, this_month=month_of(date(2026, 3, 20).toordinal()))
    assert [(one.month - JANUARY, one.members) for one in found] == [(0, 2), (1, 1)]  # March is not over
    assert [one.retained for one in found] == [(share_of(2, 2), share_of(1, 2)), (share_of(1, 1),)]
    assert cells_of(EMPTY) == frozenset()


@given(st.lists(st.integers(0, 200), max_size=8), st.integers(0, 200))
def test_cells_change_as_counting_anew_would(days: list[int], late: int) -> None:
    start = date(2026, 1, 1).toordinal()
    before = history_of([Receipt(Moment(start + day, 12), 1_000) for day in days])
    after = together(before, of_receipt(Receipt(Moment(start + late, 12), 1_000)))
    cells = dict.fromkeys(cells_of(before), 1)
    for cell, count in cell_changes(before, after).items():
        assert count != 0
        cells[cell] = cells.get(cell, 0) + count
    assert {cell: count for cell, count in cells.items() if count} == dict.fromkeys(cells_of(after), 1)


def test_what_returning_members_buy() -> None:
    found = repeats(members=10, returning=4, spend_minor=1_000, returning_spend_minor=700)
    assert (found.members, found.spend_share) == (share_of(4, 10), 0.7)
    assert repeats(members=0, returning=0, spend_minor=0, returning_spend_minor=0).spend_share is None


def test_the_funnel_and_its_flows() -> None:
    by_stage = {Stage.PROSPECT: 40, Stage.NEW: 10, Stage.ACTIVE: 20, Stage.LOST: 30}
    found = funnel(by_stage, bought_again=35, still_come_again=21)
    assert found.stages[0] == Step(Stage.PROSPECT, share_of(40, 100))
    assert [one.stage for one in found.stages] == list(Stage)
    assert (found.bought, found.bought_again, found.still_come) == (
        share_of(60, 100),
        share_of(35, 60),
        share_of(21, 35),
    )
    moved = {(Stage.LOST, Stage.RETURNED): 1, (Stage.NEW, Stage.ACTIVE): 3, (Stage.NEW, Stage.DORMANT): 1,
             (Stage.ACTIVE, Stage.LOST): 0}  # fmt: skip
    assert flows(moved) == (
        Flow(Stage.NEW, Stage.ACTIVE, share_of(3, 4)),
        Flow(Stage.NEW, Stage.DORMANT, share_of(1, 4)),
        Flow(Stage.LOST, Stage.RETURNED, share_of(1, 1)),
    )


def test_before_and_after_are_compared_member_by_member() -> None:
    pairs = {(2, 3): 300, (1, 1): 500, (4, 2): 50}
    found = change(pairs, seed=1)
    assert (found.members, found.before, found.after) == (850, 1_300 / 850, 1_500 / 850)
    assert found.difference == pytest.approx(200 / 850)
    spread = (
        sum(count * (after - before - 200 / 850) ** 2 for (before, after), count in pairs.items()) / 850**2
    ) ** 0.5
    assert found.low == pytest.approx(200 / 850 - 1.96 * spread, abs=0.2 * spread)
    assert found.high == pytest.approx(200 / 850 + 1.96 * spread, abs=0.2 * spread)
    assert found.is_clear
    assert found == change(pairs, seed=1)


def test_what_changed_for_others_as_well_is_taken_off() -> None:
    pairs, others = {(2, 3): 300, (1, 1): 300}, {(5, 6): 300, (1, 1): 300}
    found = change(pairs, seed=1, others=others)
    assert found.difference == pytest.approx(0)
    assert not found.is_clear
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0 < found.high


def test_too_few_to_be_sure() -> None:
    assert change({(1, 2): 9}, seed=1) == Change(9, 1.0, 2.0, 1.0, None, None)
    assert change({(1, 2): 90}, seed=1, others={(1, 2): 9}).low is None
    assert change({}, seed=1) == change({}, seed=1, others={(1, 1): 1}) == Change(0, None, None, None, None, None)
    assert change({(1, 1): 5}, seed=1, others={}).difference is None
    assert not change({(1, 2): 9}, seed=1).is_clear
