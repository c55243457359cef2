"""Releasing what a purchase's points waited for: the order was delivered."""

from services.kit.errors import Kind, Problem
from services.points.domain.books import Posted, Work
from services.points.domain.commands import Release
from services.points.domain.due import advance
from services.points.domain.earning import sums
from services.points.domain.journal import EntryKind
from services.points.domain.lots import lot_id


class NoReceiptError(Problem):
    """There is no purchase {receipt_number} of this store."""

    kind = Kind.NOT_FOUND
    code = "RECEIPT_NOT_FOUND"


def release(work: Work, command: Release) -> Posted:
    """Make available what is pending of the purchase; what is available already stays so, without an entry."""
    booked = work.receipt(command.purchase).booked
    if booked is None:
        raise NoReceiptError(field="receiptNumber", receipt_number=command.purchase.partition("/")[2])
    draft = work.draft(booked.purchase.member)
    advance(draft, command.at)
    for currency in sums(booked.breakdown):
        lot = draft.lots.get(lot_id(booked.id, currency))
        if lot is not None and lot.free and lot.pending_until is not None:
            draft.post(
                EntryKind.RELEASE,
                currency=currency,
                occurred_at=command.at,
                reference=booked.id,
                released=[lot.id],
            )
    draft.settle_due()
    work.tell_postings(draft)
    return Posted(draft.account, entry=draft.entries[-1].id if draft.entries else "")
