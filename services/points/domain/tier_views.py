"""A level as it is shown: what it brings, how far it is to the next, and what would be lost when."""

from dataclasses import dataclass
from datetime import datetime

from services.points.domain.accounts import Account
from services.points.domain.calendar import day_of
from services.points.domain.programs import Programs
from services.points.domain.standings import terms_end
from services.points.domain.tiering import measured_of
from services.points.domain.tiers import Benefit, Measured, Metric, Need, Tiers, fallen, stays


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
    keeps: tuple[Progress, ...]  # what it takes to stay, counted in the term; none: nothing renews it, or need to
    falls_to: str  # at `until`, as things stand; empty: nothing would be lost
    earn_permille: int
    benefits: tuple[Benefit, ...]

    @property
    def missing_minor(self) -> int:
        """What is still to be spent for the next level."""
        return max((one.missing for one in self.reaches if one.metric is Metric.SPEND), default=0)


def tier_of(account: Account, moment: datetime, programs: Programs) -> TierView:
    """Return where the account, brought to `moment`, stands."""
    tiers, standing = programs.at(moment).tiers, account.standing
    measured = measured_of(account, tiers, day_of(moment, programs.zone), programs.zone)
    code = standing.now(tiers.levels[0].code)
    rank, reached = tiers.rank(code), tiers.rank(standing.level)
    level = tiers.levels[rank]
    above = next((one for one in tiers.levels[rank + 1 :] if one.needs), None)
    given = standing.grant is not None and rank > reached
    until = standing.grant.until if standing.grant is not None and given else standing.until
    keeps, stands = _after_term(account, tiers, reached, programs.zone)
    if given and (standing.until is None or until is None or standing.until > until):  # the term outlasts the grant
        stands = reached
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
        keeps=() if given else keeps,
        falls_to=tiers.levels[stands].code if until is not None and stands < rank else "",
        earn_permille=level.earn_permille,
        benefits=level.benefits,
    )


def _after_term(account: Account, tiers: Tiers, reached: int, zone: str) -> tuple[tuple[Progress, ...], int]:
    """Return how far it is met what renews the level that was reached, and which rank it is after its term.

    Both as `tiering` will find them when the term ends, if nothing more is counted until then.
    """
    until = account.standing.until
    ends = terms_end(account.counts, tiers, until, zone) if until is not None and reached else None
    if ends is None:
        return (), reached
    level, counted = tiers.levels[reached], measured_of(account, tiers, ends.counts_on, zone)
    if not ends.is_renewable:
        return (), fallen(tiers, reached, counted)
    keeps = _progress(level.needs if level.keeps is None else level.keeps, counted)
    return keeps, reached if stays(level, counted) else fallen(tiers, reached, counted)


def _progress(needs: tuple[Need, ...], measured: Measured) -> tuple[Progress, ...]:
    return tuple(Progress(need.metric, measured.of(need.metric), need.at_least) for need in needs)
