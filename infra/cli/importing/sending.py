"""Lanes: many batches under way at once, and still everything of one member in its order."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from zlib import crc32

T = TypeVar("T")

WAITING_BATCHES = 2
"""In each lane, so that it need not wait for the reader, which is held up by the slowest lane."""

MOST_BYTES = 500_000
"""Of one batch as it is staged; what is sent is up to four times as long, and the platform takes 4 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lanes(Generic[T]):
    """How items become batches: all items of one key go one after the other, through the same lane."""

    count: int
    batch: int
    key: Callable[[T], str]
    weight: Callable[[T], int]  # in bytes

    async def send(self, pages: Iterable[Sequence[T]], send: Callable[[Sequence[T]], Awaitable[None]]) -> None:
        """Send everything, or raise the first error of `send`; other batches are then cancelled under way."""
        queues: list[asyncio.Queue[list[T] | None]] = [asyncio.Queue(WAITING_BATCHES) for _ in range(self.count)]
        try:
            async with asyncio.TaskGroup() as group:
                for queue in queues:
                    group.create_task(_lane(queue, send))
                await self._distribute(pages, queues)
        except ExceptionGroup as errors:  # not `except*`: until Python 3.11.4 that wraps what it raises in a new group
            raise _first(errors) from None

    async def _distribute(self, pages: Iterable[Sequence[T]], queues: Sequence[asyncio.Queue[list[T] | None]]) -> None:
        filling: list[list[T]] = [[] for _ in queues]
        weights = [0] * len(queues)
        for page in pages:
            for item in page:
                lane = crc32(self.key(item).encode()) % len(queues)
                if filling[lane] and weights[lane] + self.weight(item) > MOST_BYTES:
                    await queues[lane].put(filling[lane])
                    filling[lane], weights[lane] = [], 0
                filling[lane].append(item)
                weights[lane] += self.weight(item)
                if len(filling[lane]) == self.batch:
                    await queues[lane].put(filling[lane])
                    filling[lane], weights[lane] = [], 0
        for queue, rest in zip(queues, filling, strict=True):
            if rest:
                await queue.put(rest)
            await queue.put(None)


async def _lane(queue: "asyncio.Queue[list[T] | None]", send: Callable[[Sequence[T]], Awaitable[None]]) -> None:
    while (batch := await queue.get()) is not None:
        await send(batch)


def _first(errors: ExceptionGroup[Exception]) -> Exception:
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, ExceptionGroup) else first
