"""Points put together for measuring: of the files here, the one that knows the inside of the service.

Left out are the neighbours, on both sides of every ratio: members is played (everybody and every store exists), and
no relay takes the outbox rows away that each commit writes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.kit.clock import system_clock
from services.kit.errors import Problem
from services.kit.group_commit import GroupCommit
from services.kit.ids import make_id
from services.kit.keys import OwnKey
from services.kit.mongo import command_keys
from services.kit.mongo.chain_clocks import MongoChainClocks
from services.kit.mongo.database import Database
from services.kit.outbox import outbox as outbox_collections
from services.kit.outbox.events import EventCursor
from services.kit.outbox.outbox import OUTBOX, Outbox
from services.kit.principal import Principal
from services.kit.rpc.server import Servicer
from services.points import main
from services.points.domain.accounts import Account
from services.points.domain.batches import Answer, Recorded
from services.points.domain.commands import AnyCommand
from services.points.domain.identities import IdentityHasher
from services.points.domain.items import Item
from services.points.domain.programs import Programs
from services.points.domain.purchases import Line, Purchase
from services.points.store.collections import ACCOUNTS, ENTRIES, LOTS, RECEIPTS
from services.points.store.documents.accounts import account_document
from services.points.store.journal import MongoJournal
from services.points.store.migrations import MIGRATIONS
from services.points.usecases.ledger import Call, Ledger, commit
from services.points.usecases.record_purchases import (
    Identity,
    Payer,
    Receipt,
    Recorder,
    Store,
    record_purchases,
)
from tests.bench.receipts import CHAIN, CURRENCY, TIME_ZONE, Bill
from tests.support.programs import OneProgram

SIGNER = OwnKey("points/bench", Ed25519PrivateKey.from_private_bytes(bytes(32)))

Mode = Literal["group", "txn"]
"""What the product does, and the simple way that it is compared with: a transaction for each purchase."""

AT_ONCE = 64
"""Transactions under way at most in the simple way, as many as there are callers in `points.unary_vs_txn`. Fewer, and
the other driver, were tried: no better."""

ACCOUNT_DOCUMENTS, ENTRY_DOCUMENTS, RECEIPT_DOCUMENTS = ACCOUNTS.name, ENTRIES.name, RECEIPTS.name
EVENT_DOCUMENTS = OUTBOX.name

STAYS = (ENTRIES.name, RECEIPTS.name, LOTS.name)
"""What a purchase leaves behind; its outbox rows go once they are relayed, and its account was there."""

POSTED = "$amount"
"""Of an entry's document: the points that it moved."""

HELD = {"$sum": [f"$balances.points.{part}" for part in ("available", "pending", "held")]}
"""Of an account's document: its points."""

PROGRAMS = OneProgram(Programs())


class OneByOne:
    """A ledger that gives every command a transaction of its own, all that came together at the same time."""

    def __init__(self, commit: Callable[[Sequence[AnyCommand]], Awaitable[Sequence[Answer | Problem]]]) -> None:
        self._commit = commit
        self._free = asyncio.Semaphore(AT_ONCE)

    async def start(self) -> None:
        """Nothing is to be started."""

    async def stop(self) -> None:
        """Nothing is left: the server has answered its calls before."""

    def check_room(self, count: int) -> None:
        """Whatever comes is taken in."""

    async def submit_all(self, commands: Sequence[AnyCommand]) -> list[Answer | Problem]:
        """Return the outcomes in order."""
        return list(await asyncio.gather(*(self._alone(command) for command in commands)))

    async def _alone(self, command: AnyCommand) -> Answer | Problem:
        async with self._free:
            try:
                [answer] = await self._commit([command])
            except Problem as problem:
                return problem
            return answer


class Neighbours:
    """Members as points sees it: everybody and every store exists."""

    async def resolve(self, _chain: str, identities: frozenset[Identity]) -> Mapping[Identity, str]:
        """Return a member for each identity, named like it."""
        return {identity: identity.value for identity in identities}

    async def enroll_payers(self, _chain: str, payers: Sequence[Payer]) -> Mapping[str, str]:
        """Return a member for each payer, named like their hash."""
        return {payer.hash: payer.hash for payer in payers}

    async def existing(self, _chain: str, ids: frozenset[str]) -> frozenset[str]:
        """Return all of them."""
        return ids

    async def stores(self, _chain: str, ids: frozenset[str]) -> Mapping[str, Store]:
        """Return a store for each id."""
        return {id_: Store(id=id_, version=1, time_zone=TIME_ZONE, currency=CURRENCY) for id_ in ids}

    async def items(self, _chain: str, _codes: frozenset[str]) -> Mapping[str, Item]:
        """Return none: nobody has a menu."""
        return {}


def ledger_on(database: Database, mode: Mode) -> GroupCommit[AnyCommand, Answer] | OneByOne:
    """Return the ledger of `mode`; both write the same documents, in transactions of the same durability."""
    if mode == "group":
        return main.group_commit(database, Outbox(database), PROGRAMS)
    return OneByOne(partial(commit, journal=MongoJournal(database, Outbox(database), PROGRAMS)))


def recorder_on(ledger: Ledger) -> Recorder:
    """Return what recording needs, with the neighbours played."""
    neighbours = Neighbours()
    hasher = IdentityHasher(bytes(32))
    return Recorder(
        stores=neighbours, members=neighbours, ledger=ledger, hasher=hasher, programs=PROGRAMS, items=neighbours
    )


def servicers_on(database: Database, ledger: Ledger) -> list[Servicer]:
    """Return what answers calls, as in the product."""
    return main.servicers(
        database,
        recorder=recorder_on(ledger),
        programs=PROGRAMS,
        signer=SIGNER,
        clocks=MongoChainClocks(database, system=system_clock),
    )


async def set_up(database: Database) -> None:
    """Make the collections as the service's migrations do."""
    await command_keys.set_up(database)
    await outbox_collections.set_up(database)
    for migration in MIGRATIONS:
        await migration.apply(database)


def account_documents(names: Iterable[str]) -> list[dict[str, Any]]:
    """Return empty accounts as the service opens them."""
    return [{"chain": CHAIN, "account": name, **account_document(Account(name), EventCursor())} for name in names]


async def book(bill: Bill, *, caller: Principal, recorder: Recorder) -> None:
    """Record one receipt without gRPC; raise its Problem."""
    content = Purchase(
        store=bill.store,
        receipt_number=bill.number,
        member="",
        occurred_at=system_clock(),
        currency=CURRENCY,
        lines=tuple(Line(item, 1, amount_minor) for item, amount_minor in bill.lines),
    )
    call = Call(caller=caller, now=system_clock(), make_id=make_id)
    [answer] = await record_purchases([Receipt(content, buyer=bill.member)], call=call, recorder=recorder)
    if not isinstance(answer, Recorded):
        raise answer
