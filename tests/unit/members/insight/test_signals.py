from datetime import date

import pytest

from services.members.domain.insight.gaps import Gaps
from services.members.domain.insight.history import EMPTY, History, history_of
from services.members.domain.insight.receipts import Moment, Receipt
from services.members.domain.insight.signals import Signal, SignalKind, Watch, due, due_on, signals, still_raised

FIRST = date(2026, 1, 5).toordinal()
WATCH = Watch(least=5)
# After each of the first three visits: quartiles 8, 10, 12.
GAPS = Gaps({number: {6: 1, 8: 1, 10: 1, 12: 1, 14: 1} for number in (1, 2, 3)})


def on_days(*days: int) -> History:
    return history_of([Receipt(Moment(FIRST + day, 12), 1_000) for day in days])


def overdue(number: int, since: int, due_day: int, limit: float = 12.0) -> Signal:
    return Signal(SignalKind.OVERDUE, number, FIRST + since, FIRST + due_day, limit)


def test_overdue_is_from_the_first_day_beyond_the_upper_quartile() -> None:
    found = signals(on_days(0), GAPS, WATCH)
    assert found == (overdue(1, 0, 13),)
    assert due(found, raised=(), today=FIRST + 12) == ()
    assert due(found, raised=(), today=FIRST + 13) == found
    assert due_on(found, raised=()) == FIRST + 13


def test_it_is_raised_once_for_each_gap() -> None:
    found = signals(on_days(0), GAPS, WATCH)
    raised = [one.key for one in found]
    assert due(found, raised=raised, today=FIRST + 99) == ()
    assert due_on(found, raised=raised) is None
    after = signals(on_days(0, 20), GAPS, WATCH)
    assert due_on(after, raised=raised) == FIRST + 33
    assert still_raised(after, raised) == ()


def test_a_chain_may_say_overdue_by_a_multiple_of_the_median() -> None:
    found = signals(on_days(0), GAPS, Watch(overdue_multiple=2.5, least=5))
    assert found == (overdue(1, 0, 26, 25.0),)


@pytest.mark.parametrize(("gap", "told"), [(7, True), (8, False), (20, False)])
def test_an_opportunity_is_a_gap_below_the_lower_quartile(gap: int, told: bool) -> None:  # noqa: FBT001 - a parameter
    found = signals(on_days(0, gap), GAPS, WATCH)
    opportunity = Signal(SignalKind.OPPORTUNITY, 1, FIRST, FIRST + gap, 8.0)
    assert found == ((opportunity,) if told else ()) + (overdue(2, gap, gap + 13),)


def test_a_late_receipt_that_splits_a_gap_makes_others() -> None:
    raised = [one.key for one in due(signals(on_days(0), GAPS, WATCH), raised=(), today=FIRST + 50)]
    split = signals(on_days(0, 10), GAPS, WATCH)
    assert [one.key for one in due(split, raised=raised, today=FIRST + 50)] == [f"overdue:{FIRST + 10}"]


def test_what_can_still_be_raised_is_remembered() -> None:
    found = signals(on_days(0, 7), GAPS, WATCH)
    assert still_raised(found, ["overdue:1", found[1].key, found[0].key]) == tuple(sorted(one.key for one in found))


def test_without_enough_to_compare_with_there_is_none() -> None:
    assert signals(on_days(0, 1), GAPS, Watch(least=16)) == ()
    assert signals(EMPTY, GAPS, WATCH) == ()
    assert due_on((), raised=()) is None
