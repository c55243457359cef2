"""Shares with how sure they are.

The interval is Wilson's (E. B. Wilson, Journal of the American Statistical Association 22 (1927), 209-212), which holds
for small counts and for shares near 0 and 1 (L. D. Brown, T. T. Cai, A. DasGupta, Statistical Science 16 (2001),
101-133).
"""

from dataclasses import dataclass

Z = 1.959963984540054
"""The 97.5th percentile of the standard normal distribution: intervals are to 95 %."""


@dataclass(frozen=True, slots=True)
class Share:
    """`count` of `of`; the share lies between `low` and `high` with 95 %. All None where there is nothing to share."""

    count: int
    of: int
    share: float | None
    low: float | None
    high: float | None


def share_of(count: int, of: int) -> Share:
    """Return `count` of `of` as a share; 0 <= count <= of."""
    if of == 0:
        return Share(count, of, None, None, None)
    found = count / of
    middle = (found + Z**2 / (2 * of)) / (1 + Z**2 / of)
    half = Z / (1 + Z**2 / of) * (found * (1 - found) / of + Z**2 / (4 * of**2)) ** 0.5
    # At the ends the interval ends there too; rounding would leave a trace.
    low = 0.0 if count == 0 else max(0.0, middle - half)
    return Share(count, of, found, low, 1.0 if count == of else min(1.0, middle + half))
