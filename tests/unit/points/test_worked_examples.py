"""Worked examples from the documentation of other engines, each as a configuration of ours, by id.

Each says what the other engine's rule is, and what its documentation says comes out. Ids that are not here concern
something else than earning, expiry, tiers and refunds: see `ELSEWHERE`.
"""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from services.kit.errors import Problem
from services.points.domain.calendar import Span
from services.points.domain.commands import Capture, Void
from services.points.domain.expiries import Activity, Cycle, Expiry, MonthDay, Release, RoundsTo
from services.points.domain.programs import DEFAULT_PROGRAM, Program, RefundBasis, TakeBack, rate
from services.points.domain.purchases import Line
from services.points.domain.rules import (
    Earning,
    Factor,
    Fixed,
    Per,
    PerVisit,
    Rounding,
    Rule,
    Stage,
    Where,
)
from services.points.domain.tiers import (
    Lasts,
    LastsKind,
    Level,
    Metric,
    Need,
    Starts,
    Tiers,
    Window,
    WindowKind,
    by_spend,
)
from tests.support.chain_life import Life

FLAT = Tiers((by_spend("member", 0),))


def program(*rules: Rule, tiers: Tiers = FLAT, **terms: Any) -> Program:
    earning = {name: terms.pop(name) for name in ("rounding", "stage", "per", "tax_counts") if name in terms}
    return replace(DEFAULT_PROGRAM, earning=Earning(rules or (rate(1, 100),), **earning), tiers=tiers, **terms)


def moment(day: str) -> datetime:
    return Life(DEFAULT_PROGRAM).moment(day)


def earns(wanted: Program, *paid: int, day: str = "2026-03-05") -> list[int]:
    life = Life(wanted)
    return [life.buy(day, amount).points for amount in paid]


def balance_tiers(*levels: tuple[str, int]) -> Tiers:
    """Levels that follow the balance, up and down, at once."""
    return Tiers(
        tuple(Level(code, (Need(Metric.BALANCE, least),)) for code, least in levels), lasts=Lasts(LastsKind.WHILE_MET)
    )


def monthly(lasts: Lasts, starts: Starts = Starts.AT_ONCE) -> Tiers:
    return Tiers(
        (by_spend("basic", 0), by_spend("gold", 10_000)),
        window=Window(WindowKind.CALENDAR, 1),
        lasts=lasts,
        starts=starts,
    )


def we01() -> None:
    assert earns(program(rate(1, 1_000)), 10_500) == [10]


def we02() -> None:
    assert earns(program(rate(1, 100), Rule("promotion", Fixed(3))), 500) == [8]


def we04() -> None:
    promoted = program(rate(1, 100), Rule("promotion", Factor(1_500)))
    assert earns(promoted, 400, 500) == [6, 7]


def we05() -> None:
    visits = program(Rule("visit", PerVisit(1), where=Where(min_spend_minor=500)))
    assert earns(visits, 500, 499, 2_000) == [1, 0, 1]


def we07() -> None:
    expected = {Rounding.UP: [3, 6], Rounding.FLOOR: [2, 5], Rounding.HALF_UP: [2, 6]}
    for rounding, points in expected.items():
        assert earns(program(rate(1, 100), rounding=rounding), 238, 576) == points


def we08() -> None:
    times = Rule("multiplier", Factor(1_500))
    assert earns(program(rate(1, 100), times, rounding=Rounding.HALF_UP, stage=Stage.BASE), 238, 576) == [3, 9]


def we10() -> None:
    # Points of two decimals are hundredths of a point; the amounts have three decimals.
    hundredths = program(rate(100, 1_000), rounding=Rounding.HALF_UP, per=Per.LINE)
    bought = Life(hundredths).buy("2026-03-05", lines=(Line("A", 1, 20_158), Line("B", 1, 20_158)))
    assert bought.points == 4_032
    assert earns(hundredths, 20_158) == [2_016]


def we12() -> None:
    assert earns(program(rate(1, 1_000_000_000), rounding=Rounding.HALF_UP), 1_345_714_932) == [1]


