from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from services.members.domain.insight.habits import habits_of
from services.members.domain.insight.history import (
    EMPTY,
    Counting,
    Day,
    Gone,
    History,
    Kept,
    apart,
    corrected,
    history_of,
    of_check_in,
    of_receipt,
    together,
)
from services.members.domain.insight.receipts import Moment, Receipt, moment
from services.members.domain.insight.tallies import Tally, added, tally

FIRST = date(2026, 1, 5).toordinal()  # a Monday
SHORT = Kept(early=3, late=4)
Told = tuple[Receipt | None, Receipt | None]

moments = st.builds(Moment, st.integers(FIRST, FIRST + 40), st.integers(0, 23))
receipt = st.builds(
    Receipt,
    moments,
    st.integers(0, 10**6),
    st.none() | st.integers(-1000, 10**6),
    store=st.sampled_from(["", "s1", "s2"]),
    channel=st.sampled_from(["", "dine_in"]),
    payment=st.sampled_from(["", "cash", "card"]),
    party=st.integers(0, 5),
    on_offer=st.booleans(),
    items=st.dictionaries(st.sampled_from(["tea", "rice", "soup"]), st.integers(1, 3)),
)


def bought(day: int, spend_minor: int = 1_000) -> Receipt:
    return Receipt(Moment(FIRST + day, 12), spend_minor)


def on_days(*days: int, kept: Kept = SHORT) -> History:
    return history_of([bought(day) for day in days], kept=kept)


