"""Transactions: all or nothing, tried again when another one was faster, never left open.

A transaction's body is not interrupted in the middle of a command: motor's commands run on threads that cannot be
stopped, and one that reaches the server after its transaction was aborted would open it again, holding its locks for
a minute. So a cancelled caller waits until the body's end; then the transaction is aborted instead of committed.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import pymongo
from pymongo.errors import ConnectionFailure, PyMongoError, ServerSelectionTimeoutError

from services.kit.errors import Kind, Problem
from services.kit.mongo.collections import Session
from services.kit.mongo.drivers import Client

T = TypeVar("T")
Body = Callable[[Session], Awaitable[T]]

ATTEMPTS = 8
"""A body that was overtaken seven times runs into a hot document, and more haste makes it hotter."""

FIRST_PAUSE_MS, LONGEST_PAUSE_MS = 5, 200
COMMIT_ATTEMPTS = 5
"""Each waits for a new primary where there is none: together about as long as an election takes at worst."""

ABORT_S = 2.0
"""An abort that does not arrive is no loss: the server aborts by itself when the session's next transaction begins."""

PATIENCE_S = 10.0
"""How long a cancelled caller waits for the body to end by itself."""


class Conflict(Exception):  # noqa: N818 - the outcome of a race, not an error: whoever sees it reads again and retries
    """Another writer was faster: a version guard did not match, or the server saw a write conflict."""


class ContendedError(Problem):
    """Too many others are changing the same thing right now. Please ask again in a moment."""

    kind = Kind.OVERLOADED
    code = "CONTENDED"


class DatabaseDownError(Problem):
    """The database cannot be reached right now. Please ask again in a moment."""

    kind = Kind.UNAVAILABLE
    code = "DATABASE_DOWN"


class OutcomeUnknownError(Problem):
    """The database went away while saving, so this may or may not have been done. Ask again with the same key."""

    kind = Kind.UNAVAILABLE
    code = "OUTCOME_UNKNOWN"


@dataclass(slots=True)
class _Abandoned:
    """Set when the caller was cancelled: what is under way must not be committed any more."""

    flag: bool = False

    def check(self) -> None:
        if self.flag:
            raise asyncio.CancelledError


class Transactions:
    """Runs transactions of one client."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._running: set[asyncio.Task[Any]] = set()

    async def run(self, body: Body[T], *, attempts: int) -> T:
        """Commit what `body(session)` writes and return its result, after at most `attempts`.

        The last attempt's `Conflict` is raised to the caller. `body` may run several times: it only reads and writes
        through the session.
        """
        abandoned = _Abandoned()
        return await self._to_the_end(self._attempts(body, attempts, abandoned), abandoned)

    async def drained(self) -> None:
        """Wait until no transaction is under way."""
        while self._running:
            await asyncio.wait(self._running)

    async def _attempts(self, body: Body[T], attempts: int, abandoned: _Abandoned) -> T:
        try:
            session = await self._client.start_session()
        except ServerSelectionTimeoutError as error:
            raise DatabaseDownError from error
        try:
            for attempt in range(1, attempts):
                with suppress(Conflict):
                    return await self._attempt(body, session, abandoned)
                await asyncio.sleep(pause_s(attempt))
            return await self._attempt(body, session, abandoned)
        finally:
            await session.end_session()

    async def _attempt(self, body: Body[T], session: Session, abandoned: _Abandoned) -> T:
        abandoned.check()
        await self._client.start_transaction(session)
        try:
            result = await body(session)
            abandoned.check()
            await self._commit(session)
        except BaseException as error:
            await self._abort(session)
            if isinstance(error, ServerSelectionTimeoutError):
                raise DatabaseDownError from error
            if isinstance(error, PyMongoError) and error.has_error_label("TransientTransactionError"):
                raise Conflict from error
            raise
        return result

    async def _commit(self, session: Session) -> None:
        for attempt in range(1, COMMIT_ATTEMPTS + 1):
            try:
                return await session.commit_transaction()
            except PyMongoError as error:
                if not error.has_error_label("UnknownTransactionCommitResult"):
                    raise
                if attempt == COMMIT_ATTEMPTS:
                    raise OutcomeUnknownError from error
                await asyncio.sleep(pause_s(attempt))
        return None

    async def _abort(self, session: Session) -> None:
        if not session.in_transaction:
            return
        with suppress(PyMongoError), pymongo.timeout(ABORT_S):
            await session.abort_transaction()

    async def _to_the_end(self, work: Coroutine[Any, Any, T], abandoned: _Abandoned) -> T:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.done():
                abandoned.flag = True
                await asyncio.wait({task}, timeout=PATIENCE_S)
                task.cancel()
                await asyncio.wait({task}, timeout=ABORT_S)
            raise

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, or asyncio would complain where a cancelled caller no longer asks for it


def explain(error: Exception) -> Problem | None:
    """Return what a driver's exception means to a caller whose read it ended; None: it is a fault."""
    return DatabaseDownError() if isinstance(error, ConnectionFailure) else None


def pause_s(attempt: int) -> float:
    """Return how long to wait after the `attempt`th try: doubling, jittered so that rivals do not meet again."""
    longest = min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2**attempt)
    return random.uniform(FIRST_PAUSE_MS, longest) / 1_000  # noqa: S311 - spreads load, guards nothing