def we14() -> None:
    assert earns(program(rounding=Rounding.UP), 30) == [1]
    assert earns(program(rounding=Rounding.FLOOR), 70) == [0]
    assert earns(program(rounding=Rounding.HALF_UP), 49, 50) == [0, 1]


def we16() -> None:
    life = Life(program(expiry=Expiry(Span(months=12), rounds_to=RoundsTo.MONTH)))
    bought = life.buy("2020-07-06", 10_000)
    assert life.expires(bought) == "2021-08-01"
    assert [life.available(day) for day in ("2021-07-31T23:59", "2021-08-01T00:00")] == [100, 0]


def we17() -> None:
    life = Life(program(expiry=Expiry(Span(months=1))))
    life.buy("2026-01-25", 10_000)
    assert [life.available(day) for day in ("2026-02-25T23:59", "2026-02-26T00:00")] == [100, 0]


def we19() -> None:
    life = Life(program(expiry=Expiry(Span(months=1))))
    life.buy("2026-01-31", 10_000)
    assert [life.available(day) for day in ("2026-02-28T23:59", "2026-03-01T00:00")] == [100, 0]


def we21() -> None:
    # Old points expire, new ones become available and the level ends, all at the same midnight, in this order.
    tiers = Tiers(
        (by_spend("basic", 0), by_spend("gold", 10_000)),
        window=Window(WindowKind.CALENDAR, 12),
        lasts=Lasts(LastsKind.PERIODS, 0),
    )
    later = program(tiers=tiers, release=Release(30), version=2, effective_from=moment("2025-12-01"))
    life = Life(program(expiry=Expiry(Span(days=92)), tiers=tiers), later)
    life.buy("2025-09-30", 10_000)  # until 2025-12-31
    life.buy("2025-12-01", 500)  # pending for 30 days, available on 2026-01-01
    life.settle("2026-01-02")
    midnight = moment("2026-01-01T00:00")
    happened = [entry for entry in life.ledger.entries if entry.occurred_at == midnight]
    assert [entry.kind.value for entry in happened] == ["release", "level", "expiry"]
    assert (life.available("2026-01-01T00:00"), life.level("2026-01-01T00:00")) == (5, "basic")


def we25() -> None:
    life = Life(program(expiry=Expiry(idle=Span(months=6))))
    life.buy("2026-01-01", 10_000)
    life.buy("2026-02-01", 10_000)
    assert [life.available(day) for day in ("2026-08-01T23:59", "2026-08-02T00:00")] == [200, 0]


def we26() -> None:
    life = Life(program(expiry=Expiry(cycles=(Cycle(MonthDay(3, 31), MonthDay(4, 15)),))))
    for day in ("2026-01-01", "2026-03-31"):
        life.buy(day, 10_000)
    assert [life.available(day) for day in ("2026-04-15T23:59", "2026-04-16T00:00")] == [200, 0]


def we28() -> None:
    for active_by, left in ((frozenset({Activity.EARNING}), 0), (frozenset({Activity.PURCHASE}), 100)):
        life = Life(program(expiry=Expiry(idle=Span(months=12), active_by=active_by)))
        life.buy("2024-01-15", 10_000)
        assert life.buy("2024-12-10", 99).points == 0
        assert life.available("2025-01-16") == left
        assert life.available("2025-12-11") == 0


def we31() -> None:
    life = Life(program(expiry=Expiry(Span(months=12))))
    january, march = life.buy("2026-01-10", 10_000), life.buy("2026-03-10", 15_000)
    life.spend("2026-03-11", 120)
    lots = life.ledger.books.lots["chn_1", "mem_1"]
    assert [lots[f"{one.id}/points"].free for one in (january, march)] == [0, 130]


def we32() -> None:
    life = Life(program(expiry=Expiry(Span(months=12))))
    for month, amount in (("01", 10_000), ("03", 20_000), ("07", 30_000)):
        life.buy(f"2026-{month}-10", amount)
    life.settle("2027-01-11")
    [expired] = life.entries("expiry")
    assert (expired.postings[0].amount, life.available("2027-01-11")) == (-100, 500)


