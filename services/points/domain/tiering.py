"""An account's level: reviewed after what may change it, and when its time is over."""

from dataclasses import replace
from datetime import date, datetime, timedelta

from services.points.domain.accounts import Account
from services.points.domain.calendar import begins, day_of
from services.points.domain.drafts import Draft
from services.points.domain.dues import level_due_at, version_due_at
from services.points.domain.facts import TierChanged, TierReason
from services.points.domain.journal import EntryKind
from services.points.domain.programs import Program
from services.points.domain.rules import POINTS
from services.points.domain.standings import LEVELS_KEPT, Reached, Standing, measure, term_end, terms_end
from services.points.domain.tiers import Falls, LastsKind, Measured, Starts, Tiers, fallen, fitting, meets, stays

A_YEAR = timedelta(days=365)
"""In which a level that is lost and reached again is not reached anew: a refund and another purchase bring no gift."""


def measured(draft: Draft, tiers: Tiers, on: date) -> Measured:
    """Return what counts towards the account's level on a day."""
    return measured_of(draft.account, tiers, on, draft.programs.zone)


def measured_of(account: Account, tiers: Tiers, on: date, zone: str) -> Measured:
    """Return what counts towards an account's level on a day of `zone`."""
    balance = account.balance(POINTS)
    return measure(
        account.counts,
        account.standing,
        tiers,
        on,
        zone=zone,
        lifetime=balance.lifetime,
        balance=balance.available,
    )


def joined(draft: Draft, otherwise: date) -> date:
    """Return the day on which the member joined."""
    at = draft.account.counts.member_since
    return day_of(at, draft.programs.zone) if at else otherwise


def review(draft: Draft, program: Program, moment: datetime, *, purchase: str = "", repairs: bool = False) -> None:
    """Give the account the level that it has reached by `moment`; what was lost by a correction, if it `repairs`."""
    tiers, zone = program.tiers, draft.programs.zone
    today = day_of(moment, zone)
    standing = draft.account.standing
    rank, fit = tiers.rank(standing.level), fitting(tiers, measured(draft, tiers, today))
    if tiers.lasts.kind is LastsKind.WHILE_MET:
        if fit != rank:
            to = fit if fit > rank or tiers.falls is Falls.TO_FIT else rank - 1
            reason = TierReason.REACHED if to > rank else TierReason.CORRECTED if repairs else TierReason.NOT_MET
            _change(draft, tiers, to, moment, reason, purchase=purchase)
        draft.set_account(replace(draft.account, standing=replace(draft.account.standing, met_on=today)))
    elif fit > rank:
        _reach(draft, tiers, fit, moment, purchase)
    elif repairs and rank and not _was_met(draft, tiers, rank):
        _change(draft, tiers, fit, moment, TierReason.CORRECTED)
    elif repairs and standing.next_at is not None and tiers.rank(standing.next_level) > fit:
        draft.set_account(replace(draft.account, standing=replace(standing, next_level="", next_at=None)))
    elif rank and standing.until is None and tiers.lasts.kind in {LastsKind.PERIODS, LastsKind.MONTHS}:
        # It was reached when levels lasted for ever: its time begins now.
        until = term_end(tiers, today, joined(draft, today), zone)
        draft.set_account(replace(draft.account, standing=replace(standing, until=until)))
    for due in (level_due_at(draft.account, draft.programs), version_due_at(draft.account, draft.programs)):
        if due is not None:
            draft.due_by(due)


def end_term(draft: Draft, program: Program, moment: datetime) -> None:
    """Let happen what is due to the level at `moment`: one begins, one given by hand ends, one is renewed or lost."""
    tiers, standing = program.tiers, draft.account.standing
    if standing.grant is not None and standing.grant.until == moment:
        draft.set_account(replace(draft.account, standing=replace(standing, grant=None)))
        show(draft, tiers, moment, TierReason.GRANT_ENDED)
        standing = draft.account.standing
    if standing.next_at == moment:
        rank = tiers.rank(standing.next_level)
        draft.set_account(replace(draft.account, standing=replace(standing, next_level="", next_at=None)))
        if rank > tiers.rank(standing.level):
            _change(draft, tiers, rank, moment, TierReason.REACHED)
        standing = draft.account.standing
    if standing.until == moment:
        _renew(draft, tiers, moment)
    elif tiers.lasts.kind is LastsKind.WHILE_MET:
        review(draft, program, moment)


