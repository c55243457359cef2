"""What a process needs from outside: waited for at the start, in any order, and watched from then on."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from services.kit.errors import Kind, Problem

WAIT_S = 300.0
"""A database that is not there after five minutes is not merely starting later than we are."""

CHECK_S = 3.0
"""What one look at a dependency may take."""

CHECK_EVERY_S = 2.0
"""Between two looks. Two in a row must fail, so a loss shows in health after 4 to 10 seconds."""

TELL_EVERY_S = 5.0
"""Between two lines about the same wait."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Need:
    """Something outside that must be up: `check()` returns when it is, and raises when it is not."""

    name: str
    check: Callable[[], Awaitable[object]]
    essential: bool = True  # false: when it is lost later, calls are still wanted


class MissingError(Problem):
    """{need} could not be reached within {waited_s:.0f} s: {reason}."""

    kind = Kind.UNAVAILABLE
    code = "MISSING"


async def wait_for(need: Need) -> None:
    """Return when the need is met, telling every few seconds what is waited for; else raise `MissingError`."""
    loop = asyncio.get_running_loop()
    began = tell_at = loop.time()
    while reason := await _reason(need):
        now = loop.time()
        if now - began >= WAIT_S:
            raise MissingError(need=need.name, waited_s=now - began, reason=reason)
        if now >= tell_at:
            _log.info("waiting for %s (%.0f s): %s", need.name, now - began, reason)
            tell_at = now + TELL_EVERY_S
        await asyncio.sleep(CHECK_EVERY_S / 4)


async def watch(needs: Sequence[Need]) -> AsyncIterator[bool]:
    """Look at the needs for ever; yield after each look whether the essential ones are met."""
    failures = [0] * len(needs)  # in a row
    while True:
        await asyncio.sleep(CHECK_EVERY_S)
        reasons = await asyncio.gather(*(_reason(need) for need in needs))
        for at, (need, reason) in enumerate(zip(needs, reasons, strict=True)):
            if reason and failures[at] == 1:
                _log.error("lost %s: %s", need.name, reason)
            elif not reason and failures[at] > 1:
                _log.info("%s is back", need.name)
            failures[at] = failures[at] + 1 if reason else 0
        yield all(count <= 1 for need, count in zip(needs, failures, strict=True) if need.essential)


async def _reason(need: Need) -> str:
    """Return why the need is not met; empty: it is."""
    try:
        async with asyncio.timeout(CHECK_S):
            await need.check()
    except TimeoutError:
        return f"no answer within {CHECK_S:.0f} s"
    except Exception as error:  # noqa: BLE001 - whatever the driver raises, the answer is no
        return " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return ""
