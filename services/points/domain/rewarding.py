"""Rewards of a referral: both who brought a guest and the guest itself get points on the guest's first purchase."""

from services.kit.errors import Kind, Problem
from services.points.domain.booking import earned_by, on_terms
from services.points.domain.books import Posted, Work
from services.points.domain.calendar import day_of
from services.points.domain.commands import Reward, Side
from services.points.domain.drafts import Draft
from services.points.domain.due import advance, settle
from services.points.domain.journal import ISSUED, EntryKind
from services.points.domain.lots import Lot, lot_id
from services.points.domain.programs import Program
from services.points.domain.rules import POINTS
from services.points.domain.standings import used

REFERRALS = "*referrals"
"""Under this name the account counts its rewards as a referrer, month by month, beside the caps of rules."""


class NoRewardError(Problem):
    """There is no reward for this referral: {why}."""

    kind = Kind.REFUSED
    code = "NO_REWARD"


def reward(work: Work, command: Reward) -> Posted:
    """Grant what the program of the day on which the referral was completed gives this side.

    A frozen account earns like any other. Nothing is opened or changed when there is nothing to give: NoRewardError.
    """
    program = work.programs.at(command.at)
    terms = program.referral
    amount = terms.referrer_points if command.side is Side.REFERRER else terms.referred_points
    if not amount:
        raise NoRewardError(why="the program of that day gives none")
    if work.are_one(command.account, command.other):
        raise NoRewardError(why="both sides are one member by now")
    draft = work.draft(command.account, opens=command.opens_account)
    advance(draft, command.at)
    if command.side is Side.REFERRER:
        _count(draft, command, program)
    lot = Lot(
        id=lot_id(command.author.entry_id, POINTS),
        currency=POINTS,
        free=amount,
        granted_at=command.at,
        source=command.author.entry_id,
    )
    lot = on_terms(lot, program, work.programs.zone, rank=program.tiers.rank(draft.account.standing.now("")))
    written = len(draft.entries)
    earned_by(draft, EntryKind.REFERRAL, lot, against=ISSUED, reference=command.referral)
    assert draft.account.as_of is not None  # noqa: S101 - narrows the type: `advance` set it
    settle(draft, draft.account.as_of)  # what comes late may have expired since
    work.tell_postings(draft)
    return Posted(draft.account, entry=draft.entries[written].id)


def _count(draft: Draft, command: Reward, program: Program) -> None:
    """Count one more reward of the month in which the referral was completed, or refuse it."""
    day = day_of(command.at, draft.programs.zone)
    month = day.isoformat()[: len("2026-03")]
    counts, most = draft.account.counts, program.referral.most_a_month
    if most and counts.caps.get((REFERRALS, month), 0) >= most:
        raise NoRewardError(why=f"the referrer has had {most} in {month}")
    counts = used(counts, {(REFERRALS, month): 1}, day)
    draft.set_account(draft.account.at(draft.account.as_of, counts=counts))
