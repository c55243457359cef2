"""The published figures, from the published data: the 2,357 members of the CDNOW sample (Fader and Hardie).

`HUITOU_CDNOW` names the folder that CDNOW_sample.txt lies in; the data are not part of this repository. Whatever has no
published figure is counted again here, by other means.
"""

import os
from collections import Counter, defaultdict
from datetime import date
from pathlib import Path
from statistics import quantiles as by_hand

import numpy as np
import pytest

from services.members.domain.insight.cohorts import cells_of, month_of, retention
from services.members.domain.insight.expecting import expected
from services.members.domain.insight.fit_quality import counts_of, held_out
from services.members.domain.insight.gaps import Gaps, changes, usual, with_changes
from services.members.domain.insight.history import EMPTY, History, history_of
from services.members.domain.insight.proportions import share_of
from services.members.domain.insight.purchase_rows import Rows, row_of, rows_of, visits_after
from services.members.domain.insight.purchasing import PurchasingFit, fit_purchasing
from services.members.domain.insight.receipts import Moment, Receipt
from services.members.domain.insight.rfm import classes, quintiles
from services.members.domain.insight.second_visits import curve, within
from services.members.domain.insight.spending import Spends, fit_spending, spend_of
from services.members.domain.insight.turning import turning_point

END = date(1997, 9, 30).toordinal()
LAST = date(1998, 6, 30).toordinal()
WEEKS = 39.0

Purchases = dict[str, list[tuple[int, int]]]
"""By member: (day, US cents)."""


@pytest.fixture(scope="module")
def purchases() -> Purchases:
    path = Path(os.environ.get("HUITOU_CDNOW", "")) / "CDNOW_sample.txt"
    if not path.is_file():
        pytest.skip("HUITOU_CDNOW names no folder with CDNOW_sample.txt")
    found: Purchases = defaultdict(list)
    for line in path.read_text().splitlines():
        _, member, day, _, dollars = line.split()
        found[member].append((date.fromisoformat(day).toordinal(), round(float(dollars) * 100)))
    return found


@pytest.fixture(scope="module")
def early(purchases: Purchases) -> dict[str, History]:
    """The first 39 weeks."""
    return {member: history_of([Receipt(Moment(day, 12), cents) for day, cents in some if day <= END])
            for member, some in purchases.items()}  # fmt: skip


@pytest.fixture(scope="module")
def fit(early: dict[str, History]) -> PurchasingFit:
    rows = [row_of(history, today=END) for history in early.values()]
    found = fit_purchasing(rows_of(Counter(row for row in rows if row)))
    assert found is not None
    return found


def test_the_purchase_model(fit: PurchasingFit) -> None:
    model = fit.model
    assert [round(one, 3) for one in (model.r, model.alpha, model.a, model.b)] == [0.243, 4.414, 0.793, 2.426]
    assert (round(fit.log_likelihood, 1), fit.members, fit.is_sound) == (-9582.4, 2_357, True)


def test_how_well_it_fits(fit: PurchasingFit, early: dict[str, History]) -> None:
    rows = [row_of(history, today=END) for history in early.values()]
    counts = counts_of(fit.model, rows_of(Counter(row for row in rows if row)))
    assert (round(counts.chi_square, 2), counts.degrees, round(counts.p_value or 0, 2)) == (4.82, 3, 0.19)
    assert [one.members for one in counts.classes] == [1_411, 439, 214, 100, 62, 38, 29, 64]


def test_what_it_says_of_the_next_39_weeks(fit: PurchasingFit, early: dict[str, History], purchases: Purchases) -> None:
    rows, later = [], []
    for member, some in purchases.items():
        whole = history_of([Receipt(Moment(day, 12), cents) for day, cents in some])
        row = row_of(whole, today=END)
        assert row is not None
        assert row == row_of(early[member], today=END)
        rows.append(row)
        later.append(visits_after(whole, day=END, until=LAST))
    table = np.array(rows, dtype=np.int64)
    each = Rows(table[:, 0], table[:, 1] / 7, table[:, 2] / 7, np.ones(len(rows)))
    actual = np.array(later, dtype=np.float64)
    guess = expected(fit.model, each, weeks=WEEKS)
    assert guess[rows.index((2, 213, 272))] == pytest.approx(1.226, abs=5e-4)  # x 2, 30.43 and 38.86 weeks
    assert np.corrcoef(guess, actual)[0, 1] == pytest.approx(0.626, abs=5e-4)
    found = held_out(fit.model, each, actual, weeks=WEEKS)
    assert found.visits == sum(later) == 1_882
    assert found.model.wape is not None
    assert found.naive.wape is not None
    assert found.model.wape < found.naive.wape
    assert found.model.rmse < found.naive.rmse


