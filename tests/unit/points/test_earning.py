from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.points.domain.programs import DEFAULT_PROGRAM, STAMPS, EarnedPart, Level, Program, earn
from services.points.domain.purchases import Line

REGULAR, SILVER = DEFAULT_PROGRAM.levels


def paid(amount_minor: int) -> tuple[Line, ...]:
    return (Line("noodles", 1, amount_minor),)


def test_a_point_for_each_full_unit_of_money() -> None:
    assert earn(DEFAULT_PROGRAM, REGULAR, paid(12_399)) == (EarnedPart("base", 1, 123),)


def test_silver_earns_a_fifth_more_rounded_down_once() -> None:
    # 4.99 x 1.2 = 5.988; rounding the base down first would give 4.
    assert earn(DEFAULT_PROGRAM, SILVER, paid(499)) == (EarnedPart("base", 1, 4), EarnedPart("tier:silver", 1, 1))


def test_a_rule_that_adds_nothing_is_not_shown() -> None:
    assert earn(DEFAULT_PROGRAM, SILVER, paid(100)) == (EarnedPart("base", 1, 1),)


@given(paid_minor=st.integers(0, 10**14), level=st.sampled_from(DEFAULT_PROGRAM.levels))
def test_the_parts_sum_to_the_exact_amount(paid_minor: int, level: Level) -> None:
    parts = earn(DEFAULT_PROGRAM, level, paid(paid_minor))
    assert sum(part.points for part in parts) == paid_minor * level.earn_percent // 10_000
    assert all(part.points >= 0 for part in parts)


def test_a_stamp_for_each_piece_of_the_category() -> None:
    program = replace(DEFAULT_PROGRAM, stamp_categories=frozenset({"coffee"}))
    lines = (Line("latte", 3, 9_000, category="coffee"), Line("cake", 2, 2_000, category="cake"))
    assert earn(program, REGULAR, lines) == (EarnedPart("base", 1, 110), EarnedPart("stamps", 1, 3, STAMPS))


def test_the_level_for_a_spend_is_the_highest_that_it_reaches() -> None:
    reached = [DEFAULT_PROGRAM.level_for(spend).code for spend in (0, 49_999, 50_000, 10**9)]
    assert reached == ["regular", "regular", "silver", "silver"]


def test_nothing_is_above_the_top() -> None:
    assert DEFAULT_PROGRAM.above("regular") == SILVER
    assert DEFAULT_PROGRAM.above("silver") is None


@pytest.mark.parametrize("thresholds", [(), (1,), (0, 5, 5), (0, 9, 4)])
def test_levels_start_at_zero_and_ascend(thresholds: tuple[int, ...]) -> None:
    levels = tuple(Level(f"level {n}", threshold, 100) for n, threshold in enumerate(thresholds))
    with pytest.raises(ValueError, match="start at 0 and ascend"):
        Program(version=1, minor_per_point=100, levels=levels)
