"""One service's database, whichever driver is behind it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TypeVar
from urllib.parse import parse_qs, urlsplit

import pymongo
from pymongo import IndexModel
from pymongo.errors import ConnectionFailure

from services.kit.cancellation import check_cancelled
from services.kit.mongo.collections import Collection, Document, Keyed, Session, ShardKeyListener
from services.kit.mongo.drivers import Client, Driver, Pipeline, Stream, connect
from services.kit.mongo.transactions import ATTEMPTS, Conflict, ContendedError, DatabaseDownError, Transactions

__all__ = ["Collection", "Conflict", "ContendedError", "Database", "DatabaseDownError", "Driver", "Keyed", "Session"]

T = TypeVar("T")

OPTIONS: Document = {
    "tz_aware": True,
    "retryWrites": True,
    "retryReads": True,
    "serverSelectionTimeoutMS": 5_000,
    "connectTimeoutMS": 5_000,
    "socketTimeoutMS": 30_000,
    "waitQueueTimeoutMS": 5_000,
    # motor has five threads for each core, so more connections than that are only of use to PyMongo's client.
    "maxPoolSize": 50,
}

MOST_DOCUMENTS = 10_000
"""What one aggregation may return; more means that a page is missing somewhere."""

AWAIT_CHANGE_MS = 1_000
"""How long the server holds on to an idle change stream's question before it answers "nothing"."""

INDEX_BUILD_S = 3_600.0
"""An index over all receipts of a large chain takes minutes; nothing else may take as long."""


