"""Exports in MongoDB: a document for each, and one for each sealed chunk of its file.

A file is sealed under a key of its own, which lies in the vault beside those of members: whoever destroys it has
destroyed the file in every backup, too.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from pymongo import DESCENDING, UpdateOne

from services.kit.mongo.collections import EVERYWHERE, Document
from services.kit.mongo.command_keys import keep, kept, row
from services.kit.mongo.database import Database, Session
from services.kit.mongo.guards import insert_new, write_guarded
from services.members.domain.exports import (
    MOST_FETCHES,
    MOST_KEPT,
    MOST_OPEN,
    OPEN,
    Export,
    ExportState,
    Fetch,
    ListKind,
    NoExportError,
    NotFetchableError,
    Rows,
    TooManyExportsError,
)
from services.members.store import looks
from services.members.store.export_collections import EXPORT_CHUNKS, EXPORTS, take_turns
from services.members.store.export_documents import export_document, export_of, progress
from services.members.store.export_lists import ListSource, View, sources
from services.members.store.vault import Vault
from services.members.usecases.exports import ExportUnit, Named
from services.members.usecases.looks import Look
from services.members.usecases.units import CommandKey

T = TypeVar("T")

SWEPT_AT_ONCE = 50
"""Chunks that are deleted with one command."""

MOST_COUNTED = 5_000_000
"""Rows that an estimate counts; a longer list has none."""

NOT_DROPPED = {"$ne": ExportState.DROPPED.value}


class MongoExports:
    """Exports of one service's database. `lists` are what can be exported; all that there are unless told otherwise."""

    def __init__(self, database: Database, vault: Vault, lists: Sequence[ListSource] | None = None) -> None:
        self._database, self._vault = database, vault
        self._exports, self._chunks = database.collection(EXPORTS), database.collection(EXPORT_CHUNKS)
        self._sources = {one.kind.name: one for one in lists or sources(database, vault)}

    @property
    def lists(self) -> Mapping[str, ListKind]:
        """What can be exported, by name."""
        return {name: source.kind for name, source in self._sources.items()}

    async def start(self, chain: str, export: Export, command: CommandKey) -> Export:
        """Keep a new export, and drop the oldest beyond those that are kept; the first one for a command again."""

        async def once(session: Session) -> Export:
            if (
                used := (await kept(self._database, chain, [command.key], session=session)).get(command.key)
            ) is not None:
                return await self._one(chain, used.answer_to(command.asked_for).decode(), session=session)
            there = await self._every(chain, session=session)
            if _open(there) >= MOST_OPEN:
                raise TooManyExportsError(most=MOST_OPEN)
            over = [one.id for one in there if one.state not in OPEN][max(0, MOST_KEPT - 1 - _open(there)) :]
            await self._drop(chain, over, session=session)
            await insert_new(self._exports, [export_document(chain, export)], session=session)
            await self._vault.make([(chain, export.id)], now=export.created_at, session=session)
            # Two at once would each count the others without the other.
            await take_turns(self._database, chain, session=session)
            used_now = row(
                chain=chain,
                key=command.key,
                fingerprint=command.asked_for,
                answer=export.id.encode(),
                summary=f"{export.id} was started with it",
                now=export.created_at,
            )
            await keep(self._database, [used_now], session=session)
            return export

        return await self._database.in_transaction(once)

    async def get(self, chain: str, export_id: str) -> Export:
        """Return an export. Raises NoExportError."""
        return await self._one(chain, export_id)

    async def every(self, chain: str) -> Sequence[Export]:
        """Return the exports that are kept, the latest first."""
        return await self._every(chain)

    async def end(self, chain: str, export_id: str, *, state: ExportState, at: datetime, failure: str = "") -> Export:
        """End an export that is open, and destroy its content; one that is over stays as it is."""

        async def once(session: Session) -> Export:
            found = await self._one(chain, export_id, session=session)
            if found.state not in OPEN:
                return found
            ended = {"state": state.value, "open": False, "sweep": True, "finished_at": at, "failure": failure}
            guarded = {"chain": chain, "export": export_id, "version": found.version}
            write = UpdateOne(guarded, {"$set": ended, "$inc": {"version": 1}})
            await write_guarded(self._exports, [write], session=session)
            await self._vault.discard(chain, [export_id], session=session)
            return await self._one(chain, export_id, session=session)

        return await self._database.in_transaction(once)

    async def failed(self, chain: str, export_id: str) -> Export:
        """Count one more failure to write the next chunk, and return the export."""
        await self._exports.update_one({"chain": chain, "export": export_id}, {"$inc": {"failures": 1}})
        return await self._one(chain, export_id)

    async def estimate(self, chain: str, export: Export) -> None:
        """Count what rows there are, as far as that is cheap, and keep the number."""
        counted = await self._sources[export.list].count(_view(chain, export), most=MOST_COUNTED)
        if counted < MOST_COUNTED:
            key = {"chain": chain, "export": export.id}
            await self._exports.update_one(key, {"$set": {"rows_estimated": counted}})

    async def chunks(self, chain: str, export: Export, *, first: int) -> AsyncIterator[bytes]:
        """Yield the chunks of the file from number `first` on."""
        # The key is read for each chunk: an erasure ends a fetch that is under way.
        for number in range(first, export.chunks):
            key = (await self._vault.keys(chain, [export.id])).get(export.id)
            found = await self._chunks.find_one({"chain": chain, "export": export.id, "chunk": number})
            if key is None or found is None:
                raise NotFetchableError(field="id", state="destroyed or dropped")
            yield self._vault.unseal(key, found["sealed"], place=_place(chain, export.id, number))

    async def note_fetch(self, chain: str, export_id: str, fetch: Fetch) -> None:
        """Remember that somebody fetched the file."""
        latest = {"$each": [{"by": fetch.by, "at": fetch.at}], "$slice": -MOST_FETCHES}
        await self._exports.update_one({"chain": chain, "export": export_id}, {"$push": {"fetches": latest}})

    async def carry_on(self, named: Named, body: Callable[[ExportUnit], Awaitable[T]]) -> T:
        """Do `body` in one transaction, again from the start when somebody else was first."""

        async def once(session: Session) -> T:
            return await body(_MongoExportUnit(self._database, self._vault, session, named, self._sources))

        return await self._database.in_transaction(once)

    async def open(self, *, first: int) -> list[Named]:
        """Return up to `first` exports, of all chains, that wait or are written."""
        found = self._exports.find({"open": True}, {"chain": True, "export": True}, comment=EVERYWHERE)
        return [Named(one["chain"], one["export"]) for one in await found.limit(first).to_list(first)]

    async def sweep(self, *, now: datetime, first: int) -> int:
        """Drop what has become too old by the platform's time, and delete the chunks of up to `first` files that are
        gone; returns how many files."""
        old = {"expires_at": {"$lte": now}, "state": NOT_DROPPED}
        for one in await self._exports.find(old, comment=EVERYWHERE).limit(first).to_list(first):
            await self._database.in_transaction(
                lambda session, one=one: self._drop(one["chain"], [one["export"]], session=session)  # type: ignore[misc]
            )
        swept = await self._exports.find({"sweep": True}, comment=EVERYWHERE).limit(first).to_list(first)
        for one in swept:
            key = {"chain": one["chain"], "export": one["export"]}
            while some := await self._chunks.find(key, {"chunk": True}).limit(SWEPT_AT_ONCE).to_list(SWEPT_AT_ONCE):
                await self._chunks.delete_many(key | {"chunk": {"$in": [each["chunk"] for each in some]}})
            if one["state"] == ExportState.DROPPED.value:
                await self._exports.delete_one(key)
            else:
                await self._exports.update_one(key, {"$set": {"sweep": False}})
        return len(swept)

    async def _drop(self, chain: str, ids: Sequence[str], *, session: Session) -> None:
        if not ids:
            return
        gone = {"state": ExportState.DROPPED.value, "open": False, "sweep": True}
        condition = {"chain": chain, "export": {"$in": list(ids)}}
        await self._exports.update_many(condition, {"$set": gone, "$inc": {"version": 1}}, session=session)
        await self._vault.discard(chain, ids, session=session)

    async def _one(self, chain: str, export_id: str, *, session: Session | None = None) -> Export:
        condition = {"chain": chain, "export": export_id, "state": NOT_DROPPED}
        if (found := await self._exports.find_one(condition, session=session)) is None:
            raise NoExportError(field="id", export=export_id)
        return export_of(found)

    async def _every(self, chain: str, *, session: Session | None = None) -> list[Export]:
        most = MOST_KEPT + MOST_OPEN
        found = self._exports.find({"chain": chain, "state": NOT_DROPPED}, session=session)
        return [export_of(one) for one in await found.sort("export", DESCENDING).limit(most).to_list(most)]


