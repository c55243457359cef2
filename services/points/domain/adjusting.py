"""What people do to an account by hand: adjust it, freeze it, bring its balance from elsewhere."""

from dataclasses import replace

from services.points.domain.accounts import InsufficientPointsError
from services.points.domain.adjustments import (
    Adjustment,
    AdjustmentDecidedError,
    AdjustmentState,
    InvalidAdjustmentError,
    NoAdjustmentError,
    SamePersonError,
)
from services.points.domain.booking import earned_by, on_terms
from services.points.domain.books import Posted, Work
from services.points.domain.commands import Adjust, Decide, Freeze, Open
from services.points.domain.drafts import Draft
from services.points.domain.due import advance, settle
from services.points.domain.journal import ADJUSTED, DEBT, ISSUED, EntryKind, Leg
from services.points.domain.lots import Lot, lot_id, spendable, take


def adjust(work: Work, command: Adjust) -> Posted:
    """Book the adjustment, or keep it until a second person has agreed."""
    draft = work.draft(command.account, opens=command.opens_account)
    adjustment = Adjustment(
        id=command.adjustment,
        account=draft.account.id,
        currency=command.currency,
        amount=command.amount,
        note=work.keep_note(draft, command.reason),
        asked_by=command.author.booked_by,
        asked_at=command.author.booked_at,
    )
    if command.amount == 0:
        raise InvalidAdjustmentError(field="amount", why="the amount must not be 0")
    entry = ""
    if abs(command.amount) <= work.programs.at(command.at).adjustment_limit:
        entry = _book(work, draft, command, adjustment)
        adjustment = adjustment.decided(AdjustmentState.BOOKED, by=adjustment.asked_by, at=adjustment.asked_at)
    work.adjustments[command.chain, adjustment.id] = adjustment
    return Posted(draft.account, entry=entry, adjustment=adjustment)


def decide(work: Work, command: Decide) -> Posted:
    """Book an adjustment that waited, or reject it; by somebody else than who asked for it."""
    adjustment = work.adjustment(command.adjustment)
    if adjustment is None:
        raise NoAdjustmentError(field="adjustmentId", adjustment=command.adjustment)
    if adjustment.state is not AdjustmentState.WAITING:
        raise AdjustmentDecidedError(
            field="adjustmentId",
            adjustment=adjustment.id,
            state=adjustment.state.value,
            decided_by=adjustment.decided_by,
        )
    author = command.author
    if author.booked_by == adjustment.asked_by and command.approve:
        raise SamePersonError(field="adjustmentId")
    draft = work.draft(adjustment.account)
    entry = _book(work, draft, command, adjustment) if command.approve else ""
    state = AdjustmentState.BOOKED if command.approve else AdjustmentState.REJECTED
    adjustment = adjustment.decided(state, by=author.booked_by, at=author.booked_at)
    work.adjustments[command.chain, adjustment.id] = adjustment
    return Posted(draft.account, entry=entry, adjustment=adjustment)


def _book(work: Work, draft: Draft, command: Adjust | Decide, adjustment: Adjustment) -> str:
    advance(draft, command.at)
    if adjustment.amount > 0:
        program = work.programs.at(command.at)
        lot = Lot(
            id=lot_id(adjustment.id, adjustment.currency),
            currency=adjustment.currency,
            free=adjustment.amount,
            granted_at=command.at,
            source=adjustment.id,
        )
        rank = program.tiers.rank(draft.account.standing.now(""))
        lot = on_terms(lot, program, work.programs.zone, rank=rank)
        earned_by(draft, EntryKind.ADJUSTMENT, lot, against=ADJUSTED, reference=adjustment.id, note=adjustment.note)
    else:
        _take(draft, command, adjustment)
    work.tell_postings(draft)
    return draft.entries[-1].id


def _take(draft: Draft, command: Adjust | Decide, adjustment: Adjustment) -> None:
    wanted, available = -adjustment.amount, draft.account.balance(adjustment.currency).available
    if available < wanted:
        raise InsufficientPointsError(field="amount", available=available, wanted=wanted, currency=adjustment.currency)
    parts = take(spendable(draft.lots.values(), adjustment.currency), wanted)
    draft.post(
        EntryKind.ADJUSTMENT,
        currency=adjustment.currency,
        occurred_at=command.at,
        reference=adjustment.id,
        legs=[Leg(ADJUSTED, wanted)],
        lots=draft.move(parts, free=-1),
        note=adjustment.note,
    )


def freeze(work: Work, command: Freeze) -> Posted:
    """Freeze or unfreeze; what is so already stays so, without an entry."""
    draft = work.draft(command.account, opens=command.opens_account)
    if draft.account.frozen is command.frozen:
        return Posted(draft.account)
    advance(draft, command.at)
    kind = EntryKind.FROZEN if command.frozen else EntryKind.UNFROZEN
    note = work.keep_note(draft, command.reason)
    draft.post(kind, currency="points", occurred_at=command.at, reference=draft.account.id, note=note)
    draft.set_account(replace(draft.account, frozen=command.frozen))
    work.tell_postings(draft)
    return Posted(draft.account, entry=draft.entries[-1].id)


def open_balance(work: Work, command: Open) -> Posted:
    """Book a balance from another system, lot by lot with the dates it had there."""
    draft = work.draft(command.account, opens=command.opens_account)
    if any(lot.amount < 1 for lot in command.lots) or not command.lots:
        raise InvalidAdjustmentError(field="lots", why="give at least one lot, each of at least 1")
    latest = max(lot.earned_at for lot in command.lots)
    advance(draft, latest)
    entry = command.author.entry_id
    grants = tuple(
        Lot(
            id=lot_id(f"{entry}.{number}", command.currency),
            currency=command.currency,
            free=lot.amount,
            granted_at=lot.earned_at,
            expires_at=lot.expires_at,
            policy_version=work.programs.at(command.at).version,
            source=entry,
        )
        for number, lot in enumerate(command.lots, start=1)
    )
    total = sum(lot.amount for lot in command.lots)
    _open(draft, command, grants, total)
    assert draft.account.as_of is not None  # noqa: S101 - narrows the type: `advance` set it
    settle(draft, draft.account.as_of)
    work.tell_postings(draft)
    return Posted(draft.account, entry=draft.entries[0].id)


def _open(draft: Draft, command: Open, grants: tuple[Lot, ...], total: int) -> None:
    paid = min(draft.account.balance(command.currency).debt, total)
    rest = paid
    kept: list[Lot] = []
    for lot in grants:
        part = min(rest, lot.free)
        rest -= part
        if lot.free > part:
            kept.append(replace(lot, free=lot.free - part))
    draft.post(
        EntryKind.OPENING,
        currency=command.currency,
        occurred_at=max(lot.granted_at for lot in grants),
        reference=command.author.key,
        legs=[Leg(ISSUED, -total)] + ([Leg(DEBT, paid)] if paid else []),
        grants=kept,
        lifetime=total,
    )
