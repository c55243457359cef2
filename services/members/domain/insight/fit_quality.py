"""How good a fitted purchase model is: on what it was fitted to, and on weeks that it was not told of.

The tables are those of Fader, Hardie, Lee (2005): how many members came how often (with Pearson's chi-square), and what
members who had come so often did next. Errors by member are told as mean absolute error, root mean square error and
WAPE (the sum of absolute errors by the sum of what happened), each beside the simplest guess: that everybody goes on
coming as often as until now.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc

from services.members.domain.insight.expecting import expected, probabilities
from services.members.domain.insight.purchase_rows import Floats, Rows
from services.members.domain.insight.purchasing import Purchasing

CENSOR = 7
"""So many repeat visits and more are one class."""

PARAMETERS = 4
LEAST_EXPECTED = 5.0
"""Of a class, for chi-square to hold; smaller ones are joined to the one before."""


@dataclass(frozen=True, slots=True)
class CountClass:
    """`members` made `x` repeat visits (the last class: or more) where `expected` were to."""

    x: int
    members: float
    expected: float


@dataclass(frozen=True, slots=True)
class Counts:
    """`p_value`: how often a true model looks at least this bad; None where too few classes are left to tell."""

    classes: tuple[CountClass, ...]
    chi_square: float
    degrees: int
    p_value: float | None


@dataclass(frozen=True, slots=True)
class Errors:
    """Over members. WAPE and `total` (expected less actual, by actual) are None where nothing happened."""

    mae: float
    rmse: float
    wape: float | None
    total: float | None


@dataclass(frozen=True, slots=True)
class NextClass:
    """Members with `x` repeat visits before (the last class: or more), and their mean visits in the held-out weeks."""

    x: int
    members: float
    actual: float
    expected: float


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What happened in the held-out weeks, beside the model and the naive guess."""

    weeks: float
    visits: float
    model: Errors
    naive: Errors
    classes: tuple[NextClass, ...]


def counts_of(model: Purchasing, rows: Rows, *, censor: int = CENSOR) -> Counts:
    """Compare how many members came how often with the model, each by its own age."""
    ages, place = np.unique(rows.age, return_inverse=True)
    of_age = np.bincount(place, rows.members)
    expected_members = [float((of_age * probabilities(model, x, ages)).sum()) for x in range(censor)]
    expected_members.append(rows.total - sum(expected_members))
    members = np.bincount(np.minimum(rows.x, censor), rows.members, censor + 1).tolist()
    classes = tuple(CountClass(x, *pair) for x, pair in enumerate(zip(members, expected_members, strict=True)))
    joined = _joined(classes)
    chi_square = sum((one.members - one.expected) ** 2 / one.expected for one in joined)
    degrees = len(joined) - 1 - PARAMETERS
    return Counts(classes, chi_square, degrees, float(chdtrc(degrees, chi_square)) if degrees > 0 else None)


def held_out(model: Purchasing, rows: Rows, actual: Floats, *, weeks: float, censor: int = CENSOR) -> HeldOut:
    """Compare with the visits that members made in the `weeks` after; `actual` by row (of rows that are not aggregated
    over different ones)."""
    modelled = expected(model, rows, weeks=weeks)
    # Somebody who came for the first time today has no rate yet.
    naive = np.where(rows.age > 0, rows.x * weeks / np.where(rows.age > 0, rows.age, 1.0), 0.0)
    x = np.minimum(rows.x, censor)
    members, visits, meant = (
        np.bincount(x, weights, censor + 1).tolist()
        for weights in (rows.members, rows.members * actual, rows.members * modelled)
    )
    return HeldOut(
        weeks=weeks,
        visits=float((rows.members * actual).sum()),
        model=errors_of(modelled, actual, rows.members),
        naive=errors_of(naive, actual, rows.members),
        classes=tuple(
            NextClass(number, members[number], visits[number] / members[number], meant[number] / members[number])
            for number in range(censor + 1)
            if members[number]
        ),
    )


def errors_of(guess: Floats, actual: Floats, members: Floats) -> Errors:
    """Return how far off a guess is, over members."""
    total, happened = float(members.sum()), float((members * actual).sum())
    off = float((members * np.abs(guess - actual)).sum())
    return Errors(
        mae=off / total,
        rmse=(float((members * (guess - actual) ** 2).sum()) / total) ** 0.5,
        wape=off / happened if happened else None,
        total=float((members * guess).sum()) / happened - 1 if happened else None,
    )


def _joined(classes: tuple[CountClass, ...]) -> list[CountClass]:
    """Join, from the last on, what too few are expected in to the class before."""
    joined = list(classes)
    while len(joined) > 1 and joined[-1].expected < LEAST_EXPECTED:
        last, before = joined.pop(), joined.pop()
        joined.append(CountClass(before.x, before.members + last.members, before.expected + last.expected))
    return joined
