"""Reading documents of the ledger strictly: whatever a document has that its value does not have is told."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import UTC
from typing import TypeVar

import orjson
from bson import CodecOptions
from bson.int64 import Int64

from services.points.domain.accounts import Balances
from services.points.domain.journal import content_of
from services.points.store.documents import Document
from services.points.store.documents.accounts import (
    account_document,
    account_of,
    hold_document,
    hold_of,
    lot_document,
    lot_of,
)
from services.points.store.documents.entries import entry_of
from services.points.usecases.verify_ledger import ReadPosting

T = TypeVar("T")

NAIVE: CodecOptions[Document] = CodecOptions(tz_aware=False)

INTEGERS = frozenset({int, Int64})

REQUIRED = frozenset(
    {
        *("chain", "account", "version", "entry", "kind", "reference", "occurred_at", "booked_at", "booked_by"),
        *("currency", "amount", "legs", "balances", "hash"),
    }
)
ALLOWED = REQUIRED | {"key", "note", "lots", "released", "grants"}

BALANCES = len(fields(Balances))
LISTS = frozenset({"lots", "released", "grants"})
TEXTS = frozenset({"key", "note", "released"})
PARTS = {"lots": 3, "grants": 9}
"""How many fields each of these has; a lot that lapses without activity has `idle` besides."""

MOST_SAID = 200
"""Characters of what is told of a document: what stands in it may be anything."""


def posting_of(chain: str, document: Document) -> ReadPosting:
    """Return a posting, as far as it can be read, and whatever is strange about its document.

    The document was read with `NAIVE`, and its moments become aware here: the driver takes much longer for it.
    """
    account, version, hashed = document.get("account"), document.get("version"), document.get("hash")
    name = account if isinstance(account, str) else ""
    number: int = version if type(version) in INTEGERS else 0  # type: ignore[assignment]  # it is one
    stored_hash = hashed if type(hashed) is bytes else None
    try:
        why = strange(document)
        make_aware(document)
        entry = entry_of(document)
        text = orjson.dumps(content_of(chain, entry, entry.postings[0]), option=orjson.OPT_SORT_KEYS)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return ReadPosting(name, number, None, f"it cannot be read: {said(error)}", stored_hash)
    if stored_hash is None:
        return ReadPosting(name, number, None, "its hash is of another type")
    return ReadPosting(name, number, entry, why, stored_hash, text)


def strange(document: Document) -> str:
    """Return what a posting's document has that none is written with; TypeError where a value is of another type."""
    if not REQUIRED <= document.keys() <= ALLOWED:
        return f"it is not as it was written: {', '.join(sorted(document.keys() ^ REQUIRED))}"[:MOST_SAID]
    balances, legs = document["balances"], document["legs"]
    if type(legs) is not list:
        raise TypeError("its legs are no list")
    numbers = [document["version"], document["amount"], *balances.values()]
    texts = [document["entry"], document["reference"], document["booked_by"], document["currency"]]
    for leg in legs:
        numbers.append(leg["amount"])
        texts.append(leg["account"])
    is_whole = len(balances) == BALANCES
    for name in document.keys() - REQUIRED:
        value = document[name]
        is_whole = is_whole and bool(value)
        if name in LISTS and type(value) is not list:
            raise TypeError(f"its {name} are no list")
        if name in TEXTS:
            texts += [value] if name != "released" else value
            continue
        for part in value:
            is_whole = is_whole and len(part) - ("idle" in part) == PARTS[name]
            numbers += [part["free"], part["held"]]
            if name == "grants":
                numbers.append(part["policy_version"])
                texts += [part["id"], part["currency"], part["source"]]
            else:
                texts.append(part["lot"])
    if not set(map(type, numbers)) <= INTEGERS or set(map(type, texts)) != {str}:
        raise TypeError("a number or a text is of another type")
    return "" if is_whole else "it is not as it was written: parts of it are left out or empty"


def make_aware(document: Document) -> None:
    """Give every moment of a posting its time zone, which is UTC."""
    document["occurred_at"] = document["occurred_at"].replace(tzinfo=UTC)
    document["booked_at"] = document["booked_at"].replace(tzinfo=UTC)
    for grant in document.get("grants", ()):
        for name in ("granted_at", "expires_at", "pending_until"):
            if (moment := grant[name]) is not None:
                grant[name] = moment.replace(tzinfo=UTC)


def strictly(document: Document, read: Callable[[Document], T], write: Callable[[T], Document]) -> tuple[T | None, str]:
    """Return the value of a document, None when it cannot be read, and what is strange about it."""
    try:
        value = read(document)
        again = write(value)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return None, f"cannot be read: {said(error)}"
    return value, "" if again == document else f"is not as it was written: {difference(document, again)}"


def lot_strictly(document: Document) -> tuple[object, str]:
    """Return a lot."""
    return strictly(document, lot_of, lambda lot: {**_key(document), "lot": lot.id, **lot_document(lot)})


def hold_strictly(document: Document) -> tuple[object, str]:
    """Return a hold."""
    return strictly(document, hold_of, lambda hold: {**_key(document), "hold": hold.id, **hold_document(hold)})


def account_strictly(document: Document) -> tuple[object, str]:
    """Return an account."""
    return strictly(
        document,
        account_of,
        lambda read: {**_key(document), **account_document(read[0], read[1])},
    )


def difference(stored: Mapping[str, object], due: Mapping[str, object]) -> str:
    """Return in which fields two documents differ."""
    same = {name for name in stored.keys() & due.keys() if stored[name] == due[name]}
    return ", ".join(sorted({*stored, *due} - same))[:MOST_SAID]


def said(error: Exception) -> str:
    """Return what an error says, in bounds."""
    return f"{type(error).__name__} {error}"[:MOST_SAID]


def _key(document: Document) -> Document:
    return {"chain": document["chain"], "account": document["account"]}
