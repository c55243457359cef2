"""Accounts, their lots and holds."""

from datetime import datetime

from services.kit.outbox.events import EventCursor
from services.points.domain.accounts import Account, Balances, Reached
from services.points.domain.holds import Hold, HoldState
from services.points.domain.lots import Lot
from services.points.store.documents import Document


def account_document(account: Account, cursor: EventCursor) -> Document:
    """Return what an account's document holds besides its key."""
    return {
        "balances": {currency: balances_document(held) for currency, held in account.balances.items()},
        "spend_minor": account.spend_minor,
        "currency": account.currency,
        "reached": [{"level": reached.level, "since": reached.since} for reached in account.reached],
        "as_of": account.as_of,
        "booked_at": account.booked_at,
        "due_at": account.due_at,
        "frozen": account.frozen,
        "merged_into": account.merged_into,
        "version": account.version,
        "head": account.head,
        "events": {"sequence": cursor.sequence, "at": cursor.at},
    }


def account_of(document: Document) -> tuple[Account, EventCursor]:
    """Return the account, and how far it has told its events."""
    account = Account(
        id=document["account"],
        balances={currency: balances_of(held) for currency, held in document["balances"].items()},
        spend_minor=document["spend_minor"],
        currency=document["currency"],
        reached=tuple(Reached(**reached) for reached in document["reached"]),
        as_of=document["as_of"],
        booked_at=document["booked_at"],
        due_at=document["due_at"],
        frozen=document["frozen"],
        merged_into=document["merged_into"],
        version=document["version"],
        head=document["head"],
    )
    return account, EventCursor(**document["events"])


def balances_document(balances: Balances) -> Document:
    """Return what an account has in one currency."""
    return {
        "available": balances.available,
        "pending": balances.pending,
        "held": balances.held,
        "debt": balances.debt,
        "lifetime": balances.lifetime,
    }


def balances_of(document: Document) -> Balances:
    """Return what an account has in one currency."""
    return Balances(**document)


def lot_document(lot: Lot) -> Document:
    """Return what a lot's document holds besides its key."""
    return {
        "currency": lot.currency,
        "free": lot.free,
        "held": lot.held,
        "open": lot.is_open,
        "granted_at": lot.granted_at,
        "expires_at": lot.expires_at,
        "pending_until": lot.pending_until,
        "policy_version": lot.policy_version,
        "source": lot.source,
        "lapsed": lot.lapsed,
    }


def lot_of(document: Document) -> Lot:
    """Return the lot."""
    return Lot(
        id=document["lot"],
        currency=document["currency"],
        free=document["free"],
        granted_at=document["granted_at"],
        expires_at=document["expires_at"],
        pending_until=document["pending_until"],
        policy_version=document["policy_version"],
        source=document["source"],
        held=document["held"],
        lapsed=document["lapsed"],
    )


def hold_document(hold: Hold) -> Document:
    """Return what a hold's document holds besides its key."""
    return {
        "currency": hold.currency,
        "amount": hold.amount,
        "parts": [{"lot": lot, "amount": amount} for lot, amount in hold.parts],
        "taken": [{"lot": lot, "amount": amount} for lot, amount in hold.taken],
        "expires_at": hold.expires_at,
        "reference": hold.reference,
        "pinned": hold.pinned,
        "state": hold.state.value,
        "purchase": hold.purchase,
    }


def hold_of(document: Document) -> Hold:
    """Return the hold."""
    expires_at: datetime = document["expires_at"]
    return Hold(
        id=document["hold"],
        account=document["account"],
        currency=document["currency"],
        amount=document["amount"],
        parts=tuple((part["lot"], part["amount"]) for part in document["parts"]),
        expires_at=expires_at,
        reference=document["reference"],
        pinned=document["pinned"],
        state=HoldState(document["state"]),
        taken=tuple((part["lot"], part["amount"]) for part in document["taken"]),
        purchase=document["purchase"],
    )
