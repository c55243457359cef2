"""The second purchase: how many of those who came once come again, and how soon.

Two answers. `within` looks only at members whose first visit is so long ago that the days have passed for all of them.
`curve` uses everybody, also who came for the first time yesterday, by E. L. Kaplan and P. Meier, "Nonparametric
Estimation from Incomplete Observations", Journal of the American Statistical Association 53 (1958), 457-481; its errors
are M. Greenwood's (1926), on the log-log scale so that an interval stays between 0 and 1 (J. D. Kalbfleisch, R. L.
Prentice, "The Statistical Analysis of Failure Time Data", 1980).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log

from services.members.domain.insight.proportions import Share, Z, share_of

Firsts = Mapping[tuple[int, int | None], int]
"""Members who have bought, counted by (days since the first visit, days from it to the second; None: not yet)."""


@dataclass(frozen=True, slots=True)
class Point:
    """By `days` after the first visit the share `came` again, with 95 % between `low` and `high`; None beyond the time
    that anybody has been known."""

    days: int
    came: float | None
    low: float | None
    high: float | None


def within(firsts: Firsts, days: int) -> Share:
    """Return how many of the members whose first visit is at least `days` ago came again within so many days."""
    known = [(gap, count) for (age, gap), count in firsts.items() if age >= days]
    in_time = sum(count for gap, count in known if gap is not None and gap <= days)
    return share_of(in_time, sum(count for _, count in known))


def curve(firsts: Firsts, at: Sequence[int]) -> tuple[Point, ...]:
    """Return the share that came again by each of the days `at`, ascending; None where nobody was known so long."""
    again, waiting = Counter[int](), Counter[int]()
    for (age, gap), count in firsts.items():
        (waiting if gap is None else again)[age if gap is None else gap] += count
    days = sorted({*again, *waiting})
    left = sum(again.values()) + sum(waiting.values())
    last = days[-1] if days else -1
    away, error, found, place = 1.0, 0.0, [], 0
    for wanted in at:
        while place < len(days) and days[place] <= wanted:
            came = again[days[place]]
            away *= 1 - came / left if came else 1.0
            error += came / (left * (left - came)) if 0 < came < left else 0.0
            left -= came + waiting[days[place]]
            place += 1
        found.append(_point(wanted, away, error) if wanted <= last or away == 0 else Point(wanted, None, None, None))
    return tuple(found)


def _point(days: int, away: float, error: float) -> Point:
    if away in {0.0, 1.0}:
        return Point(days, 1 - away, 1 - away, 1 - away)
    spread = Z * error**0.5 / abs(log(away))
    return Point(days, 1 - away, 1 - away ** exp(-spread), 1 - away ** exp(spread))