def we36() -> None:
    tiers = balance_tiers(("Basic", 0), ("Silver", 100), ("Gold", 500), ("Platinum", 1_000))
    life = Life(program(tiers=tiers))
    life.buy("2023-01-10", 10_000)
    life.spend("2023-02-15", 50)
    life.buy("2023-02-25", 50_000)
    days = ("2023-01-10", "2023-02-15", "2023-02-25")
    assert [life.available(day) for day in days[-1:]] == [550]
    assert [level for _, level, _ in life.changes()] == ["Silver", "Basic", "Gold"]


def we37() -> None:
    for starts, since in ((Starts.AT_ONCE, "2026-03-10T12:00"), (Starts.NEXT_PERIOD, "2026-04-01")):
        life = Life(program(tiers=monthly(Lasts(LastsKind.PERIODS, 1), starts)))
        life.buy("2026-03-10", 10_000)
        life.settle("2026-04-02")
        assert life.changes() == [(since, "gold", "reached")]


def we39() -> None:
    for count, last in ((0, "2026-04-07"), (1, "2026-05-07")):
        life = Life(program(tiers=monthly(Lasts(LastsKind.PERIODS, count, grace_days=7))))
        life.buy("2026-03-10", 10_000)
        after = {"2026-04-07": "2026-04-08", "2026-05-07": "2026-05-08"}[last]
        assert [life.level(day) for day in (f"{last}T23:59", f"{after}T00:00")] == ["gold", "basic"]


def we41() -> None:
    life = Life(program(tiers=balance_tiers(("Bronze", 0), ("Silver", 100), ("Gold", 200))))
    life.buy("2026-07-20", 25_000)
    life.spend("2026-07-25", 200)
    assert life.changes() == [("2026-07-20T12:00", "Gold", "reached"), ("2026-07-25T12:00", "Bronze", "not_met")]
    assert life.available("2026-07-25") == 50


def we45() -> None:
    for again, until in ((False, "2025-04-15"), (True, "2025-10-25")):
        tiers = Tiers(
            (by_spend("basic", 0), by_spend("silver", 10_000), by_spend("gold", 50_000)),
            window=Window(WindowKind.ROLLING, 12),
            lasts=Lasts(LastsKind.MONTHS, 12),
        )
        life = Life(program(tiers=tiers))
        life.buy("2024-04-15", 10_000)
        if again:
            life.buy("2024-10-25", 45_000)
        assert life.day(life.account("2024-10-25").standing.until) == until


def we47() -> None:
    needs = (Need(Metric.SPEND, 10_000), Need(Metric.VISITS, 3), Need(Metric.POINTS, 500))
    tiers = Tiers(
        (by_spend("basic", 0), Level("gold", needs, any_of=2)),
        window=Window(WindowKind.CALENDAR, 12),
        lasts=Lasts(LastsKind.PERIODS, 1),
    )
    life = Life(program(tiers=tiers))
    for day in ("2025-02-01", "2025-03-01", "2025-04-01"):
        life.buy(day, 4_000)
    life.buy("2026-06-01", 20_000)  # spend alone
    assert [life.level(day) for day in ("2025-04-01", "2026-12-31", "2027-01-01")] == ["gold", "gold", "basic"]


def we48() -> None:
    # What counts is before tax: of 23.35 with 1.45 of tax, 21.90; refunds are of what was paid, and bear their share.
    wanted = program(rate(1, 1_000), tax_counts=False, refund_basis=RefundBasis.RETURNED)
    for refunded, deducted in ((107, 0), (534, 0), (1_067, 1), (2_133, 2)):
        life = Life(wanted)
        bought = life.buy("2026-03-05", 2_335, tax_minor=145)
        assert bought.points == 2
        life.refund("2026-03-06", bought, refunded)
        assert life.available("2026-03-06") == 2 - deducted


