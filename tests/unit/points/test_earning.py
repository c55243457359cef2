"""What purchases earn: rounding, factors, fixed bonuses, caps, and what each rule is about."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.points.domain.earning import CapUse, EarnedPart, earn, sums
from services.points.domain.items import Item
from services.points.domain.programs import DEFAULT_PROGRAM, rate
from services.points.domain.purchases import Channel, Line, Purchase
from services.points.domain.rules import (
    POINTS,
    STAMPS,
    Cap,
    CapUnit,
    CapWindow,
    Earning,
    Factor,
    Fixed,
    LineMatch,
    Per,
    PerPiece,
    PerVisit,
    Rate,
    Rounding,
    Rule,
    Slot,
    Stacking,
    Stage,
    Where,
)
from services.points.domain.sale_facts import Sale
from tests.support.programs import stamps

AT = datetime(2026, 3, 5, 12, 30)  # noqa: DTZ001 - by the store's clocks; a Thursday
COFFEE, CAKE = Line("latte", 2, 3_000, category="coffee"), Line("cake", 1, 2_050, category="cake")


def sale(*lines: Line, level: str = "regular", permille: int = 1_000, at: datetime = AT, **more: Any) -> Sale:
    facts = {name: more.pop(name) for name in ("items", "room", "day", "region", "member") if name in more}
    purchase = Purchase("sto_1", "R1", "mem_1", datetime(2026, 3, 5, tzinfo=UTC), "CNY", lines, **more)
    return Sale(purchase, at=at, level=level, level_permille=permille, **facts)


def paid(amount_minor: int) -> Line:
    return Line("noodles", 1, amount_minor)


def shown(earning: Earning, of: Sale) -> list[tuple[str, int]]:
    return [(part.rule, part.points) for part in earn(earning, 1, of).parts]


def points(earning: Earning, of: Sale) -> int:
    return sums(earn(earning, 1, of).parts)[POINTS]


def test_a_point_for_each_full_unit_of_money() -> None:
    assert earn(DEFAULT_PROGRAM.earning, 1, sale(paid(12_399))).parts == (EarnedPart("base", 1, 123, base=12_399),)


def test_silver_earns_a_fifth_more_rounded_down_once() -> None:
    # 4.99 x 1.2 = 5.988; rounding the base down first would give 4.
    parts = earn(DEFAULT_PROGRAM.earning, 1, sale(paid(499), level="silver", permille=1_200)).parts
    assert parts == (
        EarnedPart("base", 1, 4, base=499),
        EarnedPart("tier:silver", 1, 1, base=4, factor_permille=1_200),
    )


def test_a_rule_that_adds_nothing_is_not_shown() -> None:
    assert shown(DEFAULT_PROGRAM.earning, sale(paid(100), level="silver", permille=1_200)) == [("base", 1)]


def test_a_stamp_for_each_piece_of_the_category() -> None:
    earning = Earning((rate(1, 100), stamps("coffee")))
    parts = earn(earning, 1, sale(replace(COFFEE, quantity=3), CAKE, level="silver", permille=1_200)).parts
    assert sums(parts) == {POINTS: 60, STAMPS: 3}
    assert parts[-1] == EarnedPart("stamps", 1, 3, STAMPS, base=3)


# 50.50 at 1 point each 1.00, doubled by a rule and × 1.2 by the level.
TWICE = Rule("twice", Factor(2_000))


@pytest.mark.parametrize(
    ("stacking", "expected"),
    [
        (Stacking.ADD, [("base", 50), ("tier:silver", 10), ("twice", 51)]),  # × 2.2: 111.1
        (Stacking.MULTIPLY, [("base", 50), ("tier:silver", 10), ("twice", 61)]),  # × 2.4: 121.2
        (Stacking.BEST, [("base", 50), ("tier:silver", 10), ("twice", 41)]),  # × 2: 101
    ],
)
def test_factors_meet_as_the_program_says(stacking: Stacking, expected: list[tuple[str, int]]) -> None:
    earning = Earning((rate(1, 100), TWICE), stacking=stacking)
    assert shown(earning, sale(COFFEE, CAKE, level="silver", permille=1_200)) == expected


def test_a_factor_on_some_lines_multiplies_those_alone() -> None:
    earning = Earning((rate(1, 100), Rule("coffee", Factor(3_000), LineMatch(categories=frozenset({"coffee"})))))
    assert shown(earning, sale(COFFEE, CAKE)) == [("base", 50), ("coffee", 60)]


def test_of_factors_the_best_is_taken_line_by_line() -> None:
    earning = Earning(
        (
            rate(1, 100),
            Rule("coffee", Factor(3_000), LineMatch(categories=frozenset({"coffee"}))),
            TWICE,
        ),
        stacking=Stacking.BEST,
    )
    assert shown(earning, sale(COFFEE, CAKE)) == [("base", 50), ("coffee", 60), ("twice", 21)]


def test_of_fixed_bonuses_the_best_or_all() -> None:
    rules = (
        rate(1, 100),
        Rule("five", Fixed(5)),
        Rule("nine", Fixed(9)),
        Rule("pieces", Fixed(2, for_each_piece=True)),
    )
    assert shown(Earning(rules), sale(COFFEE)) == [("base", 30), ("five", 5), ("nine", 9), ("pieces", 4)]
    assert shown(Earning(rules, stacking=Stacking.BEST), sale(COFFEE)) == [("base", 30), ("nine", 9)]


@pytest.mark.parametrize(
    ("rounding", "stage", "per", "expected"),
    [
        # 2 lines of 1.55 at 3 points each 1.00, × 1.5: 13.95; a line 6.975
        (Rounding.FLOOR, Stage.TOTAL, Per.RECEIPT, 13),
        (Rounding.HALF_UP, Stage.TOTAL, Per.RECEIPT, 14),
        (Rounding.FLOOR, Stage.TOTAL, Per.LINE, 12),
        (Rounding.UP, Stage.TOTAL, Per.LINE, 14),
        (Rounding.FLOOR, Stage.BASE, Per.RECEIPT, 13),  # 9.3 -> 9; 13.5
        (Rounding.HALF_UP, Stage.BASE, Per.LINE, 16),  # 4.65 -> 5; 7.5 -> 8, twice
        (Rounding.FLOOR, Stage.AMOUNT, Per.RECEIPT, 13),  # 3.10 -> 3; 9; 13.5
        (Rounding.UP, Stage.AMOUNT, Per.RECEIPT, 18),  # 4; 12; 18
        (Rounding.FLOOR, Stage.AMOUNT, Per.LINE, 8),  # 1; 3; 4.5 -> 4, twice
    ],
)
def test_rounding(rounding: Rounding, stage: Stage, per: Per, expected: int) -> None:
    earning = Earning((rate(3, 100), Rule("more", Factor(1_500))), rounding=rounding, stage=stage, per=per)
    assert points(earning, sale(paid(155), paid(155))) == expected


def test_what_does_not_count() -> None:
    lines = (COFFEE, CAKE, Line("gift", 1, 10_000, category="gift_card"))
    earning = Earning(
        (rate(1, 100),), excluded=LineMatch(items=frozenset({"cake"}), categories=frozenset({"gift_card"}))
    )
    assert points(earning, sale(*lines)) == 30
    assert points(Earning((rate(1, 100),), excluded_payment_kinds=frozenset({"points"})), sale(COFFEE)) == 30
    barred = Earning((rate(1, 100),), excluded_payment_kinds=frozenset({"voucher"}))
    assert shown(barred, sale(COFFEE, payment_kind="voucher")) == [("base", 0)]
    assert points(Earning((rate(1, 100),), min_spend_minor=3_001), sale(COFFEE)) == 0
    assert points(Earning((rate(1, 100),), min_spend_minor=3_000), sale(COFFEE)) == 30


def test_tax_and_tips_count_or_do_not() -> None:
    of = sale(COFFEE, CAKE, tax_minor=550, tip_minor=1_000)
    assert points(Earning((rate(1, 100),)), of) == 50
    assert points(Earning((rate(1, 100),), tax_counts=False), of) == 45
    assert points(Earning((rate(1, 100),), tip_counts=True), of) == 60
    # The tax of a line is its share, and all shares are the whole.
    each = Earning((rate(1, 1),), tax_counts=False, per=Per.LINE)
    assert points(each, sale(*(paid(333) for _ in range(7)), tax_minor=100)) == 7 * 333 - 100


def test_a_visit_with_a_minimum_and_a_factor() -> None:
    earning = Earning((Rule("visit", PerVisit(10), where=Where(min_spend_minor=500)), Rule("happy", Factor(1_500))))
    assert shown(earning, sale(paid(500))) == [("visit", 10), ("happy", 5)]
    assert shown(earning, sale(paid(499))) == [("visit", 0)]


def test_pieces_are_a_base() -> None:
    earning = Earning((Rule("cups", PerPiece(4), LineMatch(items=frozenset({"latte"}))), Rule("more", Factor(1_250))))
    assert shown(earning, sale(COFFEE, CAKE)) == [("cups", 8), ("more", 2)]


@pytest.mark.parametrize(
    ("where", "of", "holds"),
    [
        (Where(channels=frozenset({Channel.ONLINE})), {"channel": Channel.ONLINE}, True),
        (Where(channels=frozenset({Channel.ONLINE})), {"channel": Channel.DINE_IN}, False),
        (Where(stores=frozenset({"sto_1"})), {}, True),
        (Where(stores=frozenset({"sto_2"})), {}, False),
        (Where(partners=frozenset({"par_1"})), {"partner": "par_1"}, True),
        (Where(partners=frozenset({"par_1"})), {}, False),
        (Where(payment_kinds=frozenset({"wechat"})), {"payment_kind": "wechat"}, True),
        (Where(levels=frozenset({"gold"})), {}, False),
        (Where(first_day=date(2026, 3, 5), last_day=date(2026, 3, 5)), {}, True),
        (Where(first_day=date(2026, 3, 6)), {}, False),
        (Where(last_day=date(2026, 3, 4)), {}, False),
        (Where(min_spend_minor=3_001), {}, False),
        (Where(slots=(Slot(frozenset({4}), 12 * 60, 13 * 60),)), {}, True),
        (Where(slots=(Slot(frozenset({5}), 12 * 60, 13 * 60),)), {}, False),
        (Where(slots=(Slot(frozenset(), 0, 60), Slot(frozenset(), 750, 751))), {}, True),
    ],
)
def test_where_a_rule_holds(where: Where, of: dict[str, Any], holds: bool) -> None:  # noqa: FBT001 - a table
    earning = Earning((rate(1, 100), Rule("bonus", Fixed(7), where=where)))
    assert points(earning, sale(COFFEE, **of)) == 30 + 7 * holds


@pytest.mark.parametrize(
    ("moment", "has"),
    [
        (datetime(2026, 3, 6, 22, 0), True),  # noqa: DTZ001 - local: Friday
        (datetime(2026, 3, 7, 1, 59), True),  # noqa: DTZ001 - the night of Friday
        (datetime(2026, 3, 7, 2, 0), False),  # noqa: DTZ001
        (datetime(2026, 3, 7, 22, 0), False),  # noqa: DTZ001 - Saturday
        (datetime(2026, 3, 6, 1, 0), False),  # noqa: DTZ001 - the night of Thursday
    ],
)
def test_a_slot_over_midnight_belongs_to_the_day_it_began_on(moment: datetime, has: bool) -> None:  # noqa: FBT001 - a table
    assert Slot(frozenset({5}), 22 * 60, 2 * 60).has(moment) is has


def test_a_new_product_for_so_many_days_and_a_category_from_the_menu() -> None:
    items = {"latte": Item("latte", 3, "drinks", date(2026, 3, 1)), "cake": Item("cake", 1, "sweets", date(2026, 2, 1))}
    new = Rule("new", Fixed(5, for_each_piece=True), LineMatch(launched_within_days=5))
    drinks = Rule("drinks", Fixed(1), LineMatch(categories=frozenset({"drinks"})))
    earning = Earning((rate(1, 100), new, drinks))
    nameless = (replace(COFFEE, category=""), CAKE)
    assert shown(earning, sale(*nameless, items=items)) == [("base", 50), ("new", 10), ("drinks", 1)]
    later = datetime(2026, 3, 6)  # noqa: DTZ001 - local
    assert shown(earning, sale(*nameless, items=items, at=later)) == [("base", 50), ("drinks", 1)]
    assert shown(earning, sale(*nameless)) == [("base", 50)]


def capped(*caps: Cap, on_all: Sequence[Cap] = ()) -> Earning:
    return Earning((rate(1, 100), Rule("bonus", Fixed(40), caps=caps)), caps=tuple(on_all))


def test_a_cap_cuts_and_says_so() -> None:
    earned = earn(capped(Cap(25, CapWindow.PURCHASE)), 1, sale(COFFEE))
    assert earned.parts[1] == EarnedPart("bonus", 1, 25, base=1, cap="bonus/purchase/points", uncapped=40)
    assert earned.used == ()


def test_a_cap_over_days_counts_what_was_used_before() -> None:
    earning = capped(Cap(100, CapWindow.DAY), Cap(150, CapWindow.MONTH))
    room = {("bonus/day/points", "2026-03-05"): 100, ("bonus/month/points", "2026-03"): 30}
    earned = earn(earning, 1, sale(COFFEE, day="2026-03-05", room=room))
    assert sums(earned.parts)[POINTS] == 60
    assert earned.parts[1].cap == "bonus/month/points"
    assert set(earned.used) == {
        CapUse("bonus/day/points", "2026-03-05", 30),
        CapUse("bonus/month/points", "2026-03", 30),
    }


def test_a_cap_in_times_counts_purchases() -> None:
    earning = capped(Cap(2, CapWindow.EVER, CapUnit.TIMES))
    first = earn(earning, 1, sale(COFFEE, day="2026-03-05"))
    assert first.used == (CapUse("bonus/ever/times", "", 1),)
    spent = earn(earning, 1, sale(COFFEE, day="2026-03-05", room={("bonus/ever/times", ""): 0}))
    assert [part.points for part in spent.parts] == [30, 0]
    assert spent.used == ()


def test_a_cap_over_all_rules_cuts_the_last_first() -> None:
    earned = earn(capped(on_all=[Cap(50, CapWindow.PURCHASE)]), 1, sale(COFFEE))
    assert [(part.rule, part.points, part.cap) for part in earned.parts] == [
        ("base", 30, ""),
        ("bonus", 20, "*/purchase/points"),
    ]


AMOUNTS = st.lists(st.integers(0, 100_000), min_size=1, max_size=6)
FACTORS = st.lists(st.sampled_from([1_100, 1_500, 2_000, 3_333]), max_size=3)


@given(
    amounts=AMOUNTS,
    factors=FACTORS,
    level=st.sampled_from([1_000, 1_200, 1_500]),
    terms=st.builds(
        Earning,
        rules=st.just(()),
        rounding=st.sampled_from(Rounding),
        stage=st.sampled_from(Stage),
        per=st.sampled_from(Per),
        stacking=st.sampled_from(Stacking),
    ),
)
def test_parts_are_never_negative_and_more_never_earns_less(
    amounts: list[int], factors: list[int], level: int, terms: Earning
) -> None:
    on_some = LineMatch(categories=frozenset({"a"}))
    more = [Rule(f"factor {n}", Factor(by), on_some if n % 2 else LineMatch()) for n, by in enumerate(factors)]
    earning = replace(terms, rules=(rate(1, 100), *more))
    lines = [Line("x", 1, amount, category="ab"[n % 2]) for n, amount in enumerate(amounts)]
    earned = earn(earning, 1, sale(*lines, level="silver", permille=level)).parts
    assert all(part.points >= 0 for part in earned)
    dearer = [*lines[:-1], replace(lines[-1], gross_minor=lines[-1].gross_minor + 100)]
    if terms.stage is Stage.TOTAL:
        assert points(earning, sale(*dearer, level="silver", permille=level)) >= sums(earned)[POINTS]


@given(amounts=AMOUNTS, rounding=st.sampled_from(Rounding))
def test_without_stages_the_total_is_the_rounded_exact_one(amounts: list[int], rounding: Rounding) -> None:
    lines = [paid(amount) for amount in amounts]
    earning = Earning((Rule("base", Rate(3, 70)), TWICE), rounding=rounding, stacking=Stacking.MULTIPLY)
    assert points(earning, sale(*lines, permille=1_200)) == rounding.whole(sum(amounts) * 3 * 24, 70 * 10)
