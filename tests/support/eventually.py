"""Waiting for a condition instead of sleeping."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")

PAUSE_S = 0.02
"""Between two looks: short beside what is waited for, long enough to leave the two cores to it."""


@overload
async def eventually(condition: Callable[[], Awaitable[T]], within_s: float = 10) -> T: ...
@overload
async def eventually(condition: Callable[[], T], within_s: float = 10) -> T: ...
async def eventually(condition: Callable[[], Any], within_s: float = 10) -> Any:
    """Return the first true value of `condition()`, which may be async; fail with its last value after `within_s`.

    An AssertionError that the condition raises counts as "not yet", so a block of asserts can be waited for.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    while True:
        last: object
        try:
            value = condition()
            result = await value if inspect.isawaitable(value) else value
            if result:
                return result
            last = result
        except AssertionError as error:
            last = error
        if loop.time() > deadline:
            message = f"not within {within_s} s; last: {last!r}"
            raise AssertionError(message)
        await asyncio.sleep(PAUSE_S)
