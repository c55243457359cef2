from collections import Counter
from collections.abc import Sequence
from datetime import date

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.members.domain.insight.gaps import (
    MOST_DAYS,
    MOST_NUMBER,
    Gap,
    Gaps,
    Usual,
    changes,
    counted,
    gaps_of,
    merged,
    usual,
    usual_after,
    with_changes,
)
from services.members.domain.insight.history import (
    EMPTY,
    Counting,
    History,
    Kept,
    apart,
    history_of,
    of_receipt,
    together,
)
from services.members.domain.insight.receipts import Moment, Receipt

FIRST = date(2026, 1, 5).toordinal()


def on_days(*days: int, kept: Kept | None = None) -> History:
    return history_of([Receipt(Moment(FIRST + day, 12), 1_000) for day in days], kept=kept or Kept())


def one(day: int) -> History:
    return of_receipt(Receipt(Moment(FIRST + day, 12), 1_000))


def table(*histories: History, counting: Counting = Counting.DAYS) -> Gaps:
    return merged(with_changes(Gaps(), counted(history, counting)) for history in histories)


def test_gaps_are_numbered_from_the_first_visit() -> None:
    assert gaps_of(on_days(0, 0, 7, 10)) == (Gap(1, FIRST, 7), Gap(2, FIRST + 7, 3))
    assert gaps_of(on_days(0, 0, 7), Counting.RECEIPTS) == (Gap(1, FIRST, 0), Gap(2, FIRST, 7))
    assert gaps_of(EMPTY) == gaps_of(on_days(3)) == ()


def test_around_days_that_are_gone_the_later_ones_keep_their_number() -> None:
    history = on_days(0, 1, 3, 6, 10, 15, 21, kept=Kept(early=2, late=3))
    assert [(gap.number, gap.days) for gap in gaps_of(history)] == [(1, 1), (5, 5), (6, 6)]
    assert [(gap.number, gap.days) for gap in gaps_of(history, Counting.RECEIPTS)] == [(1, 1), (5, 5), (6, 6)]


def test_a_late_receipt_shifts_those_after_it() -> None:
    before = on_days(0, 10, 30)
    after = together(before, one(4))
    # out: 10 after the 1st, 20 after the 2nd; in: 4, 6, 20 after the 1st, 2nd, 3rd
    assert changes(before, after) == {(1, 4): 1, (1, 10): -1, (2, 6): 1, (2, 20): -1, (3, 20): 1}
    assert changes(after, before) == {one: -count for one, count in changes(before, after).items()}
    assert changes(before, before) == {}


def test_a_refund_takes_a_visit_out_of_the_middle() -> None:
    before = on_days(0, 4, 10)
    assert changes(before, apart(before, one(4))) == {(1, 4): -1, (1, 10): 1, (2, 6): -1}


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 80)), max_size=40).flatmap(st.permutations),
    st.sampled_from(Counting),
)
def test_step_by_step_it_is_what_counting_anew_gives(told: Sequence[tuple[int, int]], counting: Counting) -> None:
    members = dict.fromkeys(range(4), EMPTY)
    gaps = Gaps()
    for member, day in told:
        after = together(members[member], one(day))
        gaps = with_changes(gaps, changes(members[member], after, counting))
        members[member] = after
    assert gaps == table(*members.values(), counting=counting)
    by_hand: Counter[tuple[int, int]] = Counter()
    for member in range(4):
        days = sorted(day for who, day in told if who == member)
        days = sorted(set(days)) if counting is Counting.DAYS else days
        by_hand.update((number, int(gap)) for number, gap in enumerate(np.diff(days), start=1))
    assert {(number, days): count for number, some in gaps.bins.items() for days, count in some.items()} == by_hand


def test_long_and_late_gaps_are_counted_together() -> None:
    gaps = table(on_days(*range(MOST_NUMBER + 3), 9_000))
    assert gaps.of(MOST_NUMBER) == gaps.of(MOST_NUMBER + 5) == {1: 3, MOST_DAYS: 1}


def test_what_is_usual() -> None:
    assert usual({1: 1, 2: 1, 3: 1, 10: 1}) == Usual(4, 4.0, 1.75, 2.5, 4.75)
    assert usual({}) is None
    gaps = Gaps({1: {5: 3}, 2: {9: 1}})
    assert usual_after(gaps, 1, least=3) == Usual(3, 5.0, 5.0, 5.0, 5.0)
    assert usual_after(gaps, 2, least=3) == Usual(4, 6.0, 5.0, 5.0, 6.0)  # of all together
    assert usual_after(gaps, 2, least=5) is None
