"""Moving all that one account has to another; and what was booked on a payer, once it is known who that is."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from services.kit.errors import Kind, Problem
from services.points.domain.accounts import PAYER_PREFIX
from services.points.domain.books import Posted, Work
from services.points.domain.carrying import Link, captured_lots, carry, fasten, loosen
from services.points.domain.commands import TakeOver
from services.points.domain.drafts import Draft
from services.points.domain.due import advance, settle
from services.points.domain.facts import PurchaseBooked
from services.points.domain.holds import Hold
from services.points.domain.journal import EntryKind
from services.points.domain.lots import Lot
from services.points.domain.rules import POINTS
from services.points.domain.standings import NO_COUNTS, merged
from services.points.domain.tiering import review


class MovedOnError(Problem):
    """Account {account} was changed meanwhile. Look at it again."""

    kind = Kind.CONFLICT
    code = "MOVED_ON"


class NotAPayerError(Problem):
    """Account {account} is not a payer's."""

    kind = Kind.REFUSED
    code = "NOT_A_PAYER"


def take_over(work: Work, command: TakeOver) -> Posted:
    """Close the payer's account and open its content in the member's, currency by currency, as linked entries."""
    payer = work.draft(command.account, follow=False)
    if payer.account.merged_into == command.into:
        return Posted(payer.account, repeated_call=True)
    if not payer.account.id.startswith(PAYER_PREFIX):
        raise NotAPayerError(field="account", account=payer.account.id)
    if payer.account.version != command.version:
        raise MovedOnError(field="account", account=payer.account.id)
    member = work.draft(command.into, opens=True)
    advance(payer, command.at)
    advance(member, command.at)
    since = len(member.entries)
    go_over(work, payer, member, command.at)
    assert member.account.as_of is not None  # noqa: S101 - narrows the type: `advance` set it
    review(member, work.programs.at(member.account.as_of), member.account.as_of)
    settle(member, command.at)
    _tell_purchases(work, member, command)
    work.tell_postings(member, since)
    return Posted(payer.account, entry=payer.entries[-1].id)


def go_over(work: Work, source: Draft, target: Draft, at: datetime) -> tuple[Sequence[Lot], Sequence[Hold]]:
    """Let all that `source` has and counts go to `target`, and mark it; return its open lots and holds until then."""
    link = Link(source, target, at, EntryKind.MERGED_INTO, EntryKind.MERGED_FROM)
    holds = source.open_holds()
    lots = [lot for lot in source.lots.values() if lot.is_open]
    loosen(link, holds)
    for currency in source.account.balances or (POINTS,):
        some = [lot for lot in source.lots.values() if lot.currency == currency and lot.is_open]
        some += captured_lots(work, link, holds, currency, some)
        carry(work, link, currency, some, owes=source.account.balance(currency))
    fasten(work, link, holds)
    counts = merged(target.account.counts, source.account.counts, work.programs.at(at).tiers)
    target.set_account(target.account.at(target.account.as_of, counts=counts, currency=source.account.currency))
    source.set_account(replace(source.account, merged_into=target.account.id, counts=NO_COUNTS, due_at=None))
    return lots, holds


def _tell_purchases(work: Work, member: Draft, command: TakeOver) -> None:
    for key in command.receipts:
        booked = work.receipt(key).booked
        if booked is not None:
            purchase = replace(booked.purchase, member=member.account.id)
            work.tell(member, PurchaseBooked(replace(booked, purchase=purchase)))
