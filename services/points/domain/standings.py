"""What an account counts, and where that puts it: counters bounded by the longest window, and the level's term."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from services.points.domain.calendar import Span, add_months, begins, day_of
from services.points.domain.tiers import MONTHS_KEPT, LastsKind, Measured, Tiers, Window, WindowKind

LEVELS_KEPT = 20
"""Of an account's history: a receipt that is later than all of these earns by the oldest of them."""

DAYS_KEPT, MONTHS_OF_CAPS_KEPT = 40, 13
"""For so long a late receipt finds how much of a cap its day, or its month, had used."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What counts towards levels, of a day, or of a month (then its first day)."""

    day: date
    spend_minor: int = 0
    points: int = 0
    visits: int = 0


@dataclass(frozen=True, slots=True)
class Counts:
    """An account's counters: of its whole life, and by day or month as far back as a window may reach."""

    spend_minor: int = 0
    visits: int = 0
    joined_at: datetime | None = None  # as members told it; None: not known here
    first_at: datetime | None = None  # of the earliest purchase
    last_at: datetime | None = None  # of the newest purchase
    active_at: datetime | None = None  # of what last kept points from lapsing
    tallies: tuple[Tally, ...] = ()  # ascending
    caps: Mapping[tuple[str, str], int] = field(default_factory=dict)  # used, by cap and period

    @property
    def member_since(self) -> datetime | None:
        """When the member joined, as far as it is known: else the earliest purchase."""
        return self.joined_at or self.first_at


NO_COUNTS = Counts()


@dataclass(frozen=True, slots=True)
class Reached:
    """A level, and from when on purchases earn by it."""

    level: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Grant:
    """A level given by hand: it holds beside the one that was reached, until its end."""

    level: str
    until: datetime | None = None  # None: until it is taken back
    note: str = ""  # commitment to the reason


@dataclass(frozen=True, slots=True)
class Standing:
    """Which level an account has, and why; all empty: the first one."""

    reached: tuple[Reached, ...] = ()  # ascending by `since`: what held, whether reached or given
    level: str = ""  # what was reached by counting
    until: datetime | None = None  # then it is renewed or lost, grace included; None: it stays
    met_on: date | None = None  # the day on which its needs were last found to be met
    next_level: str = ""  # begins at `next_at`
    next_at: datetime | None = None
    grant: Grant | None = None
    counted_from: datetime | None = None  # the counters began at nothing then

    def at(self, moment: datetime, first: str) -> str:
        """Return the level that held at `moment`; `first` before any other was reached."""
        return next((one.level for one in reversed(self.reached) if one.since <= moment), first)

    def now(self, first: str) -> str:
        """Return the level that holds now."""
        return self.reached[-1].level if self.reached else first


NO_STANDING = Standing()


def tallied(
    counts: Counts,
    tiers: Tiers,
    day: date,
    *,
    counted_from: date | None = None,
    spend_minor: int = 0,
    points: int = 0,
    visits: int = 0,
) -> Counts:
    """Return the counts with more (or less, after a refund) of one day; windows do not see what is before their own
    beginning."""
    tallies = counts.tallies
    if counted_from is None or day >= counted_from:
        by_day = tiers.window.kind in {WindowKind.ROLLING, WindowKind.JOINING}
        tallies = _added(tallies, Tally(day if by_day else day.replace(day=1), spend_minor, points, visits))
        if len(tallies) > len(counts.tallies):
            tallies = _compacted(tallies, tiers.window)
    return replace(
        counts,
        spend_minor=counts.spend_minor + spend_minor,
        visits=counts.visits + visits,
        tallies=tallies,
    )


