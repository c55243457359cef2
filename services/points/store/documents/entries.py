"""Journal entries: a document for each posting, which carries its entry's words too."""

from services.points.domain.calendar import NO_SPAN, Span
from services.points.domain.journal import Entry, EntryKind, Leg, Posting
from services.points.domain.lots import Lot, LotChange
from services.points.store.documents import Document
from services.points.store.documents.accounts import balances_document, balances_of


def entry_documents(chain: str, entry: Entry) -> list[Document]:
    """Return the documents of an entry. Empty parts are left out: most entries have few."""
    head: Document = {
        "entry": entry.id,
        "kind": entry.kind.value,
        "reference": entry.reference,
        "occurred_at": entry.occurred_at,
        "booked_at": entry.booked_at,
        "booked_by": entry.booked_by,
        **({"key": entry.key} if entry.key else {}),
        **({"note": entry.note} if entry.note else {}),
    }
    return [{"chain": chain, "account": one.account, **head, **_posting_document(one)} for one in entry.postings]


def _posting_document(posting: Posting) -> Document:
    document: Document = {
        "version": posting.version,
        "currency": posting.currency,
        "amount": posting.amount,
        "legs": [{"account": leg.account, "amount": leg.amount} for leg in posting.legs],
        "balances": balances_document(posting.balances),
        "hash": posting.hash,
    }
    if posting.lots:
        document["lots"] = [{"lot": one.lot, "free": one.free, "held": one.held} for one in posting.lots]
    if posting.released:
        document["released"] = list(posting.released)
    if posting.grants:
        document["grants"] = [_grant(lot) for lot in posting.grants]
    return document


def entry_of(document: Document) -> Entry:
    """Return the entry with this one posting."""
    posting = Posting(
        account=document["account"],
        version=document["version"],
        currency=document["currency"],
        amount=document["amount"],
        legs=tuple(Leg(**leg) for leg in document["legs"]),
        balances=balances_of(document["balances"]),
        lots=tuple(LotChange(**change) for change in document.get("lots", ())),
        released=tuple(document.get("released", ())),
        grants=tuple(_lot(grant) for grant in document.get("grants", ())),
        hash=document["hash"],
    )
    return Entry(
        id=document["entry"],
        kind=EntryKind(document["kind"]),
        reference=document["reference"],
        occurred_at=document["occurred_at"],
        booked_at=document["booked_at"],
        booked_by=document["booked_by"],
        postings=(posting,),
        key=document.get("key", ""),
        note=document.get("note", ""),
    )


def _lot(document: Document) -> Lot:
    idle = Span(*document["idle"]) if "idle" in document else NO_SPAN
    return Lot(**{**document, "idle": idle})


def _grant(lot: Lot) -> Document:
    return {
        "id": lot.id,
        "currency": lot.currency,
        "free": lot.free,
        "held": lot.held,
        "granted_at": lot.granted_at,
        "expires_at": lot.expires_at,
        "pending_until": lot.pending_until,
        "policy_version": lot.policy_version,
        "source": lot.source,
        **({"idle": [lot.idle.days, lot.idle.months]} if lot.idle else {}),
    }
