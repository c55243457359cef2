"""Domain values as documents, and back."""

from typing import Any

from services.kit.outbox.events import EventCursor
from services.points.domain.accounts import Account, Reached
from services.points.domain.booking import BookedPurchase, Booking
from services.points.domain.journal import Entry, Posting
from services.points.domain.programs import EarnedPart
from services.points.domain.purchases import Line, Purchase

Document = dict[str, Any]


def account_document(account: Account, cursor: EventCursor) -> Document:
    """Return what an account's document holds besides its key."""
    return {
        "available_points": account.available_points,
        "lifetime_points": account.lifetime_points,
        "spend_minor": account.spend_minor,
        "currency": account.currency,
        "reached": [{"level": reached.level, "since": reached.since} for reached in account.reached],
        "as_of": account.as_of,
        "version": account.version,
        "head": account.head,
        "events": {"sequence": cursor.sequence, "at": cursor.at},
    }


def account_of(document: Document) -> tuple[Account, EventCursor]:
    """Return the account, and how far it has told its events."""
    account = Account(
        member=document["account"],
        available_points=document["available_points"],
        lifetime_points=document["lifetime_points"],
        spend_minor=document["spend_minor"],
        currency=document["currency"],
        reached=tuple(Reached(**reached) for reached in document["reached"]),
        as_of=document["as_of"],
        version=document["version"],
        head=document["head"],
    )
    return account, EventCursor(**document["events"])


def entry_document(chain: str, entry: Entry) -> Document:
    """Return an entry with both of its postings, which sum to zero."""
    posting = entry.posting
    return {
        "chain": chain,
        "account": posting.account,
        "version": posting.version,
        "entry": entry.id,
        "kind": entry.kind,
        "reference": entry.reference,
        "occurred_at": entry.occurred_at,
        "booked_at": entry.booked_at,
        "booked_by": entry.booked_by,
        "points": posting.points,
        "balance_points": posting.balance_points,
        "hash": posting.hash,
        "against": {"account": entry.against, "points": -posting.points},
    }


def entry_of(document: Document) -> Entry:
    """Return the entry."""
    posting = Posting(
        account=document["account"],
        points=document["points"],
        version=document["version"],
        balance_points=document["balance_points"],
        hash=document["hash"],
    )
    return Entry(
        id=document["entry"],
        kind=document["kind"],
        reference=document["reference"],
        occurred_at=document["occurred_at"],
        booked_at=document["booked_at"],
        booked_by=document["booked_by"],
        posting=posting,
        against=document["against"]["account"],
    )


def receipt_document(booking: Booking) -> Document:
    """Return a receipt with its answer, which every repetition gets."""
    booked, purchase = booking.booked, booking.booked.purchase
    return {
        "chain": booking.command.chain,
        "key": purchase.key,
        "purchase": booked.id,
        "entry": booking.entry.id,
        "fingerprint": booked.fingerprint,
        "store": purchase.store,
        "receipt_number": purchase.receipt_number,
        "member": purchase.member,
        "occurred_at": purchase.occurred_at,
        "booked_at": booked.booked_at,
        "currency": purchase.currency,
        "lines": [
            {
                "item_code": line.item_code,
                "quantity": line.quantity,
                "gross_minor": line.gross_minor,
                "discount_minor": line.discount_minor,
            }
            for line in purchase.lines
        ],
        "breakdown": [
            {"rule": part.rule, "program_version": part.program_version, "points": part.points}
            for part in booked.breakdown
        ],
        "balance_points": booked.balance_points,
        "level_before": booked.level_before,
        "level_after": booked.level_after,
    }


def receipt_of(document: Document) -> BookedPurchase:
    """Return the receipt as it was booked."""
    purchase = Purchase(
        store=document["store"],
        receipt_number=document["receipt_number"],
        member=document["member"],
        occurred_at=document["occurred_at"],
        currency=document["currency"],
        lines=tuple(Line(**line) for line in document["lines"]),
    )
    return BookedPurchase(
        id=document["purchase"],
        purchase=purchase,
        fingerprint=document["fingerprint"],
        booked_at=document["booked_at"],
        breakdown=tuple(EarnedPart(**part) for part in document["breakdown"]),
        balance_points=document["balance_points"],
        level_before=document["level_before"],
        level_after=document["level_after"],
    )
