"""Carrying lots and holds from one account to another, by linked entries, and back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.points.domain.accounts import Balances
from services.points.domain.books import MOST_MERGES, Work
from services.points.domain.drafts import Draft
from services.points.domain.holds import Hold, HoldState, Parts
from services.points.domain.journal import DEBT, EntryKind, Leg
from services.points.domain.lots import Lot, LotChange


@dataclass(frozen=True, slots=True)
class Link:
    """Two accounts between which something goes over, when, and how both journals call it."""

    source: Draft
    target: Draft
    at: datetime
    goes: EntryKind
    comes: EntryKind


@dataclass(frozen=True, slots=True)
class Back:
    """What a posting gives back to lots: those that the account knows, and those that begin in it again."""

    changes: tuple[LotChange, ...]
    grants: tuple[Lot, ...] = ()


def carry(work: Work, link: Link, currency: str, lots: Sequence[Lot], *, owes: Balances) -> None:
    """Let what is free of `lots`, and the debt and lifetime of `owes`, go over as two entries that name each other.

    A lot keeps its id and terms. Where the target has had it before, it is opened again.
    """
    source, target = link.source, link.target
    known = work.lots(target, [lot.id for lot in lots])
    total, debt = sum(lot.free for lot in lots), owes.debt
    source.post(
        link.goes,
        currency=currency,
        occurred_at=link.at,
        reference=target.account.id,
        legs=_legs(target.account.id, total - debt, debt),
        lots=[LotChange(lot.id, -lot.free) for lot in lots if lot.free],
        lifetime=-owes.lifetime,
    )
    target.post(
        link.comes,
        currency=currency,
        occurred_at=link.at,
        reference=source.account.id,
        legs=_legs(source.account.id, debt - total, -debt),
        lots=[LotChange(lot.id, lot.free) for lot in lots if lot.id in known and lot.free],
        released=[
            lot.id
            for lot in lots
            if lot.id in known and lot.pending_until is None and known[lot.id].pending_until is not None
        ],
        grants=[replace(lot, held=0, lapsed=0) for lot in lots if lot.id not in known],
        lifetime=owes.lifetime,
    )


def _legs(account: str, amount: int, debt: int) -> list[Leg]:
    return [Leg(account, amount)] + ([Leg(DEBT, debt)] if debt else [])


def loosen(link: Link, holds: Sequence[Hold]) -> None:
    """Let open holds leave the source: what they set aside is free there, to go over with its lots."""
    for hold in holds:
        link.source.post(
            EntryKind.HOLD_LEFT,
            currency=hold.currency,
            occurred_at=link.at,
            reference=hold.id,
            lots=link.source.move(hold.parts, free=1, held=-1),
        )
        gone = replace(hold, parts=(), taken=(), pinned=False, state=HoldState.MOVED, went_to=link.target.account.id)
        link.source.put_hold(gone)


def fasten(work: Work, link: Link, holds: Sequence[Hold]) -> None:
    """Let the same holds set the same parts aside in the target."""
    for hold in holds:
        work.holds([link.target], hold.id)  # it may have been there before
        link.target.post(
            EntryKind.HOLD_CAME,
            currency=hold.currency,
            occurred_at=link.at,
            reference=hold.id,
            lots=link.target.move(hold.parts, free=-1, held=1),
        )
        if hold.pinned:
            link.target.post(EntryKind.HOLD_PINNED, currency=hold.currency, occurred_at=link.at, reference=hold.id)
        link.target.put_hold(replace(hold, account=link.target.account.id))


def captured_lots(work: Work, link: Link, holds: Sequence[Hold], currency: str, but: Sequence[Lot]) -> list[Lot]:
    """Return, as closed ones, the lots of which holds have captured something and that would not go over otherwise.

    So an account knows every lot to which one of its holds may give something back.
    """
    taken = {lot for hold in holds if hold.currency == currency for lot, _ in hold.taken} - {lot.id for lot in but}
    known = work.lots(link.target, taken)
    own = work.lots(link.source, taken - known.keys())
    return [replace(lot, free=0, held=0) for lot in own.values()]


def where_lives(work: Work, draft: Draft, hold: str) -> Draft:
    """Return the account in which a hold lives on: its own, or the one to which it went."""
    for _ in range(MOST_MERGES):
        found = work.hold(draft, hold)
        if found.state is not HoldState.MOVED:
            break
        draft = work.draft(found.went_to)
    return draft


def give_back_to_lots(work: Work, draft: Draft, currency: str, parts: Parts, *, holder: str, at: datetime) -> Back:
    """Return how `parts` come back to the lots that they were taken from, in the account of `holder` at the time.

    Lots that were closed when that went into `draft` begin again here, and are then among what it brought.
    """
    known = work.lots(draft, [lot for lot, _ in parts])
    _brings(work, holder, [lot for lot, _ in parts])
    missing = {lot: part for lot, part in parts if lot not in known}
    changes = tuple(LotChange(lot, free=part) for lot, part in parts if lot in known)
    if not missing:
        return Back(changes)
    grants: dict[str, Lot] = {}
    for other in (work.draft(holder, follow=False), *work.family(draft)):
        for lot in work.lots(other, missing.keys() - grants.keys()).values():
            grants[lot.id] = replace(lot, free=missing[lot.id], held=0, lapsed=0, pending_until=None)
            _brings(work, other.account.id, [lot.id])
    for id_ in missing.keys() - grants.keys():  # its terms went with somebody else: better for ever than not at all
        grants[id_] = Lot(id_, currency, missing[id_], at, source=id_.rpartition("/")[0])
    return Back(changes, tuple(grants[id_] for id_ in missing))


def _brings(work: Work, account: str, lots: Sequence[str]) -> None:
    """Count them among what `account`, and whom it went into before, brought with a merge that stands."""
    for merged in work.path(account):
        ties = merged.account.ties
        if ties.brought is not None:
            ties = replace(ties, brought=ties.brought.with_lots(lots))
            merged.set_account(replace(merged.account, ties=ties))