@st.composite
def lives(draw: st.DrawFn) -> tuple[list[Told], list[Receipt]]:
    """What is told, in any order, and the receipts as they stand at the end."""
    told: list[Told] = []
    stand: list[Receipt] = []
    for one in draw(st.lists(receipt, max_size=15)):
        told.append((None, one))
        end: Receipt | None = one
        if draw(st.booleans()):  # given back in part
            end = replace(one, spend_minor=one.spend_minor // 2, items={})
            told.append((one, end))
        if draw(st.booleans()):  # and then as a whole
            told.append((end, None))
            end = None
        if end:
            stand.append(end)
    return draw(st.permutations(told)), stand


@given(lives())
def test_in_whatever_order_receipts_and_refunds_come_the_history_is_that_of_what_stands(
    life: tuple[list[Told], list[Receipt]],
) -> None:
    told, stand = life
    history = EMPTY
    for before, after in told:
        history = corrected(history, before=before, after=after)
    assert history == history_of(stand)


@given(st.lists(receipt, max_size=12), st.lists(receipt, max_size=12))
def test_two_members_become_one_and_two_again(ones: list[Receipt], others: list[Receipt]) -> None:
    one, other = history_of(ones), history_of(others)
    whole = together(one, other)
    assert whole == together(other, one) == history_of([*others, *ones])
    assert (apart(whole, other), apart(whole, one)) == (one, other)


@given(st.lists(st.integers(0, 60), unique=True, max_size=30).flatmap(st.permutations))
def test_what_lets_days_go_still_does_not_depend_on_the_order(days: Sequence[int]) -> None:
    history = on_days(*days)
    assert history == on_days(*sorted(days))
    assert history.frequency() == len(days)
    kept = sorted(days) if len(days) <= 7 else [*sorted(days)[:3], *sorted(days)[-4:]]
    assert [one.day - FIRST for one in history.days] == kept
    assert history.sums.spend_minor == 1_000 * len(days)


def test_the_middle_days_go_as_a_sum() -> None:
    history = on_days(*range(9))
    assert history.gone == Gone(FIRST + 3, FIRST + 4, 2, 2, 0)
    assert not history.is_exact
    again = together(history, of_receipt(bought(3)), kept=SHORT)  # nobody can know any more that day 3 was counted
    assert (again.frequency(), again.sums.purchases, history.frequency()) == (10, 10, 9)


def test_a_refund_from_among_the_gone_takes_a_visit_out() -> None:
    history = apart(on_days(*range(9)), of_receipt(bought(4)), kept=SHORT)
    assert (history.frequency(), history.sums.spend_minor) == (8, 8_000)


def test_of_two_with_gone_days_all_but_the_same_days_is_exact() -> None:
    one, other = on_days(*range(0, 18, 2)), on_days(*range(31, 49, 2))
    whole = together(one, other, kept=SHORT)
    assert (whole.frequency(), whole.sums.spend_minor) == (18, 18_000)
    assert [day.day - FIRST for day in whole.days] == [0, 2, 4, 41, 43, 45, 47]
    again = apart(whole, other, kept=SHORT)
    assert (again.frequency(), again.sums) == (9, one.sums)


def test_a_day_counts_once_or_each_purchase_does() -> None:
    history = history_of([bought(0), bought(0, 500), bought(2)])
    assert history.days[0] == Day(FIRST, 2, 0, 1_500)
    assert (history.frequency(), history.frequency(Counting.RECEIPTS)) == (2, 3)
    assert (history.first_day, history.last_day, history.recency_days(FIRST + 9)) == (FIRST, FIRST + 2, 7)
    assert history.recency_days(FIRST) == 0


def test_a_refund_ahead_of_its_receipt_is_no_visit() -> None:
    early = apart(EMPTY, of_receipt(bought(1)))
    assert (early.frequency(), early.last_day, early.days) == (0, None, (Day(FIRST + 1, -1, 0, -1_000),))
    assert together(early, of_receipt(bought(1))) == EMPTY


def test_a_refund_of_one_of_two_receipts_leaves_the_visit() -> None:
    history = corrected(history_of([bought(0), bought(0, 70)]), before=bought(0), after=None)
    assert history == history_of([bought(0, 70)])


def test_being_there_without_buying() -> None:
    history = together(on_days(1, 4), of_check_in(Moment(FIRST + 1, 9)))
    history = together(history, of_check_in(Moment(FIRST + 2, 9)))
    assert (history.frequency(), history.visits_without_purchase) == (2, 1)


def test_a_day_is_the_stores() -> None:
    at = datetime(2026, 3, 1, 17, 30, tzinfo=UTC)
    shanghai = ZoneInfo("Asia/Shanghai")
    assert moment(at, zone=shanghai) == Moment(date(2026, 3, 2).toordinal(), 1)
    assert moment(at, zone=shanghai, day_begins_hour=4) == Moment(date(2026, 3, 1).toordinal(), 1)


def test_habits() -> None:
    history = history_of(
        [
            Receipt(
                Moment(FIRST, 12), 1_000, 400, "s1", "dine_in", "card", 4, on_offer=True, items={"tea": 2, "rice": 1}
            ),
            Receipt(Moment(FIRST + 7, 12), 3_000, None, "s2", "", "cash", 1, items={"soup": 2}),
            Receipt(Moment(FIRST + 8, 19), 500, 100, "s2", "dine_in"),
        ]
    )
    habits = habits_of(history, today=FIRST + 10)
    assert (habits.recency_days, habits.frequency, habits.spend_minor) == (2, 3, 4_500)
    assert habits.average_ticket_minor == 1_500.0
    assert (habits.average_profit_minor, habits.profit_share) == (250.0, 500 / 1_500)
    assert (habits.mean_party, habits.on_offer_share, habits.on_offer_spend_share) == (2.5, 1 / 3, 1_000 / 4_500)
    assert habits.favourite_items == ("soup", "tea", "rice")  # equals by their code
    assert (habits.favourite_hours, habits.favourite_weekdays) == ((12, 19), (0, 1))
    assert (habits.favourite_stores, habits.favourite_payments) == (("s2", "s1"), ("card", "cash"))


def test_of_nobody_nothing_is_known() -> None:
    habits = habits_of(EMPTY, today=FIRST)
    assert (habits.recency_days, habits.frequency, habits.average_ticket_minor, habits.mean_party) == (
        None,
        0,
        None,
        None,
    )
    assert (habits.on_offer_share, habits.favourite_items) == (None, ())


def test_of_equal_favourites_the_first_by_name_is_told() -> None:
    assert Tally({"b": 2, "c": 3, "a": 2, "d": -1, "e": 1}).favourites(3) == (("c", 3), ("a", 2), ("b", 2))


def test_a_full_tally_adds_the_least_to_the_others() -> None:
    full = added(tally("a", "a", "b"), tally("c"), most=2)
    assert full == Tally({"a": 2, "b": 1}, others=1)
    assert (full.total, full.share("a"), Tally().share("a")) == (4, 0.5, None)
    assert not replace(EMPTY, favourites=replace(EMPTY.favourites, items=full)).is_exact
