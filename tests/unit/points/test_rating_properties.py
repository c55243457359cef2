"""What holds for every program: parts and postings agree, refunds leave nothing behind, order does not matter."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.points.domain.calendar import Span
from services.points.domain.expiries import Expiry
from services.points.domain.items import Item
from services.points.domain.programs import DEFAULT_PROGRAM, Program
from services.points.domain.purchases import Channel, Line
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
from services.points.domain.tiers import (
    Crossing,
    Lasts,
    LastsKind,
    Level,
    Metric,
    Need,
    Tiers,
    Window,
    WindowKind,
    by_spend,
)
from tests.support.chain_life import KEY, Life

ITEMS = {"tea": Item("tea", 1, "drinks", date(2026, 2, 20)), "egg": Item("egg", 1, "food", None)}
CODES = st.sampled_from(["tea", "egg", "rice"])
CATEGORIES = st.frozensets(st.sampled_from(["drinks", "food", ""]), max_size=2)
CAPS = st.lists(
    st.builds(Cap, st.integers(1, 60), st.sampled_from(CapWindow), st.sampled_from(CapUnit)), max_size=2
).map(tuple)
MATCHES = st.one_of(
    st.just(LineMatch()),
    st.builds(LineMatch, items=st.frozensets(CODES, max_size=2), categories=CATEGORIES),
    st.builds(LineMatch, not_items=st.frozensets(CODES, max_size=1), launched_within_days=st.sampled_from([0, 30])),
)
CONDITIONS = ["", "purchase.paid_minor > 3000", "member.visits >= 2", '"drinks" in purchase.categories']
WHERES = st.one_of(
    st.just(Where()),
    st.builds(
        Where,
        channels=st.frozensets(st.sampled_from(Channel), max_size=2),
        slots=st.just((Slot(frozenset({1, 2, 3}), 0, 720),)),
        min_spend_minor=st.integers(0, 4_000),
        condition=st.sampled_from(CONDITIONS),
    ),
)
EFFECTS = st.one_of(
    st.builds(Rate, st.integers(1, 20), st.integers(1, 1_000)),
    st.builds(PerVisit, st.integers(1, 30)),
    st.builds(PerPiece, st.integers(1, 5)),
    st.builds(Factor, st.sampled_from([1_100, 1_500, 2_000])),
    st.builds(Fixed, st.integers(1, 30), st.booleans()),
)


def rules(drawn: list[tuple[Any, LineMatch, Where, tuple[Cap, ...], str]]) -> tuple[Rule, ...]:
    return tuple(Rule(f"rule {number}", *one) for number, one in enumerate(drawn))


RULES = st.lists(
    st.tuples(EFFECTS, MATCHES, WHERES, CAPS, st.sampled_from([POINTS, POINTS, STAMPS])), min_size=1, max_size=5
).map(rules)
EARNINGS = st.builds(
    Earning,
    rules=RULES,
    rounding=st.sampled_from(Rounding),
    stage=st.sampled_from(Stage),
    per=st.sampled_from(Per),
    stacking=st.sampled_from(Stacking),
    excluded=st.builds(LineMatch, items=st.frozensets(st.just("rice"), max_size=1)),
    min_spend_minor=st.sampled_from([0, 500]),
    tax_counts=st.booleans(),
    tip_counts=st.booleans(),
    caps=CAPS,
)
LEVELS = (
    by_spend("basic", 0),
    Level("silver", (Need(Metric.SPEND, 5_000), Need(Metric.VISITS, 3)), any_of=1, earn_permille=1_250),
    Level("gold", (Need(Metric.POINTS, 300),), earn_permille=1_500),
)
TIERS = st.builds(
    Tiers,
    st.just(LEVELS),
    window=st.sampled_from([Window(), Window(WindowKind.ROLLING, 2), Window(WindowKind.CALENDAR, 1)]),
    lasts=st.sampled_from([Lasts(), Lasts(LastsKind.MONTHS, 2), Lasts(LastsKind.WHILE_MET)]),
    crossing=st.sampled_from(Crossing),
)
PROGRAMS = st.builds(
    replace,
    st.just(DEFAULT_PROGRAM),
    earning=EARNINGS,
    tiers=TIERS,
    expiry=st.sampled_from([Expiry(), Expiry(Span(months=3)), Expiry(idle=Span(days=40))]),
)
LINES = st.lists(
    st.builds(Line, CODES, st.integers(1, 3), st.integers(0, 6_000), category=st.sampled_from(["", "drinks"])),
    min_size=1,
    max_size=3,
).map(tuple)
SALES = st.lists(
    st.fixed_dictionaries(
        {
            "day": st.integers(0, 30),
            "lines": LINES,
            "channel": st.sampled_from(Channel),
            "tax_minor": st.integers(0, 300),
            "tip_minor": st.integers(0, 300),
        }
    ),
    min_size=1,
    max_size=5,
)


def day(number: int) -> str:
    return (date(2026, 3, 1) + timedelta(days=number)).isoformat()


def buy(life: Life, sale: dict[str, Any]) -> Any:
    more = {name: value for name, value in sale.items() if name not in {"day", "lines"}}
    return life.buy(day(sale["day"]), lines=sale["lines"], items=ITEMS, **more)


@settings(max_examples=60, deadline=None)
@given(program=PROGRAMS, sales=SALES)
def test_the_breakdown_sums_to_what_was_booked(program: Program, sales: list[dict[str, Any]]) -> None:
    life = Life(program)
    for sale in sorted(sales, key=lambda one: one["day"]):
        booked = buy(life, sale)
        for currency in (POINTS, STAMPS):
            parts = sum(part.points for part in booked.breakdown if part.currency == currency)
            posted = [
                entry.postings[0].amount
                for entry in life.entries("purchase")
                if entry.reference == booked.id and entry.postings[0].currency == currency
            ]
            assert sum(posted) == parts
        assert all(part.points >= 0 for part in booked.breakdown)
        assert all(part.uncapped > part.points for part in booked.breakdown if part.cap)


@settings(max_examples=60, deadline=None)
@given(program=PROGRAMS, sales=SALES, data=st.data())
def test_a_refund_of_everything_leaves_what_was_there_before(
    program: Program, sales: list[dict[str, Any]], data: st.DataObject
) -> None:
    """Whole or in two parts: no points, no counters, no use of caps, and no level that nothing stands for."""
    program = replace(program, expiry=Expiry())
    life = Life(program)
    *earlier, last = sorted(sales, key=lambda one: one["day"])
    for sale in earlier:
        buy(life, sale)
    now = day(last["day"])
    before = life.account(now)
    bought = buy(life, last)
    if data.draw(st.booleans()) and (paid := last["lines"][0].paid_minor):
        life.refund(now, bought, data.draw(st.integers(1, paid)))
    life.refund(now, bought)
    after = life.account(now)
    assert {currency: after.balance(currency) for currency in (POINTS, STAMPS)} == {
        currency: before.balance(currency) for currency in (POINTS, STAMPS)
    }
    assert (after.counts.spend_minor, after.counts.visits) == (before.counts.spend_minor, before.counts.visits)
    assert dict(after.counts.caps) == dict(before.counts.caps)
    assert after.standing.now("basic") == before.standing.now("basic")
    assert [one for one in after.counts.tallies if one.spend_minor or one.points or one.visits] == [
        one for one in before.counts.tallies if one.spend_minor or one.points or one.visits
    ]


@settings(max_examples=60, deadline=None)
@given(program=PROGRAMS, sales=SALES, data=st.data())
def test_the_order_in_which_unrelated_purchases_arrive_does_not_matter(
    program: Program, sales: list[dict[str, Any]], data: st.DataObject
) -> None:
    """Without levels, caps and conditions on the member nothing relates two purchases."""
    plain = tuple(replace(rule, caps=(), where=replace(rule.where, condition="")) for rule in program.earning.rules)
    earning = replace(program.earning, rules=plain, caps=())
    program = replace(program, earning=earning, tiers=Tiers(LEVELS[:1]), expiry=Expiry())
    shuffled = data.draw(st.permutations(sales))
    one, other = Life(program), Life(program)
    for sale in sales:
        buy(one, sale)
    for sale in shuffled:
        buy(other, sale)
    accounts = [life.ledger.books.accounts[KEY] for life in (one, other)]
    assert accounts[0].balances == accounts[1].balances
    assert accounts[0].counts == accounts[1].counts
