from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.members.domain.insight.quantiles import mean, quantiles
from services.members.domain.insight.rfm import Classes, Cuts, InvalidCutsError, check_cuts, classes, quintiles

numbers = st.lists(st.integers(0, 60), min_size=1, max_size=200)


@given(numbers, st.lists(st.floats(0, 1), max_size=5))
def test_quantiles_are_numpys(values: list[int], shares: list[float]) -> None:
    assert quantiles(Counter(values), shares) == pytest.approx(tuple(np.quantile(values, shares)) if shares else ())
    assert mean(Counter(values)) == pytest.approx(np.mean(values))


def test_of_nothing_there_are_none() -> None:
    assert (quantiles({}, [0.5]), quantiles({3: 0}, [0.5]), mean({})) == (None, None, None)
    assert quintiles({}, {}, {}) is None


def test_ten_who_differ_are_two_in_each_class() -> None:
    tens = dict.fromkeys(range(1, 11), 1)
    cuts = quintiles(tens, tens, tens)
    assert cuts is not None
    found = [classes(cuts, recency_days=one, frequency=one, spend_minor=one) for one in range(1, 11)]
    assert [one.recency for one in found] == [5, 5, 4, 4, 3, 3, 2, 2, 1, 1]
    assert [one.frequency for one in found] == [one.monetary for one in found] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert found[0].cell == "511"


def test_equals_are_in_one_class() -> None:
    cuts = quintiles({0: 10}, {1: 7, 2: 2, 9: 1}, {5: 10})
    assert cuts == Cuts((0, 0, 0, 0), (1, 1, 1, 2), (5, 5, 5, 5))
    found = [classes(cuts, recency_days=0, frequency=often, spend_minor=5) for often in (1, 2, 9)]
    assert found == [Classes(1, 1, 1), Classes(1, 4, 1), Classes(1, 5, 1)]


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9), st.integers(0, 99)), min_size=1, max_size=60))
def test_classes_are_those_counted_by_hand(members: Sequence[tuple[int, int, int]]) -> None:
    recency, often, much = (np.array(column) for column in zip(*members, strict=True))
    cuts = quintiles(*(Counter(column.tolist()) for column in (recency, often, much)))
    assert cuts is not None
    for days, visits, minor in members:
        found = classes(cuts, recency_days=days, frequency=visits, spend_minor=minor)
        wanted = [1 + sum(value > cut + 1e-9 for cut in np.quantile(column, [0.2, 0.4, 0.6, 0.8]))
                  for value, column in ((-days, -recency), (visits, often), (minor, much))]  # fmt: skip
        assert [found.recency, found.frequency, found.monetary] == wanted


def test_a_chain_may_set_its_own() -> None:
    cuts = Cuts((7, 30, 90, 180), (1, 2, 5, 10), (1_000, 5_000, 10_000, 50_000))
    check_cuts(cuts, field="rfm")
    assert classes(cuts, recency_days=6, frequency=11, spend_minor=50_001).cell == "555"
    assert classes(cuts, recency_days=7, frequency=1, spend_minor=5_000).cell == "412"


@pytest.mark.parametrize("cut", [(1, 2, 3), (1, 2, 4, 3)])
def test_other_limits_are_refused(cut: tuple[float, ...]) -> None:
    with pytest.raises(InvalidCutsError) as raised:
        check_cuts(Cuts((1, 2, 3, 4), cut, (1, 2, 3, 4)), field="rfm")
    assert raised.value.field == "rfm.frequency"
