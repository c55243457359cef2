"""What is known about the call being answered: who asks, and until when."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from services.kit.errors import Kind, Problem
from services.kit.principal import Principal

_caller: ContextVar[Principal] = ContextVar("caller")
_until: ContextVar[float] = ContextVar("until")  # in the event loop's own time


class TimedOutError(Problem):
    """It took longer than the time that was given; try again."""

    kind = Kind.TIMED_OUT
    code = "TIMED_OUT"


def caller() -> Principal:
    """Return who makes the call being answered; LookupError outside of one."""
    return _caller.get()


def time_left_s() -> float | None:
    """Return how many seconds the call being answered still has (0 or less: none); None outside of one.

    Tasks started while a call is answered inherit its end: start tasks that outlive calls at start-up.
    """
    until = _until.get(None)
    return None if until is None else until - asyncio.get_running_loop().time()


@contextmanager
def answering(principal: Principal, *, within_s: float) -> Iterator[None]:
    """Answer on behalf of `principal`: `caller()` and `time_left_s()` tell so inside."""
    who = _caller.set(principal)
    until = _until.set(asyncio.get_running_loop().time() + within_s)
    try:
        yield
    finally:
        _until.reset(until)
        _caller.reset(who)
