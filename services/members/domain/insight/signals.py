"""Signals: somebody came back much sooner than usual (an opportunity), or stays away longer than usual (overdue).

After J. Novo, "Drilling Down" (3rd ed., 2004), where "latency" is compared with that of the group after the same number
of purchases. Each signal belongs to one gap and is raised once for it; a gap is known by the day on which it began. So
at most two are open: one for the last closed gap, one for the gap that is still open.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from math import floor

from services.members.domain.insight.gaps import Gaps, Usual, gaps_of, usual_after
from services.members.domain.insight.history import Counting, History


class SignalKind(StrEnum):
    """Which way it is unusual."""

    OPPORTUNITY = "opportunity"
    OVERDUE = "overdue"


@dataclass(frozen=True, slots=True)
class Watch:
    """A chain's policy. Overdue is who stays away longer than the upper quartile, or where `overdue_multiple` is given,
    than so many times the median. With fewer than `least` gaps to compare with there is no signal."""

    overdue_multiple: float | None = None
    least: int = 30


@dataclass(frozen=True, slots=True)
class Signal:
    """`due_on` is the first day (ordinal) on which it holds; `limit_days` is what the gap is compared with."""

    kind: SignalKind
    number: int
    since: int
    due_on: int
    limit_days: float

    @property
    def key(self) -> str:
        """What it is raised once by, among its member's."""
        return f"{self.kind.value}:{self.since}"


def signals(history: History, gaps: Gaps, watch: Watch, *, counting: Counting = Counting.DAYS) -> tuple[Signal, ...]:
    """Return the signals of the last two gaps, raised or not, due or not, the earliest first.

    An opportunity is due with the visit that closed the gap. Overdue falls due on a day that is known beforehand, and
    only a visit, or other histograms, move it.
    """
    if history.last_day is None:
        return ()
    number = history.frequency(counting)
    closed = gaps_of(history, counting)[-1:]
    found: list[Signal] = []
    for gap in closed:
        before = usual_after(gaps, gap.number, least=watch.least)
        if gap.number == number - 1 and before and gap.days < before.lower:
            found.append(Signal(SignalKind.OPPORTUNITY, gap.number, gap.since, history.last_day, before.lower))
    then = usual_after(gaps, number, least=watch.least)
    if then:
        limit = _limit(then, watch)
        due_on = history.last_day + floor(limit) + 1
        found.append(Signal(SignalKind.OVERDUE, number, history.last_day, due_on, limit))
    return tuple(found)


def due(found: Collection[Signal], *, raised: Collection[str], today: int) -> tuple[Signal, ...]:
    """Return what is to be raised now: due on or before `today`, and its key not among those `raised`."""
    return tuple(one for one in found if one.due_on <= today and one.key not in raised)


def due_on(found: Collection[Signal], *, raised: Collection[str]) -> int | None:
    """Return the first day on which something is to be raised, to be kept beside the member and found by an index.

    Whoever finds the day looks at the member anew: where the group's histograms have moved it, the later day is kept.
    """
    return min((one.due_on for one in found if one.key not in raised), default=None)


def still_raised(found: Collection[Signal], raised: Collection[str]) -> tuple[str, ...]:
    """Return the keys worth keeping, sorted: those of gaps that can still have a signal. At most two."""
    return tuple(sorted({one.key for one in found} & set(raised)))


def _limit(then: Usual, watch: Watch) -> float:
    return then.upper if watch.overdue_multiple is None else watch.overdue_multiple * then.median
