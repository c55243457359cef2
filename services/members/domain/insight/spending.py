"""The gamma-gamma model: what a member's visits are worth, drawn towards everybody's mean where few are known.

A member's purchases are gamma-distributed (shape p) around a mean of its own, and those means over members so that 1 /
mean is (shape q, v). P. S. Fader, B. G. S. Hardie, "The Gamma-Gamma Model of Monetary Value" (2013). It takes what a
member spends to have nothing to do with how often it comes: `correlation` says how far that holds.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import gammaln, psi

from services.members.domain.insight.history import History
from services.members.domain.insight.purchase_rows import Floats, Ints

LEAST_MEMBERS = 30
STARTS = ((1.0, 2.0, 1.0), (6.0, 4.0, 0.5))
"""(p, q, v by the mean spend)."""

FROM, TO = 1e-4, 1e5
NEAR = 1.01
STEPS = 500


@dataclass(frozen=True, slots=True)
class Spends:
    """Members with a repeat visit: `x` such visits (1 or more), of `mean_minor` on the average (above 0), in minor
    units; `members` alike in both."""

    x: Ints
    mean_minor: Floats
    members: Floats


@dataclass(frozen=True, slots=True)
class Spending:
    """The model's parameters; `v` in minor units. All above 0."""

    p: float
    q: float
    v: float

    @property
    def mean_minor(self) -> float | None:
        """What a visit of somebody new is worth; None where the model's mean is infinite (q of 1 or less)."""
        return self.p * self.v / (self.q - 1) if self.q > 1 else None


@dataclass(frozen=True, slots=True)
class SpendingFit:
    """A fitted model. `correlation` (Pearson) of visits and mean spend should be near 0. `is_sound` is False where the
    search ended at a bound, or the mean is infinite: tell nothing from it then."""

    model: Spending
    log_likelihood: float
    correlation: float | None
    members: int
    is_sound: bool


def spend_of(history: History) -> tuple[int, float] | None:
    """Return a member's repeat visits and their mean spend in minor units; None without any, or where they come to 0.

    The first visit is left out, as it is in the purchase model.
    """
    repeats = history.frequency() - 1
    if repeats < 1:
        return None
    spent = history.sums.spend_minor - history.bought[0].spend_minor
    return (repeats, spent / repeats) if spent > 0 else None


def fit_spending(spends: Spends) -> SpendingFit | None:
    """Fit the model; None where fewer than 30 members have a repeat visit."""
    total = float(spends.members.sum())
    if total < LEAST_MEMBERS:
        return None
    scale = float((spends.members * spends.mean_minor).sum() / total)
    scaled = Spends(spends.x, spends.mean_minor / scale, spends.members)

    def loss(logs: Floats) -> tuple[float, Floats]:
        value, slope = _likelihood(_model(logs), scaled)
        return -value / total, -slope * np.exp(logs) / total

    bounds = [(float(np.log(FROM)), float(np.log(TO)))] * 3
    ends: list[Floats] = [
        minimize(
            loss, np.log(start), jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": STEPS}, tol=1e-12
        ).x
        for start in STARTS
    ]
    best = min(ends, key=lambda logs: loss(logs)[0])
    found = _model(best)
    model = Spending(found.p, found.q, found.v * scale)
    inside = bool(np.all((best > np.log(FROM * NEAR)) & (best < np.log(TO / NEAR))))
    return SpendingFit(
        model, log_likelihood(model, spends), correlation(spends), round(total), inside and model.mean_minor is not None
    )


def log_likelihood(model: Spending, spends: Spends) -> float:
    """Return the logarithm of the likelihood of all mean spends, in minor units."""
    return _likelihood(model, spends)[0]


def expected_minor(model: Spending, x: Ints, mean_minor: Floats) -> Floats:
    """Return what a visit of each member is expected to be worth; with an `x` of 0 `mean_minor` does not count.

    Infinite where p x + q is 1 or less.
    """
    paid = np.where(x > 0, x * mean_minor, 0.0)
    below = model.p * x + model.q - 1
    return np.where(below > 0, model.p * (model.v + paid) / np.where(below > 0, below, 1.0), np.inf)


def correlation(spends: Spends) -> float | None:
    """Return Pearson's correlation of visits and mean spend over members; None where either is the same for all."""
    weights = spends.members / spends.members.sum()
    often = spends.x - (weights * spends.x).sum()
    much = spends.mean_minor - (weights * spends.mean_minor).sum()
    spread = float((weights * often**2).sum() * (weights * much**2).sum())
    return float((weights * often * much).sum()) / spread**0.5 if spread > 0 else None


def _model(logs: Floats) -> Spending:
    return Spending(*np.exp(logs).tolist())


def _likelihood(model: Spending, spends: Spends) -> tuple[float, Floats]:
    """Return the log-likelihood, and its slope along p, q and v."""
    p, q, v = model.p, model.q, model.v
    distinct, place = np.unique(spends.x, return_inverse=True)
    shape = p * distinct
    by_x = gammaln(shape + q) - gammaln(shape) - gammaln(q) + q * np.log(v) + shape * np.log(distinct)
    x, paid, log_mean = spends.x, v + spends.x * spends.mean_minor, np.log(spends.mean_minor)
    log_paid = np.log(paid)
    value = by_x[place] + (p * x - 1) * log_mean - (p * x + q) * log_paid
    both, alone = psi(shape + q), psi(shape)
    slope_p = x * ((both - alone + np.log(distinct))[place] + log_mean - log_paid)
    slope_q = both[place] - psi(q) + np.log(v) - log_paid
    slope_v = q / v - (p * x + q) / paid
    return float((spends.members * value).sum()), np.array(
        [(spends.members * slope).sum() for slope in (slope_p, slope_q, slope_v)]
    )
