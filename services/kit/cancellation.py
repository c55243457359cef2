"""Cancellation that does not get lost, and that is not mistaken for one's own.

Two ways in which libraries blur it. `asyncio.wait_for` of Python 3.11 swallows a cancellation that arrives just when
its work is done; PyMongo's client uses it for every command that it sends. And clients of brokers cancel what waits on
a connection that they close, so a CancelledError need not mean that this task is to end.
"""

import asyncio


def cancelled() -> bool:
    """Tell whether the running task was asked to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def check_cancelled() -> None:
    """End the running task if it was asked to, though the request was swallowed. For loops that go on for ever."""
    if cancelled():
        raise asyncio.CancelledError
