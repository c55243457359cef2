"""Relays one partition for as long as its lease lasts."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from services.kit.cancellation import cancelled, check_cancelled
from services.kit.mongo.leases import Lease
from services.kit.mongo.transactions import pause_s
from services.kit.outbox.events import Event

log = logging.getLogger(__name__)

AT_ONCE = 500
"""Events read, published and deleted together: what the round trips and the deletion's flush are shared by."""

LONGEST_REST_S = 5.0
"""A chain whose events cannot be published is tried again at least this often."""


class Publisher(Protocol):
    """Where events go."""

    async def publish(self, events: Sequence[Event]) -> None:
        """Return when every one is confirmed, or raise; then any of them may or may not have arrived."""


class Waiting(Protocol):
    """Where events come from."""

    async def first(self, chain: str, partition: int, *, most: int) -> list[Event]:
        """Return the oldest waiting events of a lane in order."""

    async def delete(self, events: Sequence[Event], *, partition: int) -> None:
        """Remove events that are confirmed."""


class Serving:
    """Publishes the waiting events of one partition, chain after chain, each batch of a chain after the one before."""

    def __init__(self, outbox: Waiting, publisher: Publisher, *, partition: int, lease: Lease) -> None:
        self.partition, self.lease = partition, lease
        self._outbox, self._publisher = outbox, publisher
        self._pending: dict[str, None] = {}  # chains to look at, the first that was woken first
        self._failures: dict[str, int] = {}  # by chain, in a row
        self._resting: dict[str, asyncio.TimerHandle] = {}  # chains that failed just now
        self._confirmed: dict[str, Sequence[Event]] = {}  # published, but not yet deleted
        self._changed = asyncio.Event()
        self._settled = asyncio.Event()
        self.finishing = False
        self._until: asyncio.Timeout | None = None
        self._task = asyncio.create_task(self._run(), name=f"outbox partition {partition}")

    @property
    def ended(self) -> bool:
        """Tell whether it has stopped, as it does by itself when the lease runs out."""
        return self._task.done()

    def wake(self, chain: str) -> None:
        """Look at the chain's events soon."""
        if chain not in self._resting and not self.ended:
            self._pending[chain] = None
            self._settled.clear()
            self._changed.set()

    def extend(self, lease: Lease) -> None:
        """Go on until the end of the renewed lease."""
        self.lease = lease
        if self._until and not self._until.expired():
            self._until.reschedule(lease.good_until)

    async def settled(self) -> None:
        """Return when nothing that was woken is left to do, or it has ended."""
        await self._settled.wait()

    def finish(self) -> None:
        """Stop after the batch under way."""
        self.finishing = True
        self._changed.set()

    async def finished(self) -> None:
        """Return when it has stopped; that is at the latest when its lease has run out."""
        await asyncio.wait({self._task})

    def abandon(self) -> None:
        """Stop at once: the lease is lost."""
        self._task.cancel()

    async def _run(self) -> None:
        try:
            async with asyncio.timeout_at(self.lease.good_until) as self._until:
                while not self.finishing:
                    check_cancelled()
                    if self._pending:
                        chain = next(iter(self._pending))
                        del self._pending[chain]
                        await self._relay(chain)
                    else:
                        await self._rest()
        except TimeoutError:
            log.warning("outbox partition %d: the lease ran out", self.partition)
        finally:
            for timer in self._resting.values():
                timer.cancel()
            self._settled.set()

    async def _rest(self) -> None:
        if not self._resting:
            self._settled.set()
        self._changed.clear()
        await self._changed.wait()

    async def _relay(self, chain: str) -> None:
        try:
            more = await self._relay_some(chain)
        except asyncio.CancelledError as error:
            # A broker's client cancels what waits on a channel that it closes; that is not our own cancellation.
            if cancelled():
                raise
            self._try_later(chain, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the events stay and are tried again
            self._try_later(chain, error)
        else:
            self._failures.pop(chain, None)
            if more:
                self.wake(chain)

    async def _relay_some(self, chain: str) -> bool:
        """Publish the chain's oldest events and tell whether there may be more."""
        if overdue := self._confirmed.get(chain):
            await self._delete(chain, overdue)
            return True  # what came meanwhile was not looked at
        events = await self._outbox.first(chain, self.partition, most=AT_ONCE)
        if not events:
            return False
        await self._publisher.publish(events)
        self._confirmed[chain] = events
        await self._delete(chain, events)
        return len(events) == AT_ONCE

    async def _delete(self, chain: str, events: Sequence[Event]) -> None:
        await self._outbox.delete(events, partition=self.partition)
        del self._confirmed[chain]

    def _try_later(self, chain: str, error: BaseException) -> None:
        failures = self._failures[chain] = self._failures.get(chain, 0) + 1
        log.warning("outbox %s/%d: %r; attempt %d failed", chain, self.partition, error, failures)
        self._resting[chain] = asyncio.get_running_loop().call_later(rest_s(failures), self._wake_again, chain)

    def _wake_again(self, chain: str) -> None:
        self._resting.pop(chain, None)
        self.wake(chain)


def rest_s(failures: int) -> float:
    """Return how long to rest after so many failures in a row: milliseconds at first, then up to seconds."""
    return min(LONGEST_REST_S, pause_s(failures) * failures)