class _MongoExportUnit:
    """One transaction on one export."""

    def __init__(
        self, database: Database, vault: Vault, session: Session, named: Named, lists: Mapping[str, ListSource]
    ) -> None:
        self._database, self._vault, self._session, self._named, self._lists = database, vault, session, named, lists

    async def export(self) -> Export:
        """Return the export as it is. Raises NoExportError."""
        condition = {"chain": self._named.chain, "export": self._named.export, "state": NOT_DROPPED}
        found = await self._database.collection(EXPORTS).find_one(condition, session=self._session)
        if found is None:
            raise NoExportError(field="id", export=self._named.export)
        return export_of(found)

    async def rows(self, export: Export, *, first: int) -> Rows:
        """Return the next rows of its list, as its maker may see them."""
        view = _view(self._named.chain, export)
        return await self._lists[export.list].rows(view, export.after, first=first, session=self._session)

    async def keep(self, export: Export, *, content: bytes, members: Sequence[str], look: Look | None) -> None:
        """Keep the export as it is now, with one more chunk unless there is nothing in it."""
        chain, number = self._named.chain, export.chunks - 1
        if content:
            key = (await self._vault.keys(chain, [export.id], session=self._session))[export.id]
            chunk: Document = {
                "chain": chain,
                "export": export.id,
                "chunk": number,
                "sealed": self._vault.seal(key, content, place=_place(chain, export.id, number)),
                "members": list(members),
                "first": min(members, default=""),
                "last": max(members, default=""),
            }
            await insert_new(self._database.collection(EXPORT_CHUNKS), [chunk], session=self._session)
        if look is not None:
            await looks.insert(self._database, chain, look, session=self._session)
        guarded = {"chain": chain, "export": export.id, "version": export.version - 1}
        write = UpdateOne(guarded, {"$set": progress(export)})
        await write_guarded(self._database.collection(EXPORTS), [write], session=self._session)
        await take_turns(self._database, chain, session=self._session)


def _view(chain: str, export: Export) -> View:
    return View(chain, export.role, export.filter, export.stores)


def _place(chain: str, export: str, chunk: int) -> tuple[str, str, str]:
    return chain, export, f"chunk {chunk}"


def _open(exports: Sequence[Export]) -> int:
    return sum(one.state in OPEN for one in exports)
