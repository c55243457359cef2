"""Group commit: what arrives while one commit is under way goes into the next.

The round trips and the journal flush are the cost of a small transaction, not its writes; so the fuller a batch, the
cheaper each command, and a batch is never waited for.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
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

    With `at_once` 2, a second commit begins beside the first as soon as `beside` commands wait: one is worked out while
    the other is at the database. `key_of` then names what a command changes. Commands of one key are carried out in
    their order and never in two commits at once; those whose key is under way wait for it, whatever they came with.

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
        at_once: int = 1,
        beside: int = 32,
        key_of: Callable[[C], Hashable] = id,
    ) -> None:
        self._at_once, self._beside, self._key_of = at_once, beside, key_of
        self._under_way: dict[asyncio.Task[None], frozenset[Hashable]] = {}
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
        self.check_room(len(commands))
        loop = asyncio.get_running_loop()
        outcomes: list[asyncio.Future[A | Problem]] = [loop.create_future() for _ in commands]
        self._waiting.append(list(zip(commands, outcomes, strict=True)))
        self._waiting_commands += len(commands)
        self._arrived.set()
        return await _all(outcomes)

    def check_room(self, count: int) -> None:
        """Raise `OverloadedError` when `count` more commands would be refused: before any work is put into them."""
        if self._waiting_commands + count > self._max_waiting:
            raise OverloadedError(retry_after_ms=self._retry_after_ms())

    def _retry_after_ms(self) -> int:
        batches = self._waiting_commands / self._max_batch
        return max(1, round(batches * self._batch_s * 1_000))

    async def _work(self) -> None:
        try:
            while self._accepting or self._waiting or self._under_way:
                await self._arrived.wait()
                check_cancelled()
                self._arrived.clear()
                self._begin()
        finally:
            for task in self._under_way:
                task.cancel()
            await asyncio.gather(*self._under_way, return_exceptions=True)

    def _begin(self) -> None:
        """Begin a commit if none is under way; one more beside it only when that is worth its round trips."""
        while self._waiting and (
            not self._under_way or (len(self._under_way) < self._at_once and self._waiting_commands >= self._beside)
        ):
            batch = self._next_batch(frozenset().union(*self._under_way.values()))
            if not batch:
                if self._under_way:
                    return  # all that waits is for what is under way
                continue
            keys = frozenset(self._key_of(command) for command, _ in batch) if self._at_once > 1 else frozenset()
            task = asyncio.create_task(self._carry_out(batch), name=f"commit {self._name}")
            self._under_way[task] = keys
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._under_way[task]
        self._arrived.set()

    def _next_batch(self, busy: frozenset[Hashable]) -> "Submission[C, A]":
        batch: Submission[C, A] = []
        blocked = set(busy)
        left: list[Submission[C, A]] = []
        while self._waiting and (not batch or len(batch) + len(self._waiting[0]) <= self._max_batch):
            # One whose caller was cancelled is left out: nobody waits for it any more.
            submission = [waiting for waiting in self._pop() if not waiting[1].done()]
            if blocked:
                ready, waits = self._parted(submission, blocked)
                left += [waits] if waits else []
                submission = ready
            batch += submission
        for waits in reversed(left):
            self._waiting.appendleft(waits)
            self._waiting_commands += len(waits)
        return batch

    def _pop(self) -> "Submission[C, A]":
        submission = self._waiting.popleft()
        self._waiting_commands -= len(submission)
        return submission

    def _parted(
        self, submission: "Submission[C, A]", blocked: set[Hashable]
    ) -> "tuple[Submission[C, A], Submission[C, A]]":
        """Return what can be begun, and what must wait for a key in `blocked`."""
        ready: Submission[C, A] = []
        waits: Submission[C, A] = []
        for waiting in submission:
            (waits if self._key_of(waiting[0]) in blocked else ready).append(waiting)
        return ready, waits

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
