from datetime import date
from math import gamma, isfinite, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import beta, hyp2f1
from scipy.stats import beta as beta_distribution

from services.members.domain.insight.expecting import alive, expected, expected_of_new, probabilities
from services.members.domain.insight.history import EMPTY, Kept, history_of
from services.members.domain.insight.purchase_rows import Rows, row_of, rows_from, rows_of, visits_after
from services.members.domain.insight.purchasing import Purchasing, _likelihood, _Table, fit_purchasing, log_likelihood
from services.members.domain.insight.receipts import Moment, Receipt
from tests.support.purchasing import simulated

PUBLISHED = Purchasing(0.243, 4.414, 0.793, 2.426)  # Fader, Hardie, Lee (2005), table 2
CLOSER = Purchasing(0.2425945, 4.4136019, 0.7929199, 2.4258881)  # as R's BTYD tells it


def one(x: int, recency: float, age: float) -> Rows:
    return Rows(np.array([x]), np.array([recency]), np.array([age]), np.ones(1))


def visits(model: Purchasing, x: int, recency: float, age: float, weeks: float) -> float:
    return float(expected(model, one(x, recency, age), weeks=weeks)[0])


def test_expectations_are_those_published() -> None:
    assert visits(PUBLISHED, 2, 30.43, 38.86, 39) == pytest.approx(1.226, abs=5e-4)
    assert expected_of_new(CLOSER, weeks=52) == pytest.approx(1.444010, abs=1e-6)


def test_the_oftener_somebody_came_the_more_a_silence_tells() -> None:
    found = [visits(PUBLISHED, x, 20, 39, 52) for x in (2, 10, 15, 20, 25)]
    assert found == sorted(found, reverse=True)
    assert found[0] > 100 * found[3]


def test_who_came_once_is_still_active_and_who_came_often_and_stays_away_is_not() -> None:
    assert alive(PUBLISHED, one(0, 0, 38.86))[0] == 1.0
    odds = 0.793 / (2.426 + 1) * ((4.414 + 38.86) / (4.414 + 30.43)) ** 2.243
    assert alive(PUBLISHED, one(2, 30.43, 38.86))[0] == pytest.approx(1 / (1 + odds), rel=1e-12)
    assert alive(PUBLISHED, one(3_000, 1, 500))[0] == 0.0
    assert visits(PUBLISHED, 3_000, 1, 500, 52) == 0.0


@pytest.mark.parametrize(("x", "recency", "age"), [(0, 0.0, 30.0), (1, 4.0, 30.0), (5, 30.0, 30.0)])
def test_the_likelihood_is_the_one_that_was_published(x: int, recency: float, age: float) -> None:
    r, alpha, a, b = 0.7, 3.0, 1.3, 2.1
    still = beta(a, b + x) / beta(a, b) * gamma(r + x) * alpha**r / (gamma(r) * (alpha + age) ** (r + x))
    stopped = beta(a + 1, b + x - 1) / beta(a, b) * gamma(r + x) * alpha**r / (gamma(r) * (alpha + recency) ** (r + x))
    wanted = log(still + (stopped if x else 0.0))
    assert log_likelihood(Purchasing(r, alpha, a, b), one(x, recency, age)) == pytest.approx(wanted, rel=1e-12)


@given(st.tuples(*[st.floats(0.05, 8)] * 4), st.integers(1, 99))
def test_its_slope_is_the_one_that_differences_give(at: tuple[float, float, float, float], seed: int) -> None:
    table = _Table.of(rows_from(*simulated(PUBLISHED, members=40, seed=seed)))
    slope = _likelihood(Purchasing(*at), table)[1]
    for number, value in enumerate(at):
        step = 1e-5 * value
        moved = [
            Purchasing(*[each + sign * step * (place == number) for place, each in enumerate(at)]) for sign in (1, -1)
        ]
        up, down = (_likelihood(each, table)[0] for each in moved)
        assert slope[number] == pytest.approx((up - down) / (2 * step), rel=1e-4, abs=1e-3)


def test_a_thousand_visits_do_not_overflow() -> None:
    rows = Rows(np.array([0, 1_000, 5_000]), np.array([0, 500.0, 500.0]), np.array([500.0] * 3), np.ones(3))
    assert isfinite(log_likelihood(PUBLISHED, rows))
    assert np.isfinite(expected(PUBLISHED, rows, weeks=52)).all()
    # at its own rate, but for the chance to stop after each: about a / (a + b + x)
    going_on = 5_000 / 504.414 * 52
    wanted = going_on * (1 - 0.793 / 5_003 * going_on / 2)
    assert visits(PUBLISHED, 5_000, 500, 500, 52) == pytest.approx(wanted, rel=0.003)


@pytest.mark.parametrize(
    ("x", "age", "weeks"), [(0, 0.0, 52.0), (2, 38.86, 39.0), (30, 100.0, 10.0), (300, 300.0, 52.0)]
)
def test_expected_visits_are_the_closed_form_where_that_can_be_computed(x: int, age: float, weeks: float) -> None:
    r, alpha, a, b = 0.243, 4.414, 0.793, 2.426
    term = hyp2f1(r + x, b + x, a + b + x - 1, weeks / (alpha + age + weeks))
    closed = (a + b + x - 1) / (a - 1) * (1 - ((alpha + age) / (alpha + age + weeks)) ** (r + x) * term)
    found = visits(PUBLISHED, x, age, age, weeks) / alive(PUBLISHED, one(x, age, age))[0]
    assert found == pytest.approx(closed, rel=1e-9)


