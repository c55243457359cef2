"""Adjustments, and the answers that are kept under their commands' keys."""

from dataclasses import asdict

from bson import CodecOptions, decode, encode

from services.kit.mongo import command_keys
from services.kit.outbox.events import EventCursor
from services.points.domain.adjustments import Adjustment, AdjustmentState
from services.points.domain.books import Kept, Posted
from services.points.store.documents import Document
from services.points.store.documents.accounts import account_document, account_of, hold_document, hold_of

AWARE: CodecOptions[Document] = CodecOptions(tz_aware=True)


def adjustment_document(adjustment: Adjustment) -> Document:
    """Return what an adjustment's document holds besides its key."""
    document = asdict(adjustment)
    del document["id"]
    document["state"] = adjustment.state.value
    return document


def adjustment_of(document: Document) -> Adjustment:
    """Return the adjustment."""
    return Adjustment(
        id=document["adjustment"],
        account=document["account"],
        currency=document["currency"],
        amount=document["amount"],
        note=document["note"],
        asked_by=document["asked_by"],
        asked_at=document["asked_at"],
        state=AdjustmentState(document["state"]),
        decided_by=document["decided_by"],
        decided_at=document["decided_at"],
    )


def answer_bytes(answer: Posted) -> bytes:
    """Return an answer as it is kept."""
    document: Document = {
        "account": answer.account.id,
        "state": account_document(answer.account, EventCursor()),
        "entry": answer.entry,
    }
    if (hold := answer.hold) is not None:
        document["hold"] = {"hold": hold.id, "account": hold.account, **hold_document(hold)}
    if (adjustment := answer.adjustment) is not None:
        document["adjustment"] = {"adjustment": adjustment.id, **adjustment_document(adjustment)}
    return encode(document)


def kept_of(kept: command_keys.Kept) -> Kept:
    """Return an answer that was kept."""
    document = decode(kept.answer, AWARE)
    account, _ = account_of({"account": document["account"], **document["state"]})
    answer = Posted(
        account,
        entry=document["entry"],
        hold=hold_of(document["hold"]) if "hold" in document else None,
        adjustment=adjustment_of(document["adjustment"]) if "adjustment" in document else None,
    )
    return Kept(kept.fingerprint, answer, kept.summary, kept.at)
