"""Writing what a batch changes, within its transaction."""

from collections.abc import Iterable

from pymongo import UpdateOne

from services.kit.mongo import command_keys
from services.kit.mongo.collections import Document, Keyed
from services.kit.mongo.database import Database, Session
from services.kit.mongo.guards import insert_new, write_guarded
from services.kit.outbox.events import Event, EventCursor
from services.kit.outbox.outbox import Outbox
from services.points.domain.accounts import PAYER_PREFIX
from services.points.domain.books import Books, Changes
from services.points.domain.drafts import Key
from services.points.events import told as events
from services.points.store.collections import (
    ACCOUNTS,
    ADJUSTMENTS,
    ENTRIES,
    HOLDS,
    LOTS,
    NOTES,
    PAYERS,
    RECEIPTS,
    REFUNDS,
)
from services.points.store.documents.accounts import account_document, hold_document, lot_document
from services.points.store.documents.answers import adjustment_document, answer_bytes
from services.points.store.documents.entries import entry_documents
from services.points.store.documents.receipts import receipt_document, refund_document
from services.points.store.loading import Loaded


async def write(database: Database, outbox: Outbox, changes: Changes, loaded: Loaded, session: Session) -> None:
    """Write `changes` over what was `loaded`; Conflict when any of it is not as it was then."""
    told, cursors = _tell(changes, loaded)
    writer = _Writer(database, session)
    await _accounts(writer, changes, loaded, cursors)
    await writer.insert(ENTRIES, [one for chain, entry in changes.entries for one in entry_documents(chain, entry)])
    await _lots_and_holds(writer, changes, loaded.books)
    await _receipts(writer, changes, loaded.books)
    await _keyed(writer, changes, loaded.books)
    await outbox.write(told, session)


class _Writer:
    """Inserts and guarded updates of one transaction."""

    def __init__(self, database: Database, session: Session) -> None:
        self.database, self.session = database, session

    async def insert(self, keyed: Keyed, documents: list[Document]) -> None:
        await insert_new(self.database.collection(keyed), documents, session=self.session)

    async def update(self, keyed: Keyed, updates: Iterable[tuple[Document, Document]]) -> None:
        writes = [UpdateOne(which, {"$set": content}) for which, content in updates]
        await write_guarded(self.database.collection(keyed), writes, session=self.session)


async def _accounts(writer: _Writer, changes: Changes, loaded: Loaded, cursors: dict[Key, EventCursor]) -> None:
    opened: list[Document] = []
    updated: list[tuple[Document, Document]] = []
    # In the order of their keys: two batches that touch the same accounts then wait, instead of both failing.
    for (chain, name), account in sorted(changes.accounts.items(), key=lambda item: item[0]):
        key: Document = {"chain": chain, "account": name}
        content = account_document(account, cursors.get((chain, name), EventCursor()))
        if (before := loaded.books.accounts.get((chain, name))) is None:
            opened.append({**key, **content})
        else:
            updated.append(({**key, "version": before.version}, content))
    await writer.update(ACCOUNTS, updated)
    await writer.insert(ACCOUNTS, opened)
    # Noted in the same transaction, so that whatever crashes, somebody will ask who they are.
    payers = [
        {"chain": one["chain"], "account": one["account"], "since": one["booked_at"]}
        for one in opened
        if one["account"].startswith(PAYER_PREFIX)
    ]
    await writer.insert(PAYERS, payers)


async def _lots_and_holds(writer: _Writer, changes: Changes, before: Books) -> None:
    """Write them by id alone: whoever changes an account's lots raises its version, which guards them all."""
    new: list[Document] = []
    changed: list[tuple[Document, Document]] = []
    for (key, id_), lot in changes.lots.items():
        name: Document = {"chain": key[0], "account": key[1], "lot": id_}
        content = lot_document(lot)
        if id_ in before.lots.get(key, ()):
            changed.append((name, content))
        else:
            new.append({**name, **content})
    await writer.insert(LOTS, new)
    await writer.update(LOTS, changed)
    new, changed = [], []
    for (key, id_), hold in changes.holds.items():
        name = {"chain": key[0], "account": key[1], "hold": id_}
        content = hold_document(hold)
        if id_ in before.holds.get(key, ()):
            changed.append((name, content))
        else:
            new.append({**name, **content})
    await writer.insert(HOLDS, new)
    await writer.update(HOLDS, changed)


async def _receipts(writer: _Writer, changes: Changes, before: Books) -> None:
    new: list[Document] = []
    changed: list[tuple[Document, Document]] = []
    for (chain, key), receipt in changes.receipts.items():
        name: Document = {"chain": chain, "key": key}
        content = receipt_document(receipt)
        if (known := before.receipts.get((chain, key))) is None:
            new.append({**name, **content})
        else:
            changed.append(({**name, "revision": known.revision}, content))
    await writer.insert(RECEIPTS, new)
    await writer.update(RECEIPTS, changed)
    waited = {one.id for receipt in before.receipts.values() for one in receipt.waiting}
    new, changed = [], []
    for (chain, key), refund in changes.refunds.items():
        name, content = {"chain": chain, "key": key}, refund_document(refund)
        if refund.id in waited:
            changed.append((name, content))
        else:
            new.append({**name, **content})
    await writer.insert(REFUNDS, new)
    await writer.update(REFUNDS, changed)


async def _keyed(writer: _Writer, changes: Changes, before: Books) -> None:
    new: list[Document] = []
    changed: list[tuple[Document, Document]] = []
    for (chain, id_), adjustment in changes.adjustments.items():
        name: Document = {"chain": chain, "adjustment": id_}
        content = adjustment_document(adjustment)
        if (known := before.adjustments.get((chain, id_))) is None:
            new.append({**name, **content})
        else:
            changed.append(({**name, "state": known.state.value}, content))
    await writer.insert(ADJUSTMENTS, new)
    await writer.update(ADJUSTMENTS, changed)
    notes = [
        {"chain": key[0], "account": key[1], "note": note.commitment, "salt": note.salt, "text": note.text}
        for key, note in changes.notes
    ]
    await writer.insert(NOTES, notes)
    rows = [
        command_keys.row(
            chain=chain,
            key=key,
            fingerprint=kept.fingerprint,
            answer=answer_bytes(kept.answer),
            summary=kept.summary,
            now=kept.at,
        )
        for (chain, key), kept in changes.kept.items()
    ]
    await command_keys.keep(writer.database, rows, session=writer.session)


def _tell(changes: Changes, loaded: Loaded) -> tuple[list[Event], dict[Key, EventCursor]]:
    cursors = {key: loaded.cursors.get(key, EventCursor()) for key in changes.accounts}
    told: list[Event] = []
    for key, event, command in changes.told:
        cursors[key] = cursor = cursors[key].next(command.author.booked_at)
        told.append(events.told(event, key, command, cursor))
    return told, cursors
