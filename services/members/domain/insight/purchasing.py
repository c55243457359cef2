"""The BG/NBD model: how often members buy, and when they silently stop, fitted to all of them at once.

While active a member buys at a rate of its own (Poisson), and after each purchase it becomes inactive with a chance of
its own; rates are gamma-distributed over members (shape r, rate alpha), chances beta-distributed (a, b). P. S. Fader,
B. G. S. Hardie, K. L. Lee, "'Counting Your Customers' the Easy Way: An Alternative to the Pareto/NBD Model", Marketing
Science 24 (2005), 275-284, equation 6; in logarithms as in P. S. Fader, B. G. S. Hardie, "Overcoming the BG/NBD Model's
#NUM! Error Problem" (2013).

The maximum is sought over the logarithms of the parameters, times scaled by the mean age, with the gradient in closed
form.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, gammaln, psi

from services.members.domain.insight.purchase_rows import Floats, Ints, Rows

STARTS = ((1.0, 1.0, 1.0, 1.0), (0.25, 0.1, 0.8, 2.5))
"""(r, alpha by the mean age, a, b): a neutral one, and one like many shops'."""

FROM, TO = 1e-5, 1e6
"""Between these a parameter is sought; at one of them the data do not say what it is."""

STEPS = 500
STEP = 1e-4
"""Of the differences that give the curvature at the maximum, in logarithms."""

NEAR = 1.01
LEAST_MEMBERS = 100
LEAST_REPEATERS = 30


@dataclass(frozen=True, slots=True)
class Purchasing:
    """The model's parameters; `alpha` in weeks. All above 0."""

    r: float
    alpha: float
    a: float
    b: float


@dataclass(frozen=True, slots=True)
class PurchasingFit:
    """A fitted model. `standard_errors` are of the parameters' logarithms, in their order (None: the maximum is flat).

    `is_sound` is False where the search did not end at a maximum within the bounds: tell nothing from it then.
    """

    model: Purchasing
    log_likelihood: float
    standard_errors: tuple[float, ...] | None
    members: int
    is_sound: bool


@dataclass(frozen=True, slots=True)
class _Table:
    """The rows, with each distinct x once (`x`) and where each row finds its own (`place`)."""

    rows: Rows
    x: Floats
    place: Ints
    again: Floats

    @staticmethod
    def of(rows: Rows) -> "_Table":
        x, place = np.unique(rows.x, return_inverse=True)
        return _Table(rows, x.astype(np.float64), place, (rows.x > 0).astype(np.float64))


def fit_purchasing(rows: Rows) -> PurchasingFit | None:
    """Fit the model; None where there are fewer than 100 members, or than 30 with a repeat visit, to learn from."""
    if rows.total < LEAST_MEMBERS or float(rows.members[rows.x > 0].sum()) < LEAST_REPEATERS:
        return None
    scale = float((rows.members * rows.age).sum() / rows.total)
    table = _Table.of(Rows(rows.x, rows.recency / scale, rows.age / scale, rows.members))

    def loss(logs: Floats) -> tuple[float, Floats]:
        value, slope = _likelihood(_model(logs), table)
        return -value / rows.total, -slope * np.exp(logs) / rows.total

    ends = [_lowest(loss, np.log(start)) for start in STARTS]
    best: Floats = min(ends, key=lambda logs: loss(logs)[0])
    inside = bool(np.all((best > np.log(FROM * NEAR)) & (best < np.log(TO / NEAR))))
    errors = _standard_errors(lambda logs: rows.total * loss(logs)[1], best)
    found = _model(best)
    model = Purchasing(found.r, found.alpha * scale, found.a, found.b)
    return PurchasingFit(model, log_likelihood(model, rows), errors, round(rows.total), inside and errors is not None)


def log_likelihood(model: Purchasing, rows: Rows) -> float:
    """Return the logarithm of the likelihood of all members, times in weeks."""
    return _likelihood(model, _Table.of(rows))[0]


def odds_of_having_stopped(model: Purchasing, rows: Rows) -> Floats:
    """Return for each row how much likelier it is that the member stopped after its last visit than that it did not.

    0 without a repeat visit: in this model nobody stops before the second.
    """
    x = np.maximum(rows.x, 1)
    logs = np.log(model.a / (model.b + x - 1)) + (model.r + x) * np.log1p(
        (rows.age - rows.recency) / (model.alpha + rows.recency)
    )
    with np.errstate(over="ignore"):  # beyond what a float can tell, somebody has stopped for certain
        return np.where(rows.x > 0, np.exp(logs), 0.0)


def _lowest(loss: Callable[[Floats], tuple[float, Floats]], start: Floats) -> Floats:
    bounds = [(float(np.log(FROM)), float(np.log(TO)))] * len(start)
    found: Floats = minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": STEPS, "ftol": 1e-14, "gtol": 1e-8}
    ).x
    return found


def _model(logs: Floats) -> Purchasing:
    return Purchasing(*np.exp(logs).tolist())


def _likelihood(model: Purchasing, table: _Table) -> tuple[float, Floats]:
    """Return the log-likelihood, and its slope along r, alpha, a and b."""
    r, alpha, a, b = model.r, model.alpha, model.a, model.b
    rows, x, place, again = table.rows, table.x, table.place, table.again
    by_x = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    by_x += gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
    bought_last = np.log(a) - np.log(np.where(x > 0, b + x - 1, 1.0))
    log_age, log_recency = np.log(alpha + rows.age), np.log(alpha + rows.recency)
    power = r + rows.x
    active, stopped = -power * log_age, bought_last[place] - power * log_recency
    stopped = np.where(again > 0, stopped, -np.inf)
    value = float((rows.members * (by_x[place] + np.logaddexp(active, stopped))).sum())
    share = rows.members * expit(stopped - active)  # of the members of a row, those who have stopped
    rest = rows.members - share
    many = np.bincount(place, rows.members, len(x))
    gone = np.bincount(place, share, len(x))
    slope_r = (many * (psi(r + x) - psi(r) + np.log(alpha))).sum() - (rest * log_age + share * log_recency).sum()
    slope_alpha = rows.total * r / alpha
    slope_alpha -= (power * (rest / (alpha + rows.age) + share / (alpha + rows.recency))).sum()
    slope_a = (many * (psi(a + b) - psi(a + b + x))).sum() + gone.sum() / a
    slope_b = (many * (psi(a + b) + psi(b + x) - psi(b) - psi(a + b + x))).sum()
    slope_b -= (gone / np.where(x > 0, b + x - 1, 1.0)).sum()
    return value, np.array([slope_r, slope_alpha, slope_a, slope_b])


def _standard_errors(slope: Callable[[Floats], Floats], logs: Floats) -> tuple[float, ...] | None:
    """Return the errors from the curvature at the maximum (observed information), by differences of the slope."""
    steps = STEP * np.eye(len(logs))
    curvature = np.array([(slope(logs + step) - slope(logs - step)) / (2 * STEP) for step in steps])
    curvature = (curvature + curvature.T) / 2
    if not np.all(np.linalg.eigvalsh(curvature) > 0):
        return None
    return tuple(np.sqrt(np.diag(np.linalg.inv(curvature))).tolist())