def merged(one: Counts, other: Counts, tiers: Tiers) -> Counts:
    """Return the counts of two accounts that are one guest's."""
    tallies = one.tallies
    for tally in other.tallies:
        tallies = _added(tallies, tally)
    caps = dict(one.caps)
    for name, used in other.caps.items():
        caps[name] = caps.get(name, 0) + used
    return Counts(
        spend_minor=one.spend_minor + other.spend_minor,
        visits=one.visits + other.visits,
        joined_at=min((at for at in (one.joined_at, other.joined_at) if at), default=None),
        first_at=min((at for at in (one.first_at, other.first_at) if at), default=None),
        last_at=max((at for at in (one.last_at, other.last_at) if at), default=None),
        active_at=max((at for at in (one.active_at, other.active_at) if at), default=None),
        tallies=_compacted(tallies, tiers.window),
        caps=caps,
    )


def parted(counts: Counts, other: Counts) -> Counts:
    """Return the counts without what `other` had brought to them, as far as it is still there.

    Days that were put together by month meanwhile are taken from that month.
    """
    caps = {name: max(0, used - other.caps.get(name, 0)) for name, used in counts.caps.items()}
    tallies = counts.tallies
    for gone in other.tallies:
        tallies = _taken(tallies, gone)
    return replace(
        counts,
        spend_minor=max(0, counts.spend_minor - other.spend_minor),
        visits=max(0, counts.visits - other.visits),
        tallies=tallies,
        caps={name: used for name, used in caps.items() if used},
    )


def _taken(tallies: tuple[Tally, ...], gone: Tally) -> tuple[Tally, ...]:
    number = next((number for number in range(len(tallies) - 1, -1, -1) if tallies[number].day <= gone.day), None)
    if number is None:
        return tallies
    found = tallies[number]
    left = Tally(
        found.day,
        max(0, found.spend_minor - gone.spend_minor),
        max(0, found.points - gone.points),
        max(0, found.visits - gone.visits),
    )
    kept = (left,) if left.spend_minor or left.points or left.visits else ()
    return (*tallies[:number], *kept, *tallies[number + 1 :])


def _added(tallies: tuple[Tally, ...], more: Tally) -> tuple[Tally, ...]:
    """Add to the tally of its day, or of its month where the days of that were put together already."""
    for number in range(len(tallies) - 1, -1, -1):
        found = tallies[number]
        if found.day == more.day:
            summed = Tally(
                found.day,
                found.spend_minor + more.spend_minor,
                found.points + more.points,
                found.visits + more.visits,
            )
            return (*tallies[:number], summed, *tallies[number + 1 :])
        if found.day < more.day:
            return (*tallies[: number + 1], more, *tallies[number + 1 :])
    return (more, *tallies)


def _compacted(tallies: tuple[Tally, ...], window: Window) -> tuple[Tally, ...]:
    """Put days before the window (and the one before that) together by month, and what is older still into one."""
    if not tallies:
        return tallies
    newest = tallies[-1].day
    days_from = add_months(newest, -(2 * window.months + 1))
    months_from = add_months(newest.replace(day=1), -max(MONTHS_KEPT, 2 * window.months + 1))
    found: tuple[Tally, ...] = ()
    for tally in tallies:
        day = tally.day
        if day < months_from:
            day = found[0].day if found else day.replace(day=1)
        elif day < days_from:
            day = day.replace(day=1)
        found = _added(found, replace(tally, day=day))
    return found


def measure(
    counts: Counts, standing: Standing, tiers: Tiers, on: date, *, zone: str, lifetime: int, balance: int
) -> Measured:
    """Return the metrics over the window that `on` lies in, as far as they are counted; `lifetime`: points earned."""
    joined = day_of(counts.member_since, zone) if counts.member_since else on
    window = tiers.window
    if window.kind is WindowKind.LIFETIME and standing.counted_from is None:
        return Measured(counts.spend_minor, lifetime, counts.visits, balance)
    first = window.since(on, joined)
    last = window.period(on, joined)[1] if window.has_periods else date.max
    tallies = [tally for tally in counts.tallies if first <= tally.day < last]
    return Measured(
        sum(tally.spend_minor for tally in tallies),
        sum(tally.points for tally in tallies),
        sum(tally.visits for tally in tallies),
        balance,
    )