def _reach(draft: Draft, tiers: Tiers, rank: int, moment: datetime, purchase: str) -> None:
    standing, zone = draft.account.standing, draft.programs.zone
    if tiers.starts is Starts.AT_ONCE or not tiers.window.has_periods:
        _change(draft, tiers, rank, moment, TierReason.REACHED, purchase=purchase)
        return
    today = day_of(moment, zone)
    if standing.next_at is None or tiers.rank(standing.next_level) < rank:
        begin = begins(tiers.window.period(today, joined(draft, today))[1], zone)
        standing = replace(standing, next_level=tiers.levels[rank].code, next_at=begin)
        draft.set_account(replace(draft.account, standing=standing))


def _was_met(draft: Draft, tiers: Tiers, rank: int) -> bool:
    """Tell whether the level is still right by what counted when it was reached or renewed."""
    on, level = draft.account.standing.met_on, tiers.levels[rank]
    if on is None:
        return True
    then = measured(draft, tiers, on)
    return meets(level.needs, level.any_of, then) or stays(level, then)


def _renew(draft: Draft, tiers: Tiers, moment: datetime) -> None:
    """Renew the level for what was counted in its term, or let the member fall."""
    zone, standing = draft.programs.zone, draft.account.standing
    rank = tiers.rank(standing.level)
    ends = terms_end(draft.account.counts, tiers, moment, zone)
    if ends is None:
        draft.set_account(replace(draft.account, standing=replace(standing, until=None)))
        return
    counted = measured(draft, tiers, ends.counts_on)
    if ends.is_renewable and rank and stays(tiers.levels[rank], counted):
        until = term_end(tiers, ends.renewed_on, joined(draft, ends.last), zone)
        draft.set_account(replace(draft.account, standing=replace(standing, until=until, met_on=ends.last)))
        return
    _change(draft, tiers, fallen(tiers, rank, counted), moment, TierReason.ENDED)


def _change(draft: Draft, tiers: Tiers, rank: int, moment: datetime, reason: TierReason, *, purchase: str = "") -> None:
    """Count the account as having reached another level at `moment`."""
    zone = draft.programs.zone
    today = day_of(moment, zone)
    counts, standing = draft.account.counts, draft.account.standing
    if tiers.counts_anew:
        counts = replace(counts, tallies=())
    standing = replace(
        standing,
        level=tiers.levels[rank].code if rank else "",
        until=term_end(tiers, today, joined(draft, today), zone) if rank else None,
        met_on=today if rank else None,
        next_level="" if tiers.rank(standing.next_level) <= rank else standing.next_level,
        next_at=None if tiers.rank(standing.next_level) <= rank else standing.next_at,
        counted_from=moment if tiers.counts_anew else standing.counted_from,
    )
    draft.set_account(replace(draft.account, counts=counts, standing=standing))
    show(draft, tiers, moment, reason, purchase=purchase)


def show(
    draft: Draft, tiers: Tiers, moment: datetime, reason: TierReason, *, purchase: str = "", again: bool = False
) -> None:
    """Note the level that holds from `moment` on, reached or given by hand, where it is another than before.

    `again`: the guest had it already, under another name.
    """
    standing, first = draft.account.standing, tiers.levels[0].code
    level = held(standing, tiers)
    before = standing.now(first)
    if level == before:
        return
    reached = (*standing.reached, Reached(level, moment))[-LEVELS_KEPT:]
    draft.set_account(replace(draft.account, standing=replace(standing, reached=reached)))
    draft.post(EntryKind.LEVEL, currency=POINTS, occurred_at=moment, reference=level, by_itself=True)
    told = TierChanged(
        draft.account.id,
        before,
        level,
        moment,
        reason,
        purchase,
        falls=tiers.rank(level) < tiers.rank(before),
        again=again or any(one.level == level and one.since > moment - A_YEAR for one in standing.reached),
    )
    draft.happened.append(told)


def held(standing: Standing, tiers: Tiers) -> str:
    """Return the higher of what was reached and what was given by hand."""
    rank = tiers.rank(standing.level)
    if standing.grant is not None:
        rank = max(rank, tiers.rank(standing.grant.level))
    return tiers.levels[rank].code
