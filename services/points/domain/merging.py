"""Two members are one: their accounts become one, and, when that was wrong, two again."""

from dataclasses import replace
from datetime import datetime

from services.kit.errors import Kind, Problem
from services.points.domain.accounts import Balances
from services.points.domain.books import MOST_MERGES, Posted, Work
from services.points.domain.carrying import Link, captured_lots, carry, fasten, loosen
from services.points.domain.commands import Merge, Split
from services.points.domain.drafts import Draft
from services.points.domain.due import advance, settle
from services.points.domain.facts import TierReason
from services.points.domain.journal import EntryKind
from services.points.domain.moving import go_over
from services.points.domain.rules import POINTS
from services.points.domain.standings import NO_STANDING, Grant, Standing, parted
from services.points.domain.tiering import review, show
from services.points.domain.tiers import Tiers
from services.points.domain.ties import Brought


class TooManyMergesError(Problem):
    """More than {most} accounts would have gone into one another, one after the other."""

    kind = Kind.REFUSED
    code = "TOO_MANY_MERGES"


def merge(work: Work, command: Merge) -> Posted:
    """Close the account and open all that it has in the other's, or in the one where that has gone itself.

    Nothing happens where both are one already.
    """
    source = work.draft(command.account, opens=True, follow=False)
    target = work.draft(command.into, opens=True)
    if source.account.merged_into or target is source:
        return Posted(source.account, repeated_call=True)
    _join(work, source, target, command.at, merge=command.merge, meant=command.into)
    for draft in (target, source):
        _review(work, draft, command.at)
        work.tell_postings(draft)
    return Posted(source.account, entry=source.entries[-1].id)


def split(work: Work, command: Split) -> Posted:
    """Give the account back what is left of what it brought by that merge, from wherever that has gone since.

    Nothing happens where that merge did not take place, or is undone already. What went into `account` by name after it
    had gone itself goes back with it.
    """
    source = work.draft(command.account, follow=False)
    brought = source.account.ties.brought
    if brought is None or brought.merge != command.merge:
        return Posted(source.account, repeated_call=True)
    target = work.draft(command.account)
    companions = _companions(work, source, target)
    _part(work, source, brought, command.at)
    for one in companions:
        theirs = one.account.ties.brought
        assert theirs is not None  # noqa: S101 - narrows the type: it meant somebody
        _part(work, one, theirs, command.at)
        _join(work, one, source, command.at, merge=theirs.merge, meant=theirs.meant)
    for draft in (target, source, *companions):
        _review(work, draft, command.at, repairs=True)
        work.tell_postings(draft)
    return Posted(source.account, entry=source.entries[-1].id)


def _companions(work: Work, source: Draft, target: Draft) -> list[Draft]:
    """Return who meant `source`, or one of these, and went into where that had gone itself."""
    meant = {source.account.id}
    family = work.family(target)
    for _ in family:
        meant |= {one.account.id for one in family if _meant(one) in meant}
    return [one for one in family if _meant(one) in meant and one.account.merged_into not in meant]


def _meant(draft: Draft) -> str:
    brought = draft.account.ties.brought
    return brought.meant if brought is not None else ""


def _review(work: Work, draft: Draft, at: datetime, *, repairs: bool = False) -> None:
    if draft.account.merged_into:
        return
    settle(draft, at)
    moment = draft.account.as_of
    assert moment is not None  # noqa: S101 - narrows the type: `advance` set it
    review(draft, work.programs.at(moment), moment, repairs=repairs)
    settle(draft, moment)
    draft.settle_due()


def _join(work: Work, source: Draft, target: Draft, at: datetime, *, merge: str, meant: str) -> None:
    _check_depth(work, source)
    advance(source, at)
    advance(target, at)
    tiers = work.programs.at(at).tiers
    had, was = source.account, target.account
    lots, holds = go_over(work, source, target, at)
    froze = had.frozen and not was.frozen
    if froze:
        _freeze(target, at, frozen=True, reference=had.id)
    brought = Brought(
        merge=merge,
        into=was.id,
        meant=meant,
        lots=frozenset(lot.id for lot in lots),
        holds=frozenset(hold.id for hold in holds),
        debt={currency: held.debt for currency, held in had.balances.items() if held.debt},
        lifetime={currency: held.lifetime for currency, held in had.balances.items() if held.lifetime},
        counts=had.counts,
        froze=froze,
        standing=replace(was.standing, reached=()),
    )
    been_in = (*(one for one in had.ties.been_in if one != was.id), was.id)
    source.set_account(replace(source.account, ties=replace(had.ties, been_in=been_in, brought=brought)))
    joined = tuple(sorted({*was.ties.joined, had.id}))
    target.set_account(replace(target.account, ties=replace(target.account.ties, joined=joined)))
    _take_level(target, had.standing, tiers, at)


