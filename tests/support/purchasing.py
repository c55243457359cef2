"""Members who behave as the purchase model says, made with a seed, one after the other."""

import numpy as np
import numpy.typing as npt

from services.members.domain.insight.purchasing import Purchasing

Ints = npt.NDArray[np.int64]


def simulated(model: Purchasing, *, members: int, seed: int, weeks: float = 52.0) -> tuple[Ints, Ints, Ints]:
    """Return each member's repeat visits and, in whole days, when the last was and since when it is known.

    Members join in the first half of `weeks`, which end for all at the same moment.
    """
    return observed(model, members=members, seed=seed, weeks=weeks)[:3]


def observed(
    model: Purchasing, *, members: int, seed: int, weeks: float, next_weeks: float = 0.0
) -> tuple[Ints, Ints, Ints, Ints]:
    """Return the same, and how often each came in the `next_weeks`."""
    random = np.random.default_rng(seed)
    age_days = random.integers(round(weeks * 3.5), round(weeks * 7), members)
    rates = random.gamma(model.r, 1 / model.alpha, members) / 7
    stops = random.geometric(np.maximum(random.beta(model.a, model.b, members), 1e-9))
    x, recency, later = (np.zeros(members, dtype=np.int64) for _ in range(3))
    at = np.zeros(members)
    active = np.ones(members, dtype=bool)
    while active.any():
        at = at + random.exponential(1 / np.maximum(rates, 1e-12), members)
        active &= at <= age_days + next_weeks * 7
        now = active & (at <= age_days)
        x[now] += 1
        recency[now] = np.floor(at[now]).astype(np.int64)
        later[active & ~now] += 1
        active &= x + later < stops
    return x, recency, age_days, later
