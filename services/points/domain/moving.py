"""Moving what was booked on a payer to the member that the payer turned out to be."""

from dataclasses import replace

from services.kit.errors import Kind, Problem
from services.points.domain.accounts import PAYER_PREFIX
from services.points.domain.books import Posted, Work
from services.points.domain.commands import TakeOver
from services.points.domain.drafts import Draft
from services.points.domain.due import advance, settle
from services.points.domain.facts import PurchaseBooked
from services.points.domain.journal import DEBT, EntryKind, Leg
from services.points.domain.lots import LotChange
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
    for moved in payer.account.balances or (POINTS,):
        _move(payer, member, command, moved)
    counts = merged(member.account.counts, payer.account.counts, work.programs.at(command.at).tiers)
    member.set_account(member.account.at(member.account.as_of, counts=counts, currency=payer.account.currency))
    payer.set_account(replace(payer.account, merged_into=member.account.id, counts=NO_COUNTS, due_at=None))
    assert member.account.as_of is not None  # noqa: S101 - narrows the type: `advance` set it
    review(member, work.programs.at(member.account.as_of), member.account.as_of)
    settle(member, command.at)
    _tell_purchases(work, member, command)
    work.tell_postings(member, since)
    return Posted(payer.account, entry=payer.entries[-1].id)


def _move(payer: Draft, member: Draft, command: TakeOver, currency: str) -> None:
    lots = [lot for lot in payer.lots.values() if lot.currency == currency and lot.is_open]
    balance = payer.account.balance(currency)
    held = {lot.id: lot for lot in member.lots.values()}
    payer.post(
        EntryKind.MERGED_INTO,
        currency=currency,
        occurred_at=command.at,
        reference=command.into,
        legs=_legs(command.into, balance.total - balance.debt, balance.debt),
        lots=[LotChange(lot.id, -lot.free, -lot.held) for lot in lots],
        lifetime=-balance.lifetime,
    )
    member.post(
        EntryKind.MERGED_FROM,
        currency=currency,
        occurred_at=command.at,
        reference=command.account,
        legs=_legs(command.account, balance.debt - balance.total, -balance.debt),
        grants=[lot for lot in lots if lot.id not in held],
        lifetime=balance.lifetime,
    )


def _legs(account: str, amount: int, debt: int) -> list[Leg]:
    return [Leg(account, amount)] + ([Leg(DEBT, debt)] if debt else [])


def _tell_purchases(work: Work, member: Draft, command: TakeOver) -> None:
    for key in command.receipts:
        booked = work.receipt(key).booked
        if booked is not None:
            purchase = replace(booked.purchase, member=member.account.id)
            work.tell(member, PurchaseBooked(replace(booked, purchase=purchase)))
