"""A level given by hand: by invitation, as a gesture, for a while."""

from dataclasses import replace

from services.kit.errors import Kind, Problem
from services.points.domain.books import Posted, Work
from services.points.domain.commands import GrantLevel
from services.points.domain.due import advance
from services.points.domain.facts import TierReason
from services.points.domain.journal import EntryKind
from services.points.domain.rules import POINTS
from services.points.domain.standings import Grant
from services.points.domain.tiering import show


class NoLevelError(Problem):
    """There is no level {level} in the program: choose one of {known}."""

    kind = Kind.INVALID
    code = "LEVEL_NOT_FOUND"


class GrantEndedError(Problem):
    """A level cannot be given until {until}: that is over."""

    kind = Kind.INVALID
    code = "GRANT_ENDED"


def grant_level(work: Work, command: GrantLevel) -> Posted:
    """Give the level beside what the member reaches by itself; the higher of the two holds. A new grant replaces."""
    draft = work.draft(command.account, opens=command.opens_account)
    advance(draft, command.at)
    assert draft.account.as_of is not None  # noqa: S101 - narrows the type: `advance` set it
    moment = draft.account.as_of
    tiers = work.programs.at(moment).tiers
    codes = [level.code for level in tiers.levels]
    if command.level and command.level not in codes:
        raise NoLevelError(field="level", level=command.level, known=", ".join(codes))
    if command.until is not None and command.until <= moment:
        raise GrantEndedError(field="until", until=command.until.isoformat())
    note = work.keep_note(draft, command.reason)
    grant = Grant(command.level, command.until, note) if command.level else None
    kind = EntryKind.LEVEL_GRANTED if command.level else EntryKind.LEVEL_WITHDRAWN
    draft.post(kind, currency=POINTS, occurred_at=moment, reference=command.level or draft.account.id, note=note)
    draft.set_account(replace(draft.account, standing=replace(draft.account.standing, grant=grant)))
    show(draft, tiers, moment, TierReason.GRANTED if command.level else TierReason.GRANT_ENDED)
    draft.settle_due()
    work.tell_postings(draft)
    return Posted(draft.account, entry=draft.entries[-1].id)
