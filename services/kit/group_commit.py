"""Group commit: what arrives while one commit is under way goes into the next.

The round trips and the journal flush are the cost of a small transaction, not its writes; so the fuller a batch, the
cheaper each command, and a batch is never waited for.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from services.kit.background import background
from services.kit.cancellation import cancelled, check_cancelled
from services.kit.errors import Kind, Problem

C = TypeVar("C")
A = TypeVar("A")

log = logging.getLogger(__name__)

FIRST_GUESS_S = 0.05
"""What a batch takes until the first one was measured."""

WEIGHT = 0.2
"""How much the latest batch counts in the average: five batches later the past is forgotten."""


class OverloadedError(Problem):
    """Too much is waiting to be done. Please ask again in a moment."""

    kind = Kind.OVERLOADED
    code = "OVERLOADED"


class StoppingError(Problem):
    """This replica is stopping. Please ask again."""

    kind = Kind.UNAVAILABLE
    code = "STOPPING"


class FaultError(Problem):
    """Something went wrong on our side."""


Submission = list[tuple[C, "asyncio.Future[A | Problem]"]]
"""Commands that came together, each with its answer to be."""


class GroupCommit(Generic[C, A]):
    """Collects commands into batches for `commit`, which answers them in order, one commit at a time.

    What was submitted together is committed together: `max_batch` bounds what is put beside it, and a submission that
    is larger by itself makes a batch of its own.

    An answer is either the command's or the Problem that this one command alone has. When `commit` raises, nothing of
    the batch was done.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[C]], Awaitable[Sequence[A | Problem]]],
        *,
        name: str,
        max_batch: int = 500,
        max_waiting: int = 5_000,
    ) -> None:
        self._commit = commit
        self._name, self._max_batch, self._max_waiting = name, max_batch, max_waiting
        self._waiting: deque[Submission[C, A]] = deque()
        self._waiting_commands = 0
        self._arrived = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self._accepting = False
        self._batch_s = FIRST_GUESS_S

    async def start(self) -> None:
        """Begin to accept commands."""
        self._accepting = True
        self._worker = background(self._work(), name=f"group commit {self._name}")

    async def stop(self, within_s: float = 10.0) -> None:
        """Refuse what is new, carry out what waits, and after `within_s` fail the rest with `StoppingError`."""
        self._accepting = False
        self._arrived.set()
        if self._worker is None:
            return
        await asyncio.wait({self._worker}, timeout=within_s)
        self._worker.cancel()
        await asyncio.wait({self._worker})
        self._worker = None
        for _, outcome in (waiting for submission in self._waiting for waiting in submission):
            _answer(outcome, StoppingError())
        self._waiting.clear()
        self._waiting_commands = 0

    async def submit(self, command: C) -> A:
        """Return the command's answer once it is committed, or raise its Problem. A caller that is cancelled while
        the command waits takes it back; one that is cancelled later does not learn the answer."""
        [outcome] = await self.submit_all([command])
        if isinstance(outcome, Problem):
            raise outcome.with_traceback(None)
        return outcome

    async def submit_all(self, commands: Sequence[C]) -> list[A | Problem]:
        """Return the outcomes in order. All of them are taken in, or all refused with `OverloadedError`."""
        if not self._accepting:
            raise StoppingError
        if len(commands) > self._max_waiting:
            message = f"{len(commands)} commands at once; {self._name} takes at most {self._max_waiting}"
            raise ValueError(message)
        if self._waiting_commands + len(commands) > self._max_waiting:
            raise OverloadedError(retry_after_ms=self._retry_after_ms())
        loop = asyncio.get_running_loop()
        outcomes: list[asyncio.Future[A | Problem]] = [loop.create_future() for _ in commands]
        self._waiting.append(list(zip(commands, outcomes, strict=True)))
        self._waiting_commands += len(commands)
        self._arrived.set()
        return await _all(outcomes)

    def _retry_after_ms(self) -> int:
        batches = self._waiting_commands / self._max_batch
        return max(1, round(batches * self._batch_s * 1_000))

    async def _work(self) -> None:
        while self._accepting or self._waiting:
            await self._arrived.wait()
            check_cancelled()
            if batch := self._next_batch():
                await self._carry_out(batch)
            elif self._accepting:
                self._arrived.clear()

    def _next_batch(self) -> "Submission[C, A]":
        batch: Submission[C, A] = []
        while self._waiting and (not batch or len(batch) + len(self._waiting[0]) <= self._max_batch):
            submission = self._waiting.popleft()
            self._waiting_commands -= len(submission)
            # One whose caller was cancelled is left out: nobody waits for it any more.
            batch += [waiting for waiting in submission if not waiting[1].done()]
        return batch

    async def _carry_out(self, batch: "Submission[C, A]") -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        answers: Sequence[A | Problem]
        try:
            answers = await self._commit([command for command, _ in batch])
        except asyncio.CancelledError:
            for _, outcome in batch:
                _answer(outcome, StoppingError())
            if cancelled():
                raise
            return  # something that the commit waited for was cancelled, not this
        except Problem as problem:
            answers = [problem] * len(batch)
        except Exception:
            log.exception("%s: a batch of %d failed", self._name, len(batch))
            answers = [FaultError()] * len(batch)
        if len(answers) != len(batch):
            log.error("%s: %d answers to %d commands", self._name, len(answers), len(batch))
            answers = [FaultError()] * len(batch)
        self._batch_s += WEIGHT * (loop.time() - began - self._batch_s)
        for (_, outcome), answer in zip(batch, answers, strict=True):
            _answer(outcome, answer)


async def _all(outcomes: Sequence[asyncio.Future[A | Problem]]) -> list[A | Problem]:
    try:
        return [await outcome for outcome in outcomes]
    finally:
        for outcome in outcomes:
            outcome.cancel()  # only of use when the caller was cancelled: what still waits is taken back


def _answer(outcome: asyncio.Future[A | Problem], answer: A | Problem) -> None:
    if not outcome.done():
        outcome.set_result(answer)
