"""Before and after a date: what the same members did in as many days on either side of it.

Each member is its own comparison (paired). The interval is the percentile interval of the mean difference over members
drawn anew (B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap", 1993, ch. 13). A date alone proves nothing:
members who are chosen for having come often come less often afterwards by themselves. So a group that the date did not
concern can be given, and what changed there is taken off (difference in differences).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

ROUNDS = 2_000
ROUNDS_AT_ONCE = 100
LOW, HIGH = 0.025, 0.975
LEAST_MEMBERS = 10

Pairs = Mapping[tuple[int, int], int]
"""Members counted by (before, after): visits, or minor units."""


@dataclass(frozen=True, slots=True)
class Change:
    """Means over `members`; `difference` is after less before, less that of the others where there are such, and lies
    between `low` and `high` with 95 % (None: fewer than ten members in a group)."""

    members: int
    before: float | None
    after: float | None
    difference: float | None
    low: float | None
    high: float | None

    @property
    def is_clear(self) -> bool:
        """The interval does not hold 0."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high


def change(pairs: Pairs, *, seed: int, others: Pairs | None = None, rounds: int = ROUNDS) -> Change:
    """Compare; the same seed gives the same answer."""
    members = sum(pairs.values())
    if not members or (others is not None and not sum(others.values())):
        return Change(members, None, None, None, None, None)
    before = sum(one * count for (one, _), count in pairs.items()) / members
    after = sum(one * count for (_, one), count in pairs.items()) / members
    difference = after - before - (_mean(others) if others is not None else 0.0)
    if min(members, members if others is None else sum(others.values())) < LEAST_MEMBERS:
        return Change(members, before, after, difference, None, None)
    random = np.random.default_rng(seed)
    drawn = _drawn(pairs, random, rounds)
    if others is not None:
        drawn = drawn - _drawn(others, random, rounds)
    low, high = np.quantile(drawn, [LOW, HIGH]).tolist()
    return Change(members, before, after, difference, low, high)


def _mean(pairs: Pairs) -> float:
    return sum((after - before) * count for (before, after), count in pairs.items()) / sum(pairs.values())


def _drawn(pairs: Pairs, random: np.random.Generator, rounds: int) -> Floats:
    """Return the mean difference of `rounds` groups drawn from these members with replacement."""
    counts: dict[int, int] = {}
    for (before, after), count in pairs.items():
        counts[after - before] = counts.get(after - before, 0) + count
    steps = np.array(sorted(counts), dtype=np.float64)
    members = sum(counts.values())
    chances = np.array([counts[step] for step in sorted(counts)]) / members
    parts = [
        random.multinomial(members, chances, min(ROUNDS_AT_ONCE, rounds - begin)) @ steps / members
        for begin in range(0, rounds, ROUNDS_AT_ONCE)
    ]
    return np.concatenate(parts)
