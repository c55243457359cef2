import asyncio
from contextlib import suppress

import pytest

from services.kit.cancellation import cancelled, check_cancelled


async def swallowing(started: asyncio.Event) -> None:
    started.set()
    with suppress(asyncio.CancelledError):
        await asyncio.Event().wait()


async def test_a_swallowed_cancellation_is_found_again() -> None:
    started = asyncio.Event()

    async def loop() -> None:
        assert not cancelled()
        check_cancelled()
        await swallowing(started)
        assert cancelled()
        check_cancelled()

    task = asyncio.create_task(loop())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
