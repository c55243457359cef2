"""A level as it is shown: what it brings, how far it is to the next, and what would be lost when."""

from dataclasses import dataclass
from datetime import datetime

from services.points.domain.accounts import Account
from services.points.domain.calendar import day_of
from services.points.domain.programs import Programs
from services.points.domain.rules import POINTS
from services.points.domain.standings import measure
from services.points.domain.tiers import Benefit, Measured, Metric, Need


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one need is met."""

    metric: Metric
    has: int
    at_least: int

    @property
    def missing(self) -> int:
        """What is left to it."""
        return max(0, self.at_least - self.has)


@dataclass(frozen=True, slots=True)
class TierView:
    """Where a member stands; amounts in minor units of `currency`, which is empty before the first purchase."""

    level: str
    since: datetime | None
    until: datetime | None  # then it is renewed or lost; None: it stays
    given: bool  # by hand, above what was reached
    spend_minor: int  # what counts now
    currency: str
    next_level: str  # empty at the top, and where only an invitation leads higher
    reaches: tuple[Progress, ...]  # what the next level asks for
    any_of: int  # so many of these are enough
    begins_at: datetime | None  # the next level was reached, and begins then
    keeps: tuple[Progress, ...]  # what it takes to stay
    falls_to: str  # at `until`, as things stand; empty: nothing would be lost
    earn_permille: int
    benefits: tuple[Benefit, ...]

    @property
    def missing_minor(self) -> int:
        """What is still to be spent for the next level."""
        return max((one.missing for one in self.reaches if one.metric is Metric.SPEND), default=0)


def tier_of(account: Account, moment: datetime, programs: Programs) -> TierView:
    """Return where the account, brought to `moment`, stands."""
    program = programs.at(moment)
    tiers, standing, balance = program.tiers, account.standing, account.balance(POINTS)
    measured = measure(
        account.counts,
        standing,
        tiers,
        day_of(moment, programs.zone),
        zone=programs.zone,
        lifetime=balance.lifetime,
        balance=balance.available,
    )
    code = standing.now(tiers.levels[0].code)
    rank, reached = tiers.rank(code), tiers.rank(standing.level)
    level = tiers.levels[rank]
    above = next((one for one in tiers.levels[rank + 1 :] if one.needs), None)
    given = standing.grant is not None and rank > reached
    until = standing.grant.until if standing.grant is not None and given else standing.until
    keeps = level.needs if level.keeps is None else level.keeps
    return TierView(
        level=code,
        since=standing.reached[-1].since if standing.reached else None,
        until=until,
        given=given,
        spend_minor=measured.spend_minor,
        currency=account.currency,
        next_level=above.code if above else "",
        reaches=_progress(above.needs, measured) if above else (),
        any_of=(above.any_of or len(above.needs)) if above else 0,
        begins_at=standing.next_at,
        keeps=() if given or not rank or until is None else _progress(keeps, measured),
        falls_to=_falls_to(programs, moment, rank, reached, given=given) if until is not None else "",
        earn_permille=level.earn_permille,
        benefits=level.benefits,
    )


def _falls_to(programs: Programs, moment: datetime, rank: int, reached: int, *, given: bool) -> str:
    levels = programs.at(moment).tiers.levels
    return levels[reached if given else max(rank - 1, 0)].code


def _progress(needs: tuple[Need, ...], measured: Measured) -> tuple[Progress, ...]:
    return tuple(Progress(need.metric, measured.of(need.metric), need.at_least) for need in needs)
