"""The fold knows time: what falls due by a moment happens here and nowhere else, in the order of its moments."""

from dataclasses import replace
from datetime import datetime

from services.points.domain import tiering
from services.points.domain.drafts import Draft
from services.points.domain.dues import level_due_at, remind_at
from services.points.domain.facts import PointsExpiring
from services.points.domain.holds import Hold, HoldState, Parts
from services.points.domain.journal import EXPIRED, EntryKind, Leg
from services.points.domain.lots import Lot, LotChange

RELEASE, HOLD_END, LEVEL, REMINDER, EXPIRY = range(5)
"""Of two things at the same moment, the earlier here comes first: what becomes available can still be spent, and a
level whose time is over is judged by what was there."""

Due = tuple[datetime, int, str, str]
"""When, what, in which currency, of which hold."""


def advance(draft: Draft, to: datetime) -> None:
    """Bring the account to the effective time `to`; a moment before the account's own changes nothing."""
    account = draft.account
    if account.as_of is None or account.as_of < to:
        account = account.at(to)
        draft.set_account(account)
    assert account.as_of is not None  # noqa: S101 - narrows the type: it was set just now
    settle(draft, account.as_of)


def settle(draft: Draft, to: datetime) -> None:
    """Let happen what is due by `to`."""
    if draft.account.due_at is None or draft.account.due_at > to:
        return
    while (due := _next(draft, to)) is not None:
        moment, what, currency, hold = due
        if what == RELEASE:
            _release(draft, moment, currency)
        elif what == HOLD_END:
            _end_hold(draft, draft.holds[hold], moment)
        elif what == LEVEL:
            tiering.end_term(draft, draft.programs.at(moment), moment)
            continue
        elif what == REMINDER:
            _remind(draft, moment, currency)
            continue
        else:
            _expire(draft, moment, currency)
        if (program := draft.programs.at(moment)).tiers.by_balance:
            tiering.review(draft, program, moment)
    draft.settle_due()


def _next(draft: Draft, to: datetime) -> Due | None:
    dues: list[Due] = []
    active_at, zone = draft.account.counts.active_at, draft.programs.zone
    for lot in draft.lots.values():
        if not lot.free:
            continue
        if (lapses_at := lot.lapses_at(active_at, zone)) is not None:
            dues.append((lapses_at, EXPIRY, lot.currency, ""))
            if (reminded_at := remind_at(lot, lapses_at, draft.account, draft.programs)) is not None:
                dues.append((reminded_at, REMINDER, lot.currency, ""))
        if lot.pending_until is not None:
            dues.append((lot.pending_until, RELEASE, lot.currency, ""))
    dues += [(hold.due_at, HOLD_END, hold.currency, hold.id) for hold in draft.holds.values() if hold.due_at]
    if (level_at := level_due_at(draft.account, draft.programs)) is not None:
        dues.append((level_at, LEVEL, "", ""))
    return min((due for due in dues if due[0] <= to), default=None)


def _remind(draft: Draft, moment: datetime, currency: str) -> None:
    """Tell of the lots that lapse together, the next of those that are to be told of at `moment`."""
    lapsing: dict[datetime, list[Lot]] = {}
    for lot in _of(draft, currency):
        lapses_at = lot.lapses_at(draft.account.counts.active_at, draft.programs.zone)
        if (
            lot.free
            and lapses_at is not None
            and (at := remind_at(lot, lapses_at, draft.account, draft.programs)) is not None
            and at <= moment
        ):
            lapsing.setdefault(lapses_at, []).append(lot)
    for lapses_at, lots in sorted(lapsing.items()):
        amount = sum(lot.free for lot in lots)
        draft.happened.append(PointsExpiring(draft.account.id, currency, amount, lapses_at))
        for lot in lots:
            draft.put_lot(replace(lot, reminded_for=lapses_at))


def _release(draft: Draft, moment: datetime, currency: str) -> None:
    released = [lot.id for lot in _of(draft, currency) if lot.pending_until == moment and lot.free]
    draft.post(
        EntryKind.RELEASE,
        currency=currency,
        occurred_at=moment,
        reference="",
        released=sorted(released),
        by_itself=True,
    )


def _expire(draft: Draft, moment: datetime, currency: str) -> None:
    active_at, zone = draft.account.counts.active_at, draft.programs.zone
    gone = [lot for lot in _of(draft, currency) if lot.free and lot.lapses_at(active_at, zone) == moment]
    _take_away(draft, gone, moment)


def _take_away(draft: Draft, gone: list[Lot], moment: datetime) -> None:
    draft.post(
        EntryKind.EXPIRY,
        currency=gone[0].currency,
        occurred_at=moment,
        reference="",
        legs=[Leg(EXPIRED, sum(lot.free for lot in gone))],
        lots=[LotChange(lot.id, free=-lot.free) for lot in sorted(gone, key=lambda lot: lot.id)],
        by_itself=True,
    )


def expire_returned(draft: Draft, parts: Parts, moment: datetime) -> None:
    """Let go of what came back at `moment` to lots that had expired by then: they keep their old expiry."""
    lots = draft.lots
    gone = [
        lot for id_, _ in parts if (lot := lots[id_]).free and lot.expires_at is not None and lot.expires_at <= moment
    ]
    if gone:
        _take_away(draft, gone, moment)


def _end_hold(draft: Draft, hold: Hold, moment: datetime) -> None:
    give_back(draft, hold, EntryKind.HOLD_EXPIRED, occurred_at=moment, state=HoldState.EXPIRED, by_itself=True)


def give_back(
    draft: Draft, hold: Hold, kind: EntryKind, *, occurred_at: datetime, state: HoldState, by_itself: bool = False
) -> None:
    """Close a hold: what it still sets aside returns to its lots, which keep their old expiry."""
    draft.post(
        kind,
        currency=hold.currency,
        occurred_at=occurred_at,
        reference=hold.id,
        lots=draft.move(hold.parts, free=1, held=-1),
        by_itself=by_itself,
    )
    draft.put_hold(replace(hold, parts=(), state=state, pinned=False))
    expire_returned(draft, hold.parts, occurred_at)


def _of(draft: Draft, currency: str) -> list[Lot]:
    return [lot for lot in draft.lots.values() if lot.currency == currency]