class Database:
    """A named database on a replica set. Reads and writes are majority and journaled unless said otherwise."""

    def __init__(self, client: Client, *, name: str, listener: ShardKeyListener | None = None) -> None:
        self.name = name
        self.listener = listener
        self._client = client
        self._collections: dict[str, Collection] = {}
        self._transactions = Transactions(client)
        self._closing: set[asyncio.Task[None]] = set()
        self._beside: list[Database] = []

    @classmethod
    def connect(
        cls, url: str, *, name: str, driver: Driver = Driver.MOTOR, check_shard_keys: bool = False
    ) -> "Database":
        """Return the database `name` behind `url`, whose options win over `OPTIONS`. It connects at the first command.

        With `check_shard_keys` (tests), `listener.misses` collects every command without its shard key.
        """
        listener = ShardKeyListener(name) if check_shard_keys else None
        named = {option.lower() for option in parse_qs(urlsplit(url).query)}
        options = {option: value for option, value in OPTIONS.items() if option.lower() not in named}
        if listener:
            options["event_listeners"] = [listener]
        return cls(connect(driver, url, options), name=name, listener=listener)

    def beside(self, suffix: str) -> "Database":
        """Return another database of the same service over the same connections, so that one transaction may span both.

        For what is backed up apart. It is dropped and closed with this one.
        """
        other = Database(self._client, name=f"{self.name}_{suffix}", listener=self.listener)
        if self.listener:
            self.listener.listen_to(other.name)
        self._beside.append(other)
        return other

    def collection(self, keyed: Keyed) -> Collection:
        """Return the collection. Use `aggregate` and `watch` of this class, not the collection's own."""
        if self.listener:
            self.listener.declare(keyed)
        if (known := self._collections.get(keyed.name)) is None:
            known = self._collections[keyed.name] = self._client.collection(self.name, keyed.name)
        return known

    async def aggregate(
        self, keyed: Keyed, pipeline: Pipeline, *, session: Session | None = None, limit: int = MOST_DOCUMENTS
    ) -> list[Document]:
        """Return what the aggregation yields; more than `limit` documents are a ValueError, never cut off silently."""
        found = await self._client.aggregate(self.collection(keyed), pipeline, session, limit + 1)
        if len(found) > limit:
            message = f"an aggregation over {keyed.name} yielded more than {limit} documents"
            raise ValueError(message)
        return found

    @asynccontextmanager
    async def watch(
        self, keyed: Keyed, pipeline: Pipeline, *, resume_after: Document | None = None
    ) -> AsyncIterator[AsyncIterator[Document]]:
        """Open a change stream: `async with database.watch(...) as changes`, `async for change in changes`.

        Every change that is committed after the `async with` was entered is seen. The driver resumes by itself after
        a lost connection; what it cannot mend (a rolled-over oplog, a dropped collection) ends the loop or is raised
        as PyMongoError, and then changes may have been missed.
        """
        options = {"resume_after": resume_after, "max_await_time_ms": AWAIT_CHANGE_MS}
        stream = await self._client.watch(self.collection(keyed), pipeline, options)
        try:
            yield _Changes(stream)
        finally:
            closing = asyncio.create_task(_close(stream))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def in_transaction(self, body: Callable[[Session], Awaitable[T]]) -> T:
        """Commit what `body(session)` writes, all or nothing, and return its result.

        Runs `body` again, up to 8 times, when it raises `Conflict` or the server sees a write conflict; then
        `ContendedError`. Raises `DatabaseDownError`, `OutcomeUnknownError`, and whatever `body` raises.
        """
        try:
            return await self._transactions.run(body, attempts=ATTEMPTS)
        except Conflict as conflict:
            if isinstance(conflict.__cause__, ConnectionFailure):
                raise DatabaseDownError from conflict
            raise ContendedError(retry_after_ms=1_000) from conflict

    async def once_in_transaction(self, body: Callable[[Session], Awaitable[T]]) -> T:
        """As `in_transaction`, but `Conflict` is raised at the first one: the caller decides what to read again."""
        return await self._transactions.run(body, attempts=1)

    async def wait_until_up(self, within_s: float) -> None:
        """Return when a primary answers, or raise `DatabaseDownError` after `within_s`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within_s
        while True:
            try:
                with pymongo.timeout(max(0.1, min(2.0, deadline - loop.time()))):
                    await self._client.command("admin", {"ping": 1})
            except ConnectionFailure as error:
                if loop.time() >= deadline:
                    raise DatabaseDownError from error
                await asyncio.sleep(0.1)
            else:
                return

    async def drop(self) -> None:
        """Delete everything (tests)."""
        for other in self._beside:
            await other.drop()
        await self._client.command(self.name, {"dropDatabase": 1})

    async def close(self) -> None:
        """Disconnect, after the transactions and streams that are under way have ended."""
        await self._transactions.drained()
        while self._closing:
            await asyncio.wait(self._closing)
        await self._client.close()


async def create_indexes(database: Database, keyed: Keyed, indexes: Sequence[IndexModel]) -> None:
    """Create the collection with `indexes`, and with one on its shard key unless one begins with it. Safe to repeat.

    A unique index must begin with the shard key, or it would be unique on each shard only: ValueError.
    """
    needed = list(indexes)
    begins = [_begins_with(index, keyed.shard_key) for index in indexes]
    for index, begins_with_key in zip(indexes, begins, strict=True):
        if index.document.get("unique") and not begins_with_key:
            message = f"a unique index of {keyed.name} must begin with {keyed.shard_key}: {index.document['name']}"
            raise ValueError(message)
    if keyed.shard_key and not any(begins):
        needed.append(IndexModel([(field, 1) for field in keyed.shard_key]))
    if needed:
        with pymongo.timeout(INDEX_BUILD_S):
            await database.collection(keyed).create_indexes(needed)


def _begins_with(index: IndexModel, shard_key: Sequence[str]) -> bool:
    return list(index.document["key"])[: len(shard_key)] == list(shard_key)


class _Changes:
    """The changes of an open stream, until it ends."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def __aiter__(self) -> "_Changes":
        return self

    async def __anext__(self) -> Document:
        while not self._stream.ended():
            change = await self._stream.next()
            check_cancelled()
            if change is not None:
                return change
        raise StopAsyncIteration


async def _close(stream: Stream) -> None:
    # What cannot be closed any more has lost its connection, and the server ends such a stream by itself.
    with suppress(Exception):
        await stream.close()