def _check_depth(work: Work, source: Draft) -> None:
    """Refuse what following could not reach the end of."""
    deepest = max(len(work.path(one.account.id)) for one in work.family(source))
    if deepest + 1 > MOST_MERGES:
        raise TooManyMergesError(field="memberId", most=MOST_MERGES)


def _freeze(draft: Draft, at: datetime, *, frozen: bool, reference: str) -> None:
    kind = EntryKind.FROZEN if frozen else EntryKind.UNFROZEN
    draft.post(kind, currency=POINTS, occurred_at=at, reference=reference)
    draft.set_account(replace(draft.account, frozen=frozen))


def _take_level(draft: Draft, theirs: Standing, tiers: Tiers, at: datetime) -> None:
    """Let the higher of two levels hold, with its end; so the higher of two that were given by hand."""
    mine = draft.account.standing
    if _lasts(tiers, theirs.level, theirs.until) > _lasts(tiers, mine.level, mine.until):
        mine = replace(mine, level=theirs.level, until=theirs.until, met_on=theirs.met_on)
    if _given(tiers, theirs.grant) > _given(tiers, mine.grant):
        mine = replace(mine, grant=theirs.grant)
    draft.set_account(replace(draft.account, standing=mine))
    show(draft, tiers, _moment(draft, at), TierReason.REACHED, again=True)


def _lasts(tiers: Tiers, level: str, until: datetime | None) -> tuple[int, bool, float]:
    """Return what sorts levels, and of the same the one that lasts longer."""
    rank = tiers.rank(level)
    return (rank, until is None, until.timestamp() if until else 0.0) if rank else (0, False, 0.0)


def _given(tiers: Tiers, grant: Grant | None) -> tuple[int, bool, float]:
    return (-1, False, 0.0) if grant is None else _lasts(tiers, grant.level, grant.until)


def _moment(draft: Draft, at: datetime) -> datetime:
    return draft.account.as_of or at


def _part(work: Work, source: Draft, brought: Brought, at: datetime) -> None:
    """Give back to `source` what is there of what it brought; whom it passed through has brought less then."""
    target = work.draft(source.account.id)
    between = work.path(source.account.id)[1:]
    advance(target, at)
    now, has = target.account, source.account
    active = max((one for one in (brought.counts.active_at, now.counts.active_at) if one), default=None)
    counts, ties = replace(brought.counts, active_at=active), replace(has.ties, brought=None)
    # Due at once, so that what fell due to its level meanwhile happens now.
    source.set_account(replace(has, merged_into="", counts=counts, ties=ties, due_at=at))
    _carry_back(work, Link(target, source, at, EntryKind.SPLIT_OFF, EntryKind.SPLIT_FROM), brought)
    for one in between:
        theirs = one.account.ties.brought
        if theirs is not None:
            less = theirs.less(brought, parted(theirs.counts, brought.counts))
            one.set_account(replace(one.account, ties=replace(one.account.ties, brought=less)))
    target.set_account(replace(target.account, counts=parted(now.counts, brought.counts)))
    if brought.froze and target.account.frozen:
        _freeze(target, at, frozen=False, reference=has.id)
    _give_level_back(target, has.standing, brought, work.programs.at(at).tiers, at)
    advance(source, at)


def _carry_back(work: Work, link: Link, brought: Brought) -> None:
    target = link.source
    holds = [hold for hold in target.open_holds() if hold.id in brought.holds]
    loosen(link, holds)
    lots = [lot for id_, lot in sorted(target.lots.items()) if id_ in brought.lots and lot.free]
    held = {lot.currency for lot in lots}
    for currency in sorted({*brought.debt, *brought.lifetime, *held}) or (POINTS,):
        has = target.account.balance(currency)
        owes = Balances(
            debt=min(brought.debt.get(currency, 0), has.debt),
            lifetime=min(brought.lifetime.get(currency, 0), has.lifetime),
        )
        some = [lot for lot in lots if lot.currency == currency]
        carry(work, link, currency, some + captured_lots(work, link, holds, currency, some), owes=owes)
    fasten(work, link, holds)


def _give_level_back(draft: Draft, theirs: Standing, brought: Brought, tiers: Tiers, at: datetime) -> None:
    """Let the level that came by the merge, reached or given, go with who brought it; and what it hid hold again."""
    mine, was = draft.account.standing, brought.standing
    moment = _moment(draft, at)
    if draft.account.id != brought.into:
        was = NO_STANDING  # what it hid stands with the account between, which has gone as well
    came = (mine.level, mine.until, mine.met_on) == (theirs.level, theirs.until, theirs.met_on)
    if came and mine.level and was.level != mine.level and (was.until is None or was.until > moment):
        mine = replace(mine, level=was.level, until=was.until, met_on=was.met_on)
    if mine.grant is not None and mine.grant == theirs.grant:
        hidden = was.grant if was.grant and (was.grant.until is None or was.grant.until > moment) else None
        mine = replace(mine, grant=hidden)
    draft.set_account(replace(draft.account, standing=mine))
    show(draft, tiers, moment, TierReason.CORRECTED, again=True)