@pytest.mark.parametrize("a", [0.3, 1.0, 1.0 + 1e-12, 4.0])
@pytest.mark.parametrize(("x", "age", "weeks"), [(0, 0.0, 20.0), (3, 10.0, 200.0), (40, 50.0, 26.0)])
def test_and_the_integral_where_it_cannot(a: float, x: int, age: float, weeks: float) -> None:
    model = Purchasing(0.5, 4.0, a, 2.0)

    def integrand(p: float) -> float:
        rate = 1 - (1 + p * weeks / (4.0 + age)) ** -(0.5 + x)
        return float(rate / p * beta_distribution.pdf(p, a, 2.0 + x))

    wanted = quad(integrand, 0, 0.02, limit=500)[0] + quad(integrand, 0.02, 1, limit=500)[0]
    found = visits(model, x, age, age, weeks) / alive(model, one(x, age, age))[0]
    assert found == pytest.approx(wanted, rel=1e-5)


def test_probabilities_of_counts_are_a_distribution_with_that_mean() -> None:
    weeks = np.array([4.0, 52.0])
    chances = np.array([probabilities(PUBLISHED, x, weeks) for x in range(400)])
    assert chances.min() >= 0
    assert chances.sum(axis=0) == pytest.approx([1, 1], abs=1e-4)
    means = (np.arange(400)[:, None] * chances).sum(axis=0)
    assert means == pytest.approx([expected_of_new(PUBLISHED, weeks=one) for one in (4, 52)], rel=2e-3)


@pytest.mark.parametrize("truth", [PUBLISHED, Purchasing(1.5, 6.0, 0.6, 4.0)])
def test_a_fit_finds_what_members_were_made_with(truth: Purchasing) -> None:
    fit = fit_purchasing(rows_from(*simulated(truth, members=20_000, seed=3)))
    assert fit is not None
    assert fit.is_sound
    assert fit.members == 20_000
    assert fit.standard_errors is not None
    pairs = zip(
        (fit.model.r, fit.model.alpha, fit.model.a, fit.model.b), (truth.r, truth.alpha, truth.a, truth.b), strict=True
    )
    off = [log(found / true) for found, true in pairs]
    # Days are whole in the rows, which moves the estimates by a little as well.
    assert all(abs(miss) < 4 * error + 0.02 for miss, error in zip(off, fit.standard_errors, strict=True))


def test_alike_members_are_one_row() -> None:
    x, recency, age = np.array([0, 2, 0, 2]), np.array([0, 14, 0, 14]), np.array([70, 21, 70, 28])
    rows = rows_from(x, recency, age)
    assert (rows.x.tolist(), rows.recency.tolist(), rows.age.tolist()) == ([0, 2, 2], [0, 2, 2], [10, 3, 4])
    assert (rows.members.tolist(), rows.total) == ([2, 1, 1], 4)
    again = rows_of({(2, 14, 28): 1, (0, 0, 70): 2, (2, 14, 21): 1})
    assert [getattr(rows, name).tolist() for name in ("x", "recency", "age", "members")] == [
        getattr(again, name).tolist() for name in ("x", "recency", "age", "members")
    ]


def test_how_rows_are_put_together_does_not_change_the_fit() -> None:
    x, recency, age = simulated(PUBLISHED, members=500, seed=1)
    each = Rows(x, recency / 7, age / 7, np.ones(500))
    alike = rows_from(x, recency, age)
    assert log_likelihood(PUBLISHED, each) == pytest.approx(log_likelihood(PUBLISHED, alike), rel=1e-12)


def test_too_little_to_learn_from_gives_no_model() -> None:
    assert fit_purchasing(rows_of({(1, 7, 70): 99})) is None
    assert fit_purchasing(rows_of({(0, 0, 70): 500, (1, 7, 70): 29})) is None


def test_what_the_data_do_not_tell_is_not_sound() -> None:
    fit = fit_purchasing(rows_of({(10, 70, 70): 500}))  # everybody alike: no spread of rates, nobody ever stopped
    assert fit is not None
    assert not fit.is_sound


def test_a_members_row() -> None:
    first = date(2026, 1, 5).toordinal()
    history = history_of([Receipt(Moment(first + day, 12), 1_000) for day in (0, 0, 5, 9)])
    assert row_of(history, today=first + 30) == (2, 9, 30)
    assert row_of(history, today=first + 8) == (1, 5, 8)
    assert row_of(history, today=first - 1) is None
    assert row_of(EMPTY, today=first) is None
    assert [visits_after(history, day=first + day, until=first + 9) for day in (-1, 0, 5, 9)] == [3, 2, 1, 0]
    assert visits_after(history, day=first, until=first + 8) == 1


def test_a_row_around_days_that_are_gone_is_not_known() -> None:
    first = date(2026, 1, 5).toordinal()
    receipts = [Receipt(Moment(first + day, 12), 1_000) for day in range(9)]
    history = history_of(receipts, kept=Kept(3, 4))  # 3 and 4 are gone
    assert [row_of(history, today=first + day) for day in (2, 4, 5, 20)] == [None, None, (5, 5, 5), (8, 8, 20)]
