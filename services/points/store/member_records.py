"""What points keeps of one person, for the person: the registry. Who adds such a collection adds a section."""

from collections.abc import Sequence

from services.kit.member_records import Section
from services.kit.mongo.database import Database
from services.kit.mongo.member_records import of_documents
from services.points.domain.accounts import PAYER_PREFIX
from services.points.domain.journal import EntryKind
from services.points.store.collections import ACCOUNTS, ENTRIES, HOLDS, LOTS, NOTES, RECEIPTS

_MARKS = ("hash", "head", "events", "fingerprint")
"""What proves the ledger and its order; no data of the person."""


def sections(database: Database) -> tuple[Section, ...]:
    """Return all sections."""
    return (
        of_documents(database, ACCOUNTS, "accounts", by="account", hidden=_MARKS),
        of_documents(database, ENTRIES, "entries", by="account", order=("-account", "version"), hidden=_MARKS),
        of_documents(database, LOTS, "lots", by="account", order=("account", "lot"), hidden=_MARKS),
        of_documents(database, HOLDS, "holds", by="account", order=("account", "hold"), hidden=_MARKS),
        of_documents(database, NOTES, "notes", by="account", order=("account", "note"), hidden=("salt",)),
        # Refunds stand in their receipts.
        of_documents(database, RECEIPTS, "purchases", order=("member", "occurred_at"), hidden=_MARKS),
    )


async def accounts_of(database: Database, chain: str, ids: Sequence[str]) -> Sequence[str]:
    """Return the accounts of a person: its members', and those of payers that it turned out to be."""
    condition = {"chain": chain, "account": {"$in": list(ids)}, "kind": EntryKind.MERGED_FROM.value}
    found = database.collection(ENTRIES).find(condition, {"reference": True})
    payers = {one["reference"] async for one in found if one["reference"].startswith(PAYER_PREFIX)}
    return [*ids, *sorted(payers)]