def term_end(tiers: Tiers, start: date, joined: date, zone: str) -> datetime | None:
    """Return when a level that begins (or is renewed) on `start` ends, grace included; None: not by itself."""
    last = term_last(tiers, start, joined)
    return None if last is None else begins(Span(days=tiers.lasts.grace_days).after(last), zone)


def term_last(tiers: Tiers, start: date, joined: date) -> date | None:
    """Return the first day after the term, without grace."""
    lasts = tiers.lasts
    if lasts.kind is LastsKind.MONTHS:
        return add_months(start, lasts.count)
    if lasts.kind is not LastsKind.PERIODS:
        return None
    end = tiers.window.period(start, joined)[1]
    for _ in range(lasts.count):
        end = tiers.window.period(end, joined)[1]
    return end


@dataclass(frozen=True, slots=True)
class TermsEnd:
    """The end of a level's term, grace left out."""

    last: date  # day of the term
    renewed_on: date  # from which the next term is counted
    is_renewable: bool  # else it ends whatever was counted
    counts_on: date  # the day whose window decides


def terms_end(counts: Counts, tiers: Tiers, until: datetime, zone: str) -> TermsEnd | None:
    """Return how the term ends that goes, with grace, to `until`; None: not at all, since levels last otherwise now."""
    first_after = day_of(until, zone) - timedelta(days=tiers.lasts.grace_days)
    last = first_after - timedelta(days=1)
    joined = day_of(counts.member_since, zone) if counts.member_since else last
    renewed_on = first_after if tiers.lasts.kind is LastsKind.MONTHS else last
    after = term_last(tiers, renewed_on, joined)
    if after is None:
        return None
    # A term to the end of the very period that a level is reached in cannot be renewed within that period.
    is_renewable = after > first_after
    return TermsEnd(last, renewed_on, is_renewable, counts_on=last if is_renewable else first_after)


def next_change(counts: Counts, standing: Standing, tiers: Tiers, zone: str) -> datetime | None:
    """Return when the level may next change by itself."""
    moments = [standing.until, standing.next_at, standing.grant.until if standing.grant else None]
    if tiers.lasts.kind is LastsKind.WHILE_MET and tiers.rank(standing.level) and counts.tallies:
        moments.append(_leaves(counts, standing, tiers, zone))
    return min((moment for moment in moments if moment is not None), default=None)


def _leaves(counts: Counts, standing: Standing, tiers: Tiers, zone: str) -> datetime | None:
    """Return when something that counts now begins to count no more."""
    window, met_on = tiers.window, standing.met_on
    if met_on is None:
        return None
    joined = day_of(counts.member_since, zone) if counts.member_since else met_on
    if window.has_periods:
        return begins(window.period(met_on, joined)[1], zone)
    if window.kind is not WindowKind.ROLLING:
        return None
    first = window.since(met_on, joined)
    oldest = next((tally.day for tally in counts.tallies if tally.day >= first), None)
    if oldest is None:
        return None
    leaves = add_months(oldest, window.months)
    while window.since(leaves, joined) <= oldest:
        leaves = Span(days=1).after(leaves)
    return begins(leaves, zone)


def used(counts: Counts, more: Mapping[tuple[str, str], int], newest: date) -> Counts:
    """Return the counts with more of caps used (negative: given back), without what is too old to matter."""
    if not more:
        return counts
    caps = dict(counts.caps)
    for name, amount in more.items():
        caps[name] = max(0, caps.get(name, 0) + amount)
    day = Span(days=-DAYS_KEPT).after(newest).isoformat()
    month = add_months(newest, -MONTHS_OF_CAPS_KEPT).isoformat()[: len("2026-03")]
    kept = {
        (cap, period): amount
        for (cap, period), amount in caps.items()
        if amount and (not period or period >= (day if len(period) == len(day) else month))
    }
    return replace(counts, caps=kept)