def test_the_spending_model(early: dict[str, History]) -> None:
    known = [one for one in map(spend_of, early.values()) if one]
    x, mean = np.array([one[0] for one in known]), np.array([one[1] for one in known])
    fit = fit_spending(Spends(x, mean, np.ones(len(known))))
    assert fit is not None
    assert (round(fit.model.p, 2), round(fit.model.q, 2), round(fit.model.v / 100, 2)) == (6.25, 3.74, 15.44)
    assert (fit.members, fit.is_sound) == (946, True)
    assert fit.correlation == pytest.approx(np.corrcoef(x, mean)[0, 1], rel=1e-9)


def test_gaps(purchases: Purchases) -> None:
    gaps, wanted = Gaps(), defaultdict(list)
    for some in purchases.values():
        history = EMPTY
        for number in range(len(some)):  # told one after the other
            after = history_of([Receipt(Moment(day, 12), cents) for day, cents in some[: number + 1]])
            gaps, history = with_changes(gaps, changes(history, after)), after
        for number, gap in enumerate(np.diff(sorted({day for day, _ in some})), start=1):
            wanted[number].append(int(gap))
    for number in range(1, 11):
        found = usual(gaps.of(number))
        assert found is not None
        assert found.count == len(wanted[number])
        assert found.mean == pytest.approx(np.mean(wanted[number]))
        assert [found.lower, found.median, found.upper] == by_hand(wanted[number], n=4, method="inclusive")
    turning = turning_point(gaps, seed=1)
    assert turning.numbers >= 10
    assert turning.number is None  # those who come oftener have shorter gaps all along


def test_rfm(purchases: Purchases) -> None:
    histories = [history_of([Receipt(Moment(day, 12), cents) for day, cents in some]) for some in purchases.values()]
    values = [(LAST - (one.last_day or 0), one.frequency(), one.sums.spend_minor) for one in histories]
    cuts = quintiles(*(Counter(column) for column in zip(*values, strict=True)))
    assert cuts is not None
    columns = [np.array(column) * sign for column, sign in zip(zip(*values, strict=True), (-1, 1, 1), strict=True)]
    limits = [np.quantile(column, [0.2, 0.4, 0.6, 0.8]) for column in columns]
    wanted = [1 + (column[:, None] > limit + 1e-9).sum(axis=1) for column, limit in zip(columns, limits, strict=True)]
    found = [classes(cuts, recency_days=r, frequency=f, spend_minor=m) for r, f, m in values]
    assert [(one.recency, one.frequency, one.monetary) for one in found] == list(
        zip(*(w.tolist() for w in wanted), strict=True)
    )


def test_second_visits_and_cohorts(purchases: Purchases) -> None:
    firsts: Counter[tuple[int, int | None]] = Counter()
    cells: Counter[tuple[int, int]] = Counter()
    wanted: Counter[tuple[str, int]] = Counter()
    for some in purchases.values():
        history = history_of([Receipt(Moment(day, 12), cents) for day, cents in some])
        days = sorted({day for day, _ in some})
        firsts[LAST - days[0], days[1] - days[0] if len(days) > 1 else None] += 1
        cells.update(cells_of(history))
        months = [date.fromordinal(day) for day in days]
        joined = months[0]
        wanted.update({(f"{joined:%Y-%m}", (one.year - joined.year) * 12 + one.month - joined.month) for one in months})
    by_day_90 = sum(count for (_, gap), count in firsts.items() if gap is not None and gap <= 90)
    assert within(firsts, 90) == share_of(by_day_90, 2_357)  # the last joined 462 days before the end
    # So nobody is censored before, and the curve is the plain share.
    assert curve(firsts, [90])[0].came == pytest.approx(by_day_90 / 2_357)
    assert {(f"{month // 12}-{month % 12 + 1:02}", offset): count for (month, offset), count in cells.items()} == wanted
    cohorts = retention(cells, this_month=month_of(LAST) + 1)
    assert sum(one.members for one in cohorts) == 2_357
    assert [len(one.retained) for one in cohorts] == [18, 17, 16]
