from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression

from services.members.domain.insight.gaps import Gaps
from services.members.domain.insight.turning import Turning, _bottom, _errors, turning_point

VALLEY = (30, 22, 16, 12, 14, 18, 24)


def group(means: Sequence[float], *, members: int = 300, seed: int = 1) -> Gaps:
    random = np.random.default_rng(seed)
    bins = {}
    for number, mean in enumerate(means, start=1):
        days, counts = np.unique(random.poisson(mean, members), return_counts=True)
        bins[number] = dict(zip(days.tolist(), counts.tolist(), strict=True))
    return Gaps(bins)


def falling_error(means: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]) -> float:
    if not len(means):
        return 0.0
    fit = isotonic_regression(means, weights=weights, increasing=False).x
    return float((weights * (means - fit) ** 2).sum())


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0.1, 10)), min_size=1, max_size=12))
def test_errors_are_those_of_separate_isotonic_fits(pairs: list[tuple[float, float]]) -> None:
    means, weights = np.array(pairs).T
    falling, rising = _errors(means, weights)
    for split in range(len(means) + 1):
        assert falling[split] == pytest.approx(falling_error(means[:split], weights[:split]), abs=1e-6)
        assert rising[split] == pytest.approx(falling_error(-means[split:], weights[split:]), abs=1e-6)


@pytest.mark.parametrize(("means", "bottom"), [((5, 4, 3), 3), ((3, 4, 5), 1), ((5, 1, 5), 2), ((5, 2, 2, 2, 5), 2)])
def test_the_bottom_is_the_first_of_the_lowest(means: Sequence[float], bottom: int) -> None:
    assert _bottom(np.array(means, dtype=float), np.ones(len(means))) == bottom


def test_a_valley_is_found_with_its_interval() -> None:
    found = turning_point(group(VALLEY), seed=7)
    assert (found.number, found.low, found.high, found.p_value, found.numbers) == (4, 4, 4, 0.001, 7)
    assert found == turning_point(group(VALLEY), seed=7)


def test_with_fewer_members_it_is_less_sure() -> None:
    found = turning_point(group((30, 22, 13, 12, 12.5, 13, 24), members=40), seed=7)
    assert found.number in {3, 4, 5, 6}
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.high
    assert found.low <= found.number <= found.high


@pytest.mark.parametrize("means", [(30, 22, 16, 14, 12, 11), (11, 12, 14, 16, 22, 30)])
def test_where_gaps_only_shrink_or_grow_there_is_none(means: Sequence[float]) -> None:
    found = turning_point(group(means), seed=7)
    assert found.p_value is not None
    assert (found.number, found.low, found.high) == (None, None, None)
    assert found.p_value > 0.05


def test_of_equal_gaps_a_valley_is_seen_about_as_rarely_as_it_says() -> None:
    found = [turning_point(group((20,) * 6, members=60, seed=seed), seed=seed, rounds=99) for seed in range(60)]
    assert sum(one.number is not None for one in found) <= 6  # 3 are expected at most


def test_too_few_gaps_tell_nothing() -> None:
    assert turning_point(group(VALLEY, members=29), seed=1) == Turning(None, None, None, None, 0)
    assert turning_point(Gaps({1: {5: 50}, 2: {5: 50}, 4: {5: 50}}), seed=1) == Turning(None, None, None, None, 2)


def test_gaps_of_one_length_have_no_turning_point() -> None:
    assert turning_point(Gaps({number: {7: 50} for number in range(1, 9)}), seed=1).number is None
