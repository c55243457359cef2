"""Sums of sales: what they compute, where things are counted, and which sums a report reads."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.errors import Problem
from services.points.domain.sales import (
    NOTHING,
    OTHER_ITEMS,
    Additions,
    Cell,
    GuestMonth,
    Item,
    Place,
    Return,
    Sale,
    SoldLine,
    Sums,
    Turned,
    local_time,
    merged,
    turned,
    within_bound,
)
from services.points.domain.sales_reports import Dimension, Question, Row, check_rows, check_size, rows, spans
from services.points.store.documents.sales import cell_name, cell_of, increments, item_name, item_of, sums_of

NOON = datetime(2026, 3, 1, 4, tzinfo=UTC)
TEA, CAKE = Item("tea", "drinks"), Item("cake", "")


def sale(*lines: SoldLine, at: datetime = NOON, visit: int = 0, party: int = 0, zone: str = "Asia/Shanghai") -> Sale:
    return Sale("sto_1", "mem_ada", at, at, zone, "dine_in", lines, party_size=party, visit=visit)


def test_what_sums_compute() -> None:
    sums = Sums(
        receipts=2, paid_minor=1_001, costed_minor=600, cost_minor=200, refunded_minor=100, refunded_costed_minor=50,
        known_receipts=2, returning_receipts=1, known_minor=1_001, returning_minor=500,
    )  # fmt: skip
    assert (sums.net_minor, sums.gross_profit_minor, sums.average_ticket_minor) == (901, 350, 501)
    assert (sums.returning_share_of_visits, sums.returning_share_of_sales) == (0.5, 500 / 1_001)
    unknown = (NOTHING.gross_profit_minor, NOTHING.average_ticket_minor, NOTHING.returning_share_of_visits)
    assert unknown == (None, None, None)


@pytest.mark.parametrize(("visit", "known", "returning"), [(0, 0, 0), (1, 1, 0), (2, 1, 1), (9, 1, 1)])
def test_who_is_returning(visit: int, known: int, returning: int) -> None:
    added = Additions()
    added.add(sale(SoldLine(TEA, 1, 300), visit=visit))
    [sums] = added.cells[Place("sto_1", "2026-03-01")].values()
    assert (sums.known_receipts, sums.returning_receipts) == (known, returning)
    assert (sums.known_minor, sums.returning_minor) == (300 * known, 300 * returning)


def test_a_purchase_counts_in_its_day_and_month_and_for_each_item_once() -> None:
    added = Additions()
    added.add(sale(SoldLine(TEA, 1, 300), SoldLine(CAKE, 2, 900, cost_minor=100), SoldLine(TEA, 1, 200), party=3))
    whole = Sums(receipts=1, covers=3, items=4, paid_minor=1_400, costed_minor=900, cost_minor=100)
    assert added.cells == {Place("sto_1", span): {Cell(6, 12, "dine_in"): whole} for span in ("2026-03-01", "2026-03")}
    assert added.items[Place("sto_1", "2026-03")] == {
        TEA: Sums(receipts=1, items=2, paid_minor=500),
        CAKE: Sums(receipts=1, items=2, paid_minor=900, costed_minor=900, cost_minor=100),
    }
    assert added.guests == {GuestMonth("mem_ada", "2026-03"): ["sto_1"]}


def test_a_refund_counts_by_the_clock_of_its_receipt() -> None:
    added = Additions()
    back = SoldLine(TEA, 1, 300, cost_minor=40)
    late = datetime(2026, 3, 31, 17, tzinfo=UTC)  # the first of April in Shanghai
    added.add(Return("sto_2", late, late, "Asia/Shanghai", "", (back,)))
    sums = Sums(refunds=1, refunded_items=1, refunded_minor=300, refunded_costed_minor=300)
    assert added.cells == {Place("sto_2", span): {Cell(2, 1, ""): sums} for span in ("2026-04-01", "2026-04")}
    assert added.guests == {}


def test_moments_that_a_zone_does_not_have() -> None:
    first = datetime(1, 1, 1, tzinfo=UTC)
    assert local_time(first, "America/New_York") == first
    assert local_time(NOON, "Nowhere/Else") == NOON
    assert local_time(NOON, "Asia/Shanghai").hour == 12


def test_members_turn_guests_and_repeaters_once() -> None:
    ada, bob = GuestMonth("mem_ada", "2026-03"), GuestMonth("mem_bob", "2026-03")
    found = turned({ada: ["sto_1", "sto_2", "sto_1"], bob: ["sto_2"]}, {bob: 1})
    assert found == {Place("sto_1", "2026-03"): Turned(1, 0), Place("sto_2", "2026-03"): Turned(0, 2)}
    assert turned({ada: ["sto_1"]}, {ada: 2}) == {}


def test_what_is_too_many_is_one_other() -> None:
    one = Sums(items=1)
    assert within_bound({TEA: one, CAKE: one, Item("x", "y"): one}, {TEA}) == {
        TEA: one,
        Item(OTHER_ITEMS, ""): Sums(items=2),
    }


@given(code=st.text(max_size=20), category=st.text(max_size=20))
def test_any_code_can_be_a_field(code: str, category: str) -> None:
    name = item_name(Item(code, category))
    assert item_of(name) == Item(code, category)
    assert not set(name) & {".", "$", "\0"}
    assert name.count("/") == 1


@given(numbers=st.lists(st.integers(-(10**9), 10**9), min_size=15, max_size=15))
def test_sums_survive_their_document(numbers: list[int]) -> None:
    sums = Sums(*numbers)
    document = {path.removeprefix("all."): value for path, value in increments(sums, under="all").items()}
    assert sums_of(document) == sums
    assert merged([sums, sums]) == sums + sums
    cell = Cell(6, 9, "takeaway")
    assert cell_of(cell_name(cell)) == cell


def question(since: str, until: str, *by: Dimension, **more: frozenset[str]) -> Question:
    return Question(date.fromisoformat(since), date.fromisoformat(until), by, **more)


def test_whole_months_are_read_as_such() -> None:
    wanted = spans(question("2026-01-31", "2026-04-01"))
    assert wanted == (("2026-02", "2026-03"), ("2026-01-31", "2026-04-01"))
    assert spans(question("2025-12-01", "2025-12-31")) == (("2025-12",), ())
    assert spans(question("2026-02-01", "2026-02-27")).months == ()
    assert len(spans(question("2026-02-01", "2026-02-28", Dimension.DAY)).days) == 28
    assert len(spans(question("2026-02-01", "2026-02-28", Dimension.WEEKDAY, Dimension.ITEM)).days) == 28
    assert spans(question("2026-02-01", "2026-02-28", Dimension.WEEKDAY)).months == ("2026-02",)


@given(start=st.dates(date(2020, 1, 1), date(2027, 1, 1)), days=st.integers(1, 1_100), by_day=st.booleans())
def test_spans_cover_each_day_once(start: date, days: int, *, by_day: bool) -> None:
    until = start + timedelta(days=days - 1)
    wanted = spans(Question(start, until, (Dimension.DAY,) if by_day else ()))
    covered = set(wanted.days)
    day = start
    while day <= until:
        assert (day.isoformat() in covered) != (f"{day:%Y-%m}" in wanted.months)
        day += timedelta(days=1)
    for month in wanted.months:
        assert f"{month}-01" >= start.isoformat()
        assert f"{month}-28" <= until.isoformat()


def test_what_is_too_much_to_read() -> None:
    year = question("2026-01-01", "2026-12-31")
    check_size(year, stores=8_000, wanted=spans(year))
    with pytest.raises(Problem) as refused:
        check_size(year, stores=8_334, wanted=spans(year))
    assert refused.value.code == "REPORT_TOO_LARGE"
    items = question("2026-01-01", "2026-12-31", Dimension.ITEM)
    check_size(items, stores=833, wanted=spans(items))
    with pytest.raises(Problem) as refused:
        check_size(items, stores=834, wanted=spans(items))
    assert refused.value.code == "REPORT_TOO_LARGE"
    hours = question("2026-01-01", "2026-12-31", Dimension.HOUR)  # months are read in parts
    check_size(hours, stores=1_190, wanted=spans(hours))
    with pytest.raises(Problem) as refused:
        check_size(hours, stores=1_191, wanted=spans(hours))
    assert refused.value.code == "REPORT_TOO_LARGE"
    check_rows(5_000)
    with pytest.raises(Problem) as refused:
        check_rows(5_001)
    assert refused.value.code == "REPORT_TOO_LARGE"


def test_rows_are_in_order_and_none_is_empty() -> None:
    one = Sums(receipts=1)
    assert rows({("b",): one, ("a",): NOTHING, ("",): one}) == [Row(("",), one), Row(("b",), one)]
