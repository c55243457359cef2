"""Visit gaps ("latency"): how many days lie between a member's n-th visit and the next.

For a group of members and each n a histogram over whole days is kept. Histograms are added and subtracted, and their
quantiles are exact. A late receipt shifts every later n of its member: `changes` says what then comes out and what goes
in, so that the sum over members is always what counting anew gives.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

from services.members.domain.insight.history import NONE_GONE, Counting, Day, History
from services.members.domain.insight.quantiles import mean, quantiles

MOST_NUMBER = 30
"""Later gaps are counted with the 30th: few members have them, and by then habits have settled."""

MOST_DAYS = 1_830
"""Five years; a longer gap is counted as one of so many days, which moves the mean but no quartile that matters."""

QUARTILES = (Fraction(1, 4), Fraction(1, 2), Fraction(3, 4))

Bin = tuple[int, int]
"""(n, days)."""


@dataclass(frozen=True, slots=True)
class Gap:
    """The days from visit `number` (the first is 1), which was on the day with the ordinal `since`, to the next."""

    number: int
    since: int
    days: int


@dataclass(frozen=True, slots=True)
class Gaps:
    """A group's histograms: by n, the gaps of so many days."""

    bins: Mapping[int, Mapping[int, int]] = field(default_factory=dict)

    def of(self, number: int) -> Mapping[int, int]:
        """Return the histogram after visit `number`."""
        return self.bins.get(min(number, MOST_NUMBER), {})

    @property
    def all(self) -> Mapping[int, int]:
        """The histogram of all n together."""
        total: Counter[int] = Counter()
        for one in self.bins.values():
            total.update(one)
        return total


@dataclass(frozen=True, slots=True)
class Usual:
    """What is usual, in days: of `count` gaps the mean and the quartiles (type 7)."""

    count: int
    mean: float
    lower: float
    median: float
    upper: float


def gaps_of(history: History, counting: Counting = Counting.DAYS) -> tuple[Gap, ...]:
    """Return a member's gaps. Around days that are no longer kept there are none, but the later ones keep their n.

    Where each purchase is a visit, two on one day are 0 days apart.
    """
    gone = history.gone
    bought = history.bought
    if gone == NONE_GONE:
        return _run(bought, 1, counting)
    early = [one for one in bought if one.day < gone.first]
    late = [one for one in bought if one.day > gone.last]
    before = sum(_times(one, counting) for one in early)
    before += gone.purchases if counting is Counting.RECEIPTS else gone.visits
    return (*_run(early, 1, counting), *_run(late, before + 1, counting))


def counted(history: History, counting: Counting = Counting.DAYS) -> Counter[Bin]:
    """Return what a member adds to its group's histograms."""
    return Counter((min(one.number, MOST_NUMBER), min(one.days, MOST_DAYS)) for one in gaps_of(history, counting))


def changes(before: History, after: History, counting: Counting = Counting.DAYS) -> dict[Bin, int]:
    """Return what to add to the group's histograms when a member's history changes, below 0 where gaps come out.

    Whoever changes groups goes to the empty history in the one, and comes from it in the other.
    """
    difference = counted(after, counting)
    difference.subtract(counted(before, counting))
    return {one: count for one, count in sorted(difference.items()) if count}


def with_changes(gaps: Gaps, added: Mapping[Bin, int]) -> Gaps:
    """Return the histograms with these changes; a bin without a gap is left out."""
    bins = {number: dict(one) for number, one in gaps.bins.items()}
    for (number, days), count in added.items():
        histogram = bins.setdefault(number, {})
        histogram[days] = histogram.get(days, 0) + count
    return _without_nothing(bins)


def merged(parts: Iterable[Gaps]) -> Gaps:
    """Return the histograms of several groups together."""
    total: Counter[Bin] = Counter()
    for part in parts:
        total.update({(number, days): count for number, one in part.bins.items() for days, count in one.items()})
    return with_changes(Gaps(), total)


def usual(histogram: Mapping[int, int]) -> Usual | None:
    """Return what is usual in a histogram; None of nothing."""
    middle, quarters = mean(histogram), quantiles(histogram, QUARTILES)
    if middle is None or quarters is None:
        return None
    return Usual(sum(histogram.values()), middle, *quarters)


def usual_after(gaps: Gaps, number: int, *, least: int) -> Usual | None:
    """Return what is usual after visit `number`; of all n together where fewer than `least` are known of this one, and
    None where those are too few as well."""
    for histogram in (gaps.of(number), gaps.all):
        found = usual(histogram)
        if found and found.count >= least:
            return found
    return None


def _times(one: Day, counting: Counting) -> int:
    return one.purchases if counting is Counting.RECEIPTS else 1


def _run(bought: Sequence[Day], number: int, counting: Counting) -> tuple[Gap, ...]:
    visits = [one.day for one in bought for _ in range(_times(one, counting))]
    pairs = enumerate(pairwise(visits), start=number)
    return tuple(Gap(place, earlier, later - earlier) for place, (earlier, later) in pairs)


def _without_nothing(bins: Mapping[int, Mapping[int, int]]) -> Gaps:
    kept = {
        number: {days: count for days, count in sorted(one.items()) if count} for number, one in sorted(bins.items())
    }
    return Gaps({number: one for number, one in kept.items() if one})
