"""Time passes in a sandbox: from one thing that is due to the next, everything in between done in order.

For each step all services are asked for what is due next, all clocks are moved to the earliest of it, all services do
what is due then, and the next step waits until no event is on its way. What a step has begun the next run ends: it
begins with all of this at the furthest of the clocks.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from services.kit.errors import Kind, Problem

LEAD = timedelta(seconds=10)
"""How far ahead of the world's a clock is first set: the services' machines differ, and all must be before it."""

LONGEST_STEP = timedelta(days=31)
"""Less than what a service refuses; where nothing is due for long, the progress is seen all the same."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.02, 1.0


class AlreadyLaterError(Problem):
    """{chain} cannot be moved to {target}: time goes forward only, and it can be {first} at the earliest."""

    kind = Kind.REFUSED
    code = "ALREADY_LATER"


class NotQuietError(Problem):
    """{chain} has not come to rest within {seconds} s at {now}: {why}. `huitou dead-letters list` may say why; the same
    command with --to {target} goes on.
    """

    kind = Kind.UNAVAILABLE
    code = "NOT_QUIET"


@dataclass(frozen=True, slots=True)
class Standing:
    """What time it is for the chain in one service, whether its clock stands there, and what is due next."""

    now: datetime
    stands: bool
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many events one service has told and heard, by stream; 0 where it hears a stream that has none."""

    told: Mapping[str, int]
    heard: Mapping[str, int]


class Clockwork(Protocol):
    """One service's part in a sandbox."""

    @property
    def name(self) -> str:
        """What the service is called."""

    async def standing(self) -> Standing:
        """Return what time it is, and what is due."""

    async def move(self, to: datetime) -> None:
        """Set the clock."""

    async def run_due(self) -> bool:
        """Do what is due; False when there was not time enough for all of it."""

    async def counts(self) -> Counts:
        """Return what was told and heard so far."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A sandbox and how patient to be with it. `now_s` measures lengths of time, in seconds."""

    chain: str
    services: Sequence[Clockwork]
    give_up_s: float
    now_s: Callable[[], float] = time.monotonic

    async def begin(self) -> datetime:
        """Return where its time can go on from: where the furthest clock stands, or a moment ahead of the world's."""
        standings = await self._standings()
        furthest = max(one.now for one in standings)
        return furthest if any(one.stands and one.now == furthest for one in standings) else furthest + LEAD

    async def move(self, start: datetime, target: datetime) -> AsyncIterator[datetime]:
        """Move from `start` (see `begin`) to `target`, and yield each moment that has been reached and left quiet.

        Raises `AlreadyLaterError`, `NotQuietError`, and what the services answer.
        """
        if target < start:
            raise AlreadyLaterError(chain=self.chain, first=start.isoformat(), target=target.isoformat())
        at = start
        while True:
            await self._step(at, target)
            yield at
            if at >= target:
                return
            dues = [one.due_at for one in await self._standings() if one.due_at is not None]
            at = min([*dues, at + LONGEST_STEP, target])

    async def _step(self, at: datetime, target: datetime) -> None:
        """Bring all to `at`: first the clocks, so that nobody does anything at another time; then what is due."""
        await asyncio.gather(*(service.move(at) for service in self.services))
        deadline_s = self.now_s() + self.give_up_s
        unfinished = list(self.services)
        while unfinished:
            done = await asyncio.gather(*(service.run_due() for service in unfinished))
            unfinished = [service for service, is_done in zip(unfinished, done, strict=True) if not is_done]
            if unfinished and self.now_s() > deadline_s:
                why = f"{', '.join(service.name for service in unfinished)} is still at what is due"
                raise self._not_quiet(at, target, why)
        await self._quiet(at, target)

    async def _quiet(self, at: datetime, target: datetime) -> None:
        """Return when no event is on its way; the time that is allowed begins anew whenever something arrives."""
        counts = await self._counts()
        deadline_s, pause_s = self.now_s() + self.give_up_s, FIRST_PAUSE_S
        while True:
            # What was heard, of all, before what was told, of all: equal, and nothing was under way in between.
            before, counts = counts, await self._counts()
            if not (missing := self._missing(heard=before, told=counts)):
                return
            if [one.heard for one in counts] != [one.heard for one in before]:
                deadline_s, pause_s = self.now_s() + self.give_up_s, FIRST_PAUSE_S
            elif self.now_s() > deadline_s:
                raise self._not_quiet(at, target, "; ".join(missing))
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _missing(self, *, heard: Sequence[Counts], told: Sequence[Counts]) -> list[str]:
        """Return who has not heard what."""
        in_all: dict[str, int] = {}
        for one in told:
            in_all |= one.told  # a stream has one owner
        return [
            f"{service.name} has heard {count:,} of {in_all.get(stream, 0):,} events of {stream}"
            for service, one in zip(self.services, heard, strict=True)
            for stream, count in one.heard.items()
            if count != in_all.get(stream, 0)
        ]

    def _not_quiet(self, at: datetime, target: datetime, why: str) -> NotQuietError:
        now, to = at.isoformat(), target.isoformat()
        return NotQuietError(chain=self.chain, seconds=f"{self.give_up_s:g}", now=now, why=why, target=to)

    async def _standings(self) -> list[Standing]:
        return await asyncio.gather(*(service.standing() for service in self.services))

    async def _counts(self) -> list[Counts]:
        return await asyncio.gather(*(service.counts() for service in self.services))
