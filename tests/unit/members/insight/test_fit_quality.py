import numpy as np
import pytest

from services.members.domain.insight.fit_quality import CountClass, Errors, _joined, counts_of, errors_of, held_out
from services.members.domain.insight.purchase_rows import Rows, rows_from
from services.members.domain.insight.purchasing import Purchasing
from tests.support.purchasing import observed, simulated

MODEL = Purchasing(0.8, 5.0, 0.8, 2.5)


def test_members_made_by_the_model_fit_it_and_others_do_not() -> None:
    rows = rows_from(*simulated(MODEL, members=20_000, seed=4))
    right, wrong = counts_of(MODEL, rows), counts_of(Purchasing(0.8, 6.0, 0.8, 2.5), rows)
    assert sum(one.expected for one in right.classes) == pytest.approx(20_000)
    assert sum(one.members for one in right.classes) == 20_000
    assert (right.degrees, len(right.classes)) == (3, 8)
    assert right.p_value is not None
    assert right.p_value > 0.01
    assert wrong.p_value is not None
    assert wrong.p_value < 1e-6


def test_classes_with_too_few_are_joined() -> None:
    classes = (CountClass(0, 50, 40.0), CountClass(1, 8, 9.0), CountClass(2, 1, 3.0), CountClass(3, 0, 1.0))
    assert _joined(classes) == [CountClass(0, 50, 40.0), CountClass(1, 9, 13.0)]


def test_errors_are_over_members() -> None:
    found = errors_of(np.array([2.0, 0.0]), np.array([1.0, 1.0]), np.array([3.0, 1.0]))
    assert found == Errors(mae=1.0, rmse=1.0, wape=1.0, total=0.5)
    assert errors_of(np.ones(1), np.zeros(1), np.ones(1)) == Errors(1.0, 1.0, None, None)


def test_what_happened_next_by_how_often_they_had_come() -> None:
    rows = Rows(
        np.array([0, 2, 9, 12]), np.array([0.0, 5, 20, 20]), np.array([0.0, 10, 20, 24]), np.array([5.0, 2, 1, 1])
    )
    found = held_out(MODEL, rows, np.array([1.0, 0, 9, 3]), weeks=10.0)
    assert (found.weeks, found.visits) == (10.0, 17.0)
    assert [(one.x, one.members, one.actual) for one in found.classes] == [(0, 5, 1.0), (2, 2, 0.0), (7, 2, 6.0)]
    # naive: 0, 2, 4.5 and 5 visits
    assert found.naive.mae == pytest.approx((5 * 1 + 2 * 2 + 4.5 + 2) / 9)
    assert found.naive.wape == pytest.approx(15.5 / 17)


def test_the_model_knows_better_than_going_on_as_before() -> None:
    x, recency, age, then = observed(MODEL, members=10_000, seed=8, weeks=52, next_weeks=26)
    rows = Rows(x, recency / 7, age / 7, np.ones(10_000))
    found = held_out(MODEL, rows, then.astype(np.float64), weeks=26)
    assert found.visits == then.sum()
    assert found.model.total == pytest.approx(0, abs=0.05)
    assert found.naive.total is not None
    assert found.naive.total > 0.5
    assert found.model.mae < found.naive.mae
    assert found.model.rmse < found.naive.rmse
    assert all(one.expected == pytest.approx(one.actual, rel=0.15) for one in found.classes)
