"""RFM classes: how recently, how often and for how much a member bought, each from 1 to 5 (best).

A. M. Hughes, "Strategic Database Marketing" (1994); J. R. Bult and T. Wansbeek, "Optimal Selection for Direct Mail",
Marketing Science 14 (1995), 378-394. The three are classed apart from each other ("independent"), by four cuts each:
quintiles of the members who have bought (type 7), or what the chain sets. A value belongs to the class above a cut only
where it is better than the cut, so equal values are always in the same class, whatever their order; where many are
equal, as after one visit, classes between them stay empty.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from services.kit.errors import Kind, Problem
from services.members.domain.insight.quantiles import quantiles

CLASSES = 5
QUINTILES = tuple(Fraction(number, CLASSES) for number in range(1, CLASSES))

Cut = tuple[float, ...]
"""Four values, none below the one before."""


class InvalidCutsError(Problem):
    """These RFM limits are not right: {why}."""

    kind = Kind.INVALID
    code = "INVALID_RFM"


@dataclass(frozen=True, slots=True)
class Cuts:
    """What parts the classes: days since the last visit, visits, and money in minor units, each ascending."""

    recency_days: Cut
    frequency: Cut
    spend_minor: Cut


@dataclass(frozen=True, slots=True, order=True)
class Classes:
    """1 to 5 each; 5 is recent, often, much."""

    recency: int
    frequency: int
    monetary: int

    @property
    def cell(self) -> str:
        """As it is usually written: "555" to "111"."""
        return f"{self.recency}{self.frequency}{self.monetary}"


def check_cuts(cuts: Cuts, *, field: str) -> None:
    """Refuse what does not part five classes."""
    for name, cut in (
        ("recencyDays", cuts.recency_days),
        ("frequency", cuts.frequency),
        ("spendMinor", cuts.spend_minor),
    ):
        if len(cut) != CLASSES - 1:
            raise InvalidCutsError(field=f"{field}.{name}", why="four limits part five classes")
        if any(later < earlier for earlier, later in pairwise(cut)):
            raise InvalidCutsError(field=f"{field}.{name}", why="limits are given in their order")


def quintiles(
    recency_days: Mapping[int, int], frequency: Mapping[int, int], spend_minor: Mapping[int, int]
) -> Cuts | None:
    """Return the cuts of members who have bought, counted by each value; None where nobody has."""
    found = tuple(quantiles(counts, QUINTILES) for counts in (recency_days, frequency, spend_minor))
    recency, often, much = found
    return None if recency is None or often is None or much is None else Cuts(recency, often, much)


def classes(cuts: Cuts, *, recency_days: int, frequency: int, spend_minor: int) -> Classes:
    """Return the member's classes; for one who has never bought there are none to ask for."""
    return Classes(
        CLASSES - bisect_right(cuts.recency_days, recency_days),  # fewer days are better
        1 + bisect_left(cuts.frequency, frequency),
        1 + bisect_left(cuts.spend_minor, spend_minor),
    )
