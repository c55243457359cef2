from datetime import date
from math import gamma, log

import numpy as np
import pytest

from services.members.domain.insight.history import EMPTY, apart, history_of, of_receipt
from services.members.domain.insight.receipts import Moment, Receipt
from services.members.domain.insight.spending import (
    Spending,
    Spends,
    _likelihood,
    correlation,
    expected_minor,
    fit_spending,
    log_likelihood,
    spend_of,
)

PUBLISHED = Spending(6.25, 3.74, 1_544.0)  # Fader, Hardie (2013); theirs is in dollars
FIRST = date(2026, 1, 5).toordinal()


def made(model: Spending, *, members: int, seed: int) -> Spends:
    random = np.random.default_rng(seed)
    x = random.integers(1, 9, members)
    rates = random.gamma(model.q, 1 / model.v, members)
    return Spends(x, random.gamma(model.p * x, 1 / (rates * x)), np.ones(members))


def test_the_likelihood_is_the_one_that_was_published() -> None:
    p, q, v, x, mean = 2.0, 3.0, 15.0, 4, 22.0
    wanted = gamma(p * x + q) / (gamma(p * x) * gamma(q)) * v**q * mean ** (p * x - 1) * x ** (p * x)
    wanted /= (v + x * mean) ** (p * x + q)
    spends = Spends(np.array([x]), np.array([mean]), np.ones(1))
    assert log_likelihood(Spending(p, q, v), spends) == pytest.approx(log(wanted), rel=1e-12)


def test_its_slope_is_the_one_that_differences_give() -> None:
    spends, at = made(PUBLISHED, members=50, seed=2), (5.0, 3.0, 1_000.0)
    slope = _likelihood(Spending(*at), spends)[1]
    for number, value in enumerate(at):
        step = 1e-5 * value
        moved = [
            Spending(*[each + sign * step * (place == number) for place, each in enumerate(at)]) for sign in (1, -1)
        ]
        up, down = (log_likelihood(each, spends) for each in moved)
        assert slope[number] == pytest.approx((up - down) / (2 * step), rel=1e-5)


def test_a_fit_finds_what_spends_were_made_with() -> None:
    spends = made(PUBLISHED, members=20_000, seed=5)
    fit = fit_spending(spends)
    assert fit is not None
    assert fit.is_sound
    # Twice the gain over the truth is chi-square with 3 degrees: below 16.3 but for one in a thousand.
    assert 0 <= 2 * (fit.log_likelihood - log_likelihood(PUBLISHED, spends)) < 16.3
    assert (fit.model.p, fit.model.q, fit.model.v) == pytest.approx((6.25, 3.74, 1_544.0), rel=0.1)
    assert fit.model.mean_minor == pytest.approx(6.25 * 1_544 / 2.74, rel=0.02)
    assert fit.correlation == pytest.approx(0, abs=0.03)


def test_few_visits_are_drawn_towards_the_mean() -> None:
    found = expected_minor(PUBLISHED, np.array([0, 1, 10, 1_000]), np.array([0.0, 9_000, 9_000, 9_000]))
    mean = PUBLISHED.mean_minor
    assert mean is not None
    assert found[0] == pytest.approx(mean)
    assert found[1] == pytest.approx(6.25 * (1_544 + 9_000) / (6.25 + 2.74))
    assert mean < found[1] < found[2] < found[3] < 9_000
    assert found[3] == pytest.approx(9_000, rel=0.001)


def test_a_mean_can_be_infinite() -> None:
    model = Spending(2.0, 0.8, 100.0)
    assert model.mean_minor is None
    assert expected_minor(model, np.array([0, 1]), np.array([0.0, 50])) == pytest.approx([np.inf, 2.0 * 150 / 1.8])


def test_correlation_is_pearsons_over_members() -> None:
    spends = Spends(np.array([1, 2, 5]), np.array([10.0, 30, 20]), np.array([3.0, 1, 2]))
    wanted = np.corrcoef(np.repeat(spends.x, [3, 1, 2]), np.repeat(spends.mean_minor, [3, 1, 2]))[0, 1]
    assert correlation(spends) == pytest.approx(wanted, rel=1e-12)
    assert correlation(Spends(np.array([2, 2]), np.array([1.0, 9]), np.ones(2))) is None


def test_too_few_give_no_model() -> None:
    assert fit_spending(made(PUBLISHED, members=29, seed=1)) is None


def test_a_members_spend_leaves_the_first_visit_out() -> None:
    receipts = [
        Receipt(Moment(FIRST + day, 12), minor) for day, minor in ((0, 500), (0, 50), (3, 100), (3, 50), (9, 300))
    ]
    history = history_of(receipts)
    assert spend_of(history) == (2, 225.0)
    assert spend_of(apart(history, of_receipt(receipts[0]))) == (2, 225.0)
    assert spend_of(history_of(receipts[:2])) is None
    assert spend_of(EMPTY) is None
    assert spend_of(history_of([Receipt(Moment(FIRST + day, 12), 0) for day in (0, 3)])) is None
