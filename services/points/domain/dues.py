"""When something happens to an account by itself: the moments that bound how long it may lie untouched."""

from datetime import datetime, timedelta

from services.points.domain.accounts import Account
from services.points.domain.calendar import begins, day_of
from services.points.domain.lots import NEVER, Lot
from services.points.domain.programs import Program, Programs
from services.points.domain.standings import next_change


def program_of(account: Account, programs: Programs) -> Program:
    """Return the version that holds at the account's effective time."""
    return programs.latest if account.as_of is None else programs.at(account.as_of)


def lot_due_at(lot: Lot, account: Account, programs: Programs) -> datetime | None:
    """Return when something happens to a lot: it becomes available, its member is reminded, it lapses."""
    if not lot.free:
        return None
    lapses_at = lot.lapses_at(account.counts.active_at, programs.zone)
    moments = (lot.pending_until, remind_at(lot, lapses_at, account, programs), lapses_at)
    due_at = min((moment for moment in moments if moment is not None), default=None)
    return None if due_at == NEVER else due_at


def remind_at(lot: Lot, lapses_at: datetime | None, account: Account, programs: Programs) -> datetime | None:
    """Return when the member is to be reminded of a lot, None: not any more, or not at all."""
    days = program_of(account, programs).remind_days
    if not days or lapses_at is None or lot.reminded_for == lapses_at:
        return None
    return max(begins(day_of(lapses_at, programs.zone) - timedelta(days=days), programs.zone), lot.granted_at)


def version_due_at(account: Account, programs: Programs) -> datetime | None:
    """Return when the next version of the program takes effect: it may say otherwise of all of this."""
    if account.merged_into:
        return None
    after = account.as_of
    later = [one.effective_from for one in programs.versions if after is not None and one.effective_from > after]
    return min(later, default=None)


def level_due_at(account: Account, programs: Programs) -> datetime | None:
    """Return when the level may change; never that of an account that has gone into another."""
    if account.merged_into:
        return None
    return next_change(account.counts, account.standing, program_of(account, programs).tiers, programs.zone)
