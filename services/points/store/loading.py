"""Loading what a batch touches: one query for each collection and chain, all under way at once."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from services.kit.mongo import command_keys
from services.kit.mongo.collections import Document, Keyed
from services.kit.mongo.database import Database
from services.kit.outbox.events import EventCursor
from services.points.domain.batches import further_needs, needs
from services.points.domain.books import Books, Needs
from services.points.domain.commands import AnyCommand
from services.points.domain.drafts import Key
from services.points.domain.ties import NO_TIES
from services.points.store.collections import ACCOUNTS, ADJUSTMENTS, HOLDS, LOTS, RECEIPTS, REFUNDS
from services.points.store.documents.accounts import account_of, hold_of, lot_of
from services.points.store.documents.answers import adjustment_of, kept_of
from services.points.store.documents.receipts import receipt_of, refund_of
from services.points.usecases.programs import ProgramSource


class Loaded:
    """Books as the database has them, and how far each account has told its events."""

    def __init__(self, database: Database, programs: ProgramSource) -> None:
        self.books = Books()
        self.cursors: dict[Key, EventCursor] = {}
        self._database, self._programs = database, programs

    async def load_for(self, commands: Sequence[AnyCommand]) -> None:
        """Load what the commands name, and what that shows to be needed besides."""
        self.books.programs.update(await self._programs.of({command.chain for command in commands}))
        await self.load(needs(commands))
        if further := further_needs(commands, self.books):
            await self.load(further)

    async def load(self, wanted: Needs) -> None:
        """Load `wanted`. Accounts come before their lots and holds: when those are newer, the version guard tells."""
        books = self.books
        await asyncio.gather(
            self._accounts(wanted.accounts | wanted.whole),
            self._receipts(wanted.receipts),
            self._refunds(wanted.refunds),
            self._adjustments(wanted.adjustments),
            self._keys(wanted.keys),
        )
        for key in wanted.whole:
            books.lots.setdefault(key, {})
            books.holds.setdefault(key, {})
        books.asked_single |= wanted.lots | wanted.holds
        await asyncio.gather(
            self._lots(_by_chain(wanted.whole), {"open": True}),
            self._holds(_by_chain(wanted.whole), {"state": "open"}),
            self._lots(_by_chain(key for key, _ in wanted.lots), _any_of("lot", wanted.lots)),
            self._holds(_by_chain(key for key, _ in wanted.holds), _any_of("hold", wanted.holds)),
        )

    def has_ties(self) -> bool:
        """Tell whether an account among them was ever merged."""
        return any(account.merged_into or account.ties != NO_TIES for account in self.books.accounts.values())

    async def is_outdated(self) -> bool:
        """Tell whether an account among them has been changed since it was loaded."""
        for chain, names in _by_chain(self.books.asked).items():
            which = {"chain": chain, "account": {"$in": names}}
            found = (
                await self._database.collection(ACCOUNTS).find(which, {"account": True, "version": True}).to_list(None)
            )
            now = {one["account"]: one["version"] for one in found}
            if now != {
                name: self.books.accounts[chain, name].version for name in names if (chain, name) in self.books.accounts
            }:
                return True
        return False

    async def _accounts(self, keys: Iterable[Key]) -> None:
        self.books.asked.update(keys)
        for chain, names in _by_chain(keys).items():
            for document in await self._find(ACCOUNTS, {"chain": chain, "account": {"$in": names}}):
                account, cursor = account_of(document)
                self.books.accounts[chain, account.id] = account
                self.cursors[chain, account.id] = cursor

    async def _lots(self, accounts: dict[str, list[str]], which: Document) -> None:
        for chain, names in accounts.items():
            for document in await self._find(LOTS, {"chain": chain, "account": {"$in": names}, **which}):
                lot = lot_of(document)
                self.books.lots[chain, document["account"]][lot.id] = lot

    async def _holds(self, accounts: dict[str, list[str]], which: Document) -> None:
        for chain, names in accounts.items():
            for document in await self._find(HOLDS, {"chain": chain, "account": {"$in": names}, **which}):
                hold = hold_of(document)
                self.books.holds[chain, document["account"]][hold.id] = hold

    async def _receipts(self, keys: Iterable[Key]) -> None:
        for chain, names in _by_chain(keys).items():
            for document in await self._find(RECEIPTS, {"chain": chain, "key": {"$in": names}}):
                self.books.receipts[chain, document["key"]] = receipt_of(document)

    async def _refunds(self, keys: Iterable[Key]) -> None:
        for chain, names in _by_chain(keys).items():
            for document in await self._find(REFUNDS, {"chain": chain, "key": {"$in": names}}):
                self.books.refunds[chain, document["key"]] = refund_of(document)

    async def _adjustments(self, keys: Iterable[Key]) -> None:
        for chain, names in _by_chain(keys).items():
            for document in await self._find(ADJUSTMENTS, {"chain": chain, "adjustment": {"$in": names}}):
                self.books.adjustments[chain, document["adjustment"]] = adjustment_of(document)

    async def _keys(self, keys: Iterable[Key]) -> None:
        for chain, names in _by_chain(keys).items():
            for key, kept in (await command_keys.kept(self._database, chain, names)).items():
                self.books.kept[chain, key] = kept_of(kept)

    async def _find(self, keyed: Keyed, which: dict[str, Any]) -> list[Document]:
        return await self._database.collection(keyed).find(which, {"_id": False}).to_list(None)


def _any_of(field: str, single: Iterable[tuple[Key, str]]) -> Document:
    return {field: {"$in": sorted({id_ for _, id_ in single})}}


def _by_chain(keys: Iterable[Key]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for chain, name in sorted(set(keys)):
        found[chain].append(name)
    return found
