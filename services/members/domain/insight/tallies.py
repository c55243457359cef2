"""Tallies: how often a member did the same thing, for as many different things as fit."""

from collections.abc import Mapping
from dataclasses import dataclass, field

MOST_KEYS = 200
"""Of one tally: more different items than a guest has favourites among; about 5 kB at the most."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts by key; a key without a count is left out. A tally of what is taken back has counts below 0.

    What no longer fits, the least counted first, is added to `others`. While `others` is 0 the tally is exact and does
    not depend on any order; afterwards a key's true count lies between its own and that plus `others`.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    others: int = 0

    @property
    def total(self) -> int:
        """All that was counted."""
        return sum(self.counts.values()) + self.others

    def favourites(self, first: int) -> tuple[tuple[str, int], ...]:
        """Return the `first` most counted keys with their counts; of equal ones the key that sorts first."""
        seen = [(key, count) for key, count in self.counts.items() if count > 0]
        return tuple(sorted(seen, key=lambda one: (-one[1], one[0]))[:first])

    def share(self, key: str) -> float | None:
        """Return which part of all is `key`; None where nothing is counted."""
        return self.counts.get(key, 0) / self.total if self.total > 0 else None


NOTHING = Tally()


def tally(*keys: str) -> Tally:
    """Return a tally of these, each once for each time that it is named; empty ones (not known) are left out."""
    counts: dict[str, int] = {}
    for key in keys:
        if key:
            counts[key] = counts.get(key, 0) + 1
    return Tally(counts)


def added(one: Tally, other: Tally, *, sign: int = 1, most: int = MOST_KEYS) -> Tally:
    """Return both together, or with `sign` -1 the first less the other."""
    counts = dict(one.counts)
    for key, count in other.counts.items():
        counts[key] = counts.get(key, 0) + sign * count
    kept = sorted(((key, count) for key, count in counts.items() if count), key=lambda each: (-abs(each[1]), each[0]))
    gone = sum(count for _, count in kept[most:])
    return Tally(dict(sorted(kept[:most])), one.others + sign * other.others + gone)