def we49() -> None:
    life = Life(program())
    bought = life.buy("2026-03-05", lines=(Line("A", 1, 1_000), Line("B", 1, 1_000)))
    seen = [life.available("2026-03-05")]
    for line in (1, 2):
        life.refund("2026-03-06", bought, 1_000, line=line)
        seen.append(life.available("2026-03-06"))
    assert seen == [20, 10, 0]


def we51() -> None:
    life = Life(program())
    bought = life.buy("2026-03-05", 10_000)
    life.refund("2026-03-06", bought, 7_500)
    assert life.available("2026-03-06") == 25


def we53() -> None:
    for delivered, after in ((True, 525), (False, 500)):
        life = Life(program(release=Release(on_action=True), take_back=TakeBack.KEEP_AVAILABLE))
        first = life.buy("2026-03-01", 50_000)
        life.release("2026-03-01", first)
        bought = life.buy("2026-03-05", 2_500, holds=(life.hold("2026-03-05", 50),))
        assert (life.available("2026-03-05"), bought.points) == (450, 25)
        if delivered:
            life.release("2026-03-06", bought)
            assert life.available("2026-03-06") == 475
        life.refund("2026-03-07", bought)
        assert life.balances("2026-03-07").total == after


def we56() -> None:
    expected = {
        TakeBack.PENDING_ONLY: (0, 30, 0),
        TakeBack.WITHIN_BALANCE: (0, 0, 0),
        TakeBack.DEBT: (0, 0, 20),
    }
    for policy, (pending, available, debt) in expected.items():
        later = program(take_back=policy, release=Release(30), version=2, effective_from=moment("2026-03-10"))
        life = Life(program(take_back=policy), later)
        returned = life.buy("2026-03-01", 7_000)
        life.buy("2026-03-02", 3_000)
        life.spend("2026-03-03", 70)  # of the purchase that will be returned
        life.buy("2026-03-11", 2_000)
        assert (life.balances("2026-03-11").pending, life.available("2026-03-11")) == (20, 30)
        life.refund("2026-03-12", returned)
        after = life.balances("2026-03-12")
        assert (after.pending, after.available, after.debt) == (pending, available, debt)


def we58() -> None:
    life = Life(program(release=Release(30)))
    life.buy("2026-03-01", 10_000)
    assert [life.available(day) for day in ("2026-03-31T23:59", "2026-04-01T00:00")] == [0, 100]  # 31 days after


def we59() -> None:
    life = Life(program())
    life.buy("2026-03-01", 2_000)
    reward = life.hold("2026-03-02", 10)
    assert life.available("2026-03-02") == 10
    with pytest.raises(Problem, match="There are 10 points to spend, not 15"):
        life.hold("2026-03-02", 15)
    life.carry_out(Void(**life.keyed("2026-03-02"), hold=reward))
    assert life.available("2026-03-02") == 20
    redeemed = life.hold("2026-03-02", 10)
    life.carry_out(Capture(**life.keyed("2026-03-02"), hold=redeemed))
    with pytest.raises(Problem, match="captured already"):
        life.carry_out(Void(**life.keyed("2026-03-02"), hold=redeemed))


EXAMPLES: dict[str, Callable[[], None]] = {
    name.upper(): example for name, example in list(globals().items()) if name.startswith("we") and callable(example)
}

ELSEWHERE = {
    "WE23": "transfers: with rewards, transfers and households",
    "WE30": "a coupon's life: campaigns",
    "WE34": "household pools: with rewards, transfers and households",
    "WE43": "redeeming by itself: with rewards, transfers and households",
    "WE60": "NPS: feedback",
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_worked_example(name: str) -> None:
    EXAMPLES[name]()


def test_every_example_of_the_list_is_tried_or_said_to_belong_elsewhere() -> None:
    given = os.environ.get("HUITOU_WORKED_EXAMPLES", "")
    # The list was made from others' documentation, and is not part of this repository.
    if not Path(given).is_file():
        pytest.skip("HUITOU_WORKED_EXAMPLES names no file")
    listed = {one["id"] for one in json.loads(Path(given).read_text())}
    assert listed - EXAMPLES.keys() == set(ELSEWHERE)
