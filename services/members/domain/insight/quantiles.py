"""Quantiles of whole numbers that are kept as counts, exact however many there are.

Type 7 of R. J. Hyndman and Y. Fan, "Sample Quantiles in Statistical Packages", The American Statistician 50 (1996),
361-365: of n sorted values the quantile p lies at position (n - 1) p, counted from 0, and between two values on the
straight line that joins them. It is what R and numpy take unless told otherwise.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import accumulate


def quantiles(counts: Mapping[int, int], shares: Sequence[float | Fraction]) -> tuple[float, ...] | None:
    """Return the quantile for each of `shares` (0 to 1) of values with their counts; None of nothing."""
    values = sorted(value for value, count in counts.items() if count > 0)
    if not values:
        return None
    ends = list(accumulate(counts[value] for value in values))
    return tuple(_at((ends[-1] - 1) * Fraction(share), values, ends) for share in shares)


def mean(counts: Mapping[int, int]) -> float | None:
    """Return the mean of values with their counts; None of nothing."""
    total = sum(counts.values())
    return sum(value * count for value, count in counts.items()) / total if total else None


def _at(position: Fraction, values: Sequence[int], ends: Sequence[int]) -> float:
    below = int(position)
    low = values[bisect_right(ends, below)]
    high = values[min(bisect_right(ends, below + 1), len(values) - 1)]
    return float(low + (position - below) * (high - low))
