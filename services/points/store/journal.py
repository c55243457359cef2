"""The journal in MongoDB: a batch is loaded, folded and written as one transaction with version guards."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pymongo import UpdateOne

from services.kit.errors import Problem
from services.kit.mongo.collections import Keyed
from services.kit.mongo.database import Database, Session
from services.kit.mongo.guards import insert_new, write_guarded
from services.kit.outbox.events import Event, EventCursor
from services.kit.outbox.outbox import Outbox
from services.kit.telemetry import span
from services.points import events
from services.points.domain.accounts import Account
from services.points.domain.batches import Folded, Key, Recorded
from services.points.domain.booking import BookedPurchase, Booking, BookPurchase
from services.points.store.collections import ACCOUNTS, ENTRIES, RECEIPTS
from services.points.store.documents import (
    Document,
    account_document,
    account_of,
    entry_document,
    receipt_document,
    receipt_of,
)
from services.points.usecases.ledger import Fold

MOST_LINKS = 100
"""Of a batch's traces; OpenTelemetry keeps 128 on a span."""


@dataclass(frozen=True, slots=True)
class _Loaded:
    """All that exists of what a batch touches."""

    accounts: Mapping[Key, Account]
    cursors: Mapping[Key, EventCursor]
    receipts: Mapping[Key, BookedPurchase]


class MongoJournal:
    """Accounts, receipts, entries and the outbox of one service's database."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database, self._outbox = database, outbox

    async def commit(self, commands: Sequence[BookPurchase], fold: Fold) -> Sequence[Recorded | Problem]:
        """Load, fold and write `commands` in one transaction; again from the load when somebody else was first.

        Nothing is read inside the transaction: the version guards and the unique keys of accounts, entries and
        receipts refuse whatever was decided on an old state, on any number of replicas.
        """

        async def once(session: Session) -> Sequence[Recorded | Problem]:
            loaded = await self._load(commands)
            folded = fold(commands, accounts=loaded.accounts, receipts=loaded.receipts)
            if folded.bookings:
                await self._write(folded, loaded, session)
            return folded.answers

        # A batch serves many calls, each with its own trace: it is a trace of its own that links to theirs.
        with span("ledger commit", links=[command.traceparent for command in commands[:MOST_LINKS]]):
            return await self._database.in_transaction(once)

    async def _load(self, commands: Sequence[BookPurchase]) -> _Loaded:
        accounts: dict[str, set[str]] = defaultdict(set)
        receipts: dict[str, set[str]] = defaultdict(set)
        for command in commands:
            accounts[command.chain].add(command.purchase.member)
            receipts[command.chain].add(command.purchase.key)
        found = await asyncio.gather(
            *(self._find(ACCOUNTS, chain, "account", members) for chain, members in accounts.items()),
            *(self._find(RECEIPTS, chain, "key", keys) for chain, keys in receipts.items()),
        )
        held = {(one["chain"], one["account"]): account_of(one) for many in found[: len(accounts)] for one in many}
        booked = {(one["chain"], one["key"]): receipt_of(one) for many in found[len(accounts) :] for one in many}
        return _Loaded(
            accounts={key: account for key, (account, _) in held.items()},
            cursors={key: cursor for key, (_, cursor) in held.items()},
            receipts=booked,
        )

    async def _find(self, keyed: Keyed, chain: str, field: str, names: Iterable[str]) -> list[Document]:
        found = self._database.collection(keyed).find({"chain": chain, field: {"$in": list(names)}}, {"_id": False})
        return await found.to_list(None)

    async def _write(self, folded: Folded, loaded: _Loaded, session: Session) -> None:
        told, cursors = _tell(folded.bookings, loaded.cursors)
        changed = {(one.command.chain, one.account.member): one.account for one in folded.bookings}
        opened: list[Document] = []
        updated: list[UpdateOne] = []
        # In the order of their keys: two batches that touch the same accounts then wait, instead of both failing.
        for (chain, member), account in sorted(changed.items(), key=lambda item: item[0]):
            key: Document = {"chain": chain, "account": member}
            content = account_document(account, cursors[chain, member])
            if (before := loaded.accounts.get((chain, member))) is None:
                opened.append({**key, **content})
            else:
                updated.append(UpdateOne({**key, "version": before.version}, {"$set": content}))
        await write_guarded(self._database.collection(ACCOUNTS), updated, session=session)
        await insert_new(self._database.collection(ACCOUNTS), opened, session=session)
        entries = [entry_document(one.command.chain, one.entry) for one in folded.bookings]
        await insert_new(self._database.collection(ENTRIES), entries, session=session)
        receipts = [receipt_document(one) for one in folded.bookings]
        await insert_new(self._database.collection(RECEIPTS), receipts, session=session)
        await self._outbox.write(told, session)


def _tell(
    bookings: Sequence[Booking], cursors: Mapping[Key, EventCursor]
) -> tuple[list[Event], Mapping[Key, EventCursor]]:
    told: list[Event] = []
    after = dict(cursors)
    for booking in bookings:
        key = booking.command.chain, booking.account.member
        for event, cursor in events.told(booking, after.get(key, EventCursor())):
            after[key] = cursor
            told.append(event)
    return told, after
