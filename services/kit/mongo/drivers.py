"""The two drivers: motor, which this project was asked to use, and PyMongo's own asynchronous client.

They have the same API but for four calls, evened out here: `aggregate`, `start_session`, `start_transaction`, `watch`.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from functools import partial
from typing import Any, Protocol, TypeVar, cast

from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import AsyncMongoClient, ReadPreference, WriteConcern
from pymongo.asynchronous.change_stream import AsyncCollectionChangeStream
from pymongo.asynchronous.command_cursor import AsyncCommandCursor
from pymongo.read_concern import ReadConcern
from pymongo.synchronous.change_stream import CollectionChangeStream

from services.kit.mongo.collections import Collection, Document, Session

T = TypeVar("T")

Pipeline = list[dict[str, Any]]

MAJORITY = WriteConcern(w="majority", j=True, wtimeout=10_000)
TRANSACTION: dict[str, Any] = {
    "read_concern": ReadConcern("snapshot"),
    "write_concern": MAJORITY,
    "read_preference": ReadPreference.PRIMARY,
    "max_commit_time_ms": 10_000,
}


class Driver(StrEnum):
    """Which driver a process uses."""

    MOTOR = "motor"
    PYMONGO = "pymongo"


class Stream(Protocol):
    """An open change stream."""

    async def next(self) -> Document | None:
        """Return the next change, or None after `max_await_time_ms` without one."""

    def ended(self) -> bool:
        """Tell whether nothing more will come: the collection was dropped or renamed."""

    async def close(self) -> None:
        """Give the server's cursor back."""


class Client(Protocol):
    """A connected driver."""

    def collection(self, database: str, name: str) -> Collection:
        """Return a collection that reads and writes what a majority has."""

    async def command(self, database: str, command: Document) -> Document:
        """Run a database command on the primary."""

    async def aggregate(
        self, collection: Collection, pipeline: Pipeline, session: Session | None, limit: int
    ) -> list[Document]:
        """Return the first `limit` documents of an aggregation."""

    async def start_session(self) -> Session:
        """Take a session; it must be ended."""

    async def start_transaction(self, session: Session) -> None:
        """Begin a transaction with the options of `TRANSACTION`."""

    async def watch(self, collection: Collection, pipeline: Pipeline, options: Document) -> Stream:
        """Open a change stream: what is committed after this returns is seen."""

    async def close(self) -> None:
        """Disconnect."""


def connect(driver: Driver, url: str, options: Document) -> Client:
    """Return a client that connects at its first command."""
    return _MotorClient(url, options) if driver is Driver.MOTOR else _PyMongoClient(url, options)


class _PyMongoClient:
    """PyMongo's asynchronous client."""

    def __init__(self, url: str, options: Document) -> None:
        self._client: AsyncMongoClient[Document] = AsyncMongoClient(url, **options)

    def collection(self, database: str, name: str) -> Collection:
        return self._client[database].get_collection(name, read_concern=ReadConcern("majority"), write_concern=MAJORITY)

    async def command(self, database: str, command: Document) -> Document:
        return await self._client[database].command(command)

    async def aggregate(
        self, collection: Collection, pipeline: Pipeline, session: Session | None, limit: int
    ) -> list[Document]:
        cursor: AsyncCommandCursor[Document] = await collection.aggregate(pipeline, session=session)
        async with cursor:
            return await cursor.to_list(limit)

    async def start_session(self) -> Session:
        return self._client.start_session()

    async def start_transaction(self, session: Session) -> None:
        await session.start_transaction(**TRANSACTION)

    async def watch(self, collection: Collection, pipeline: Pipeline, options: Document) -> Stream:
        return _PyMongoStream(await collection.watch(pipeline, **options))

    async def close(self) -> None:
        await self._client.close()


class _PyMongoStream:
    def __init__(self, stream: AsyncCollectionChangeStream[Document]) -> None:
        self._stream = stream

    async def next(self) -> Document | None:
        return await self._stream.try_next()

    def ended(self) -> bool:
        return not self._stream.alive

    async def close(self) -> None:
        await self._stream.close()


class _MotorClient:
    """Motor: PyMongo's synchronous client on threads."""

    def __init__(self, url: str, options: Document) -> None:
        self._client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(url, **options)

    def collection(self, database: str, name: str) -> Collection:
        collection = self._client[database].get_collection(
            name, read_concern=ReadConcern("majority"), write_concern=MAJORITY
        )
        return cast("Collection", collection)

    async def command(self, database: str, command: Document) -> Document:
        return await self._client[database].command(command)

    async def aggregate(
        self, collection: Collection, pipeline: Pipeline, session: Session | None, limit: int
    ) -> list[Document]:
        cursor = cast("Any", collection).aggregate(pipeline, session=session)
        try:
            return cast("list[Document]", await cursor.to_list(limit))
        finally:
            await cursor.close()

    async def start_session(self) -> Session:
        return cast("Session", await self._client.start_session())

    async def start_transaction(self, session: Session) -> None:
        # Not awaited: motor's only notes that the next command begins a transaction.
        cast("Any", session).start_transaction(**TRANSACTION)

    async def watch(self, collection: Collection, pipeline: Pipeline, options: Document) -> Stream:
        stream = _MotorStream()
        await stream.open(partial(cast("Any", collection).delegate.watch, pipeline, **options))
        return stream

    async def close(self) -> None:
        # On a thread: it says good-bye to the server, and motor would have the event loop wait for the answer.
        await asyncio.to_thread(self._client.delegate.close)


class _MotorStream:
    """A change stream on a thread of its own: motor's would keep one of the few threads that all commands share,
    and it cannot be closed while a cancelled `next` still waits on its thread. Here the close queues behind it."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="change-stream")
        self._stream: CollectionChangeStream[Document] | None = None

    async def open(self, watch: Callable[[], CollectionChangeStream[Document]]) -> None:
        try:
            await self._run(partial(self._open, watch))
        except BaseException:
            self._thread.submit(self._close)
            self._thread.shutdown(wait=False)
            raise

    async def next(self) -> Document | None:
        return await self._run(self._next)

    def ended(self) -> bool:
        return self._stream is None or not self._stream.alive

    async def close(self) -> None:
        closed = self._run(self._close)
        self._thread.shutdown(wait=False)
        await closed

    def _run(self, call: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._thread, call)

    def _open(self, watch: Callable[[], CollectionChangeStream[Document]]) -> None:
        self._stream = watch()

    def _next(self) -> Document | None:
        return self._stream.try_next() if self._stream else None

    def _close(self) -> None:
        if self._stream:
            self._stream.close()
