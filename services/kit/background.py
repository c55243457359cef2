"""Tasks that run for as long as the process, whose failure is the process's failure."""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any

_crashed: ContextVar[Callable[[asyncio.Task[None]], None]] = ContextVar("crashed")


def background(work: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
    """Start a task that is to run as long as its part. When it raises, the process ends with that error.

    Keep the task, and cancel it in the part's `stop`. Where nobody watches (in tests) it is a task like any other.
    """
    task = asyncio.create_task(work, name=name)
    if (crashed := _crashed.get(None)) is not None:
        task.add_done_callback(crashed)
    return task


def watched_by(crashed: Callable[[asyncio.Task[None]], None]) -> None:
    """Have `crashed` called with each background task that ends, of those started from here on."""
    _crashed.set(crashed)
