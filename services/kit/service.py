"""The life of a process: it waits for what it needs, starts its parts in order, says when it is ready, and stops them
in reverse when it is told to, each within a deadline.

A first SIGTERM or SIGINT stops it, a second one ends it at once. A part that fails for good ends the process with an
error, and who supervises it starts it again: half a service that looks alive is worse than none.
"""

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import uvloop

from services.kit import logs, telemetry
from services.kit.background import background, watched_by
from services.kit.config import ServiceConfig, WrongSettingError
from services.kit.errors import Problem
from services.kit.needs import Need, wait_for, watch

__all__ = ["Face", "Need", "Part", "Service", "Step", "background", "main", "run"]

STOP_S = 15.0
"""What a part may take to stop; calls under way get 10 of them."""

TELL_EVERY_S = 10.0
"""Between two lines about a part that takes long to start."""

_log = logging.getLogger(__name__)


class Part(Protocol):
    """Something that runs for as long as the process. `stop` is only called after `start` has returned."""

    async def start(self) -> None:
        """Return when it runs."""

    async def stop(self) -> None:
        """Finish what is under way and return."""


@runtime_checkable
class Face(Part, Protocol):
    """A part that others call (`RpcServer`): probes are answered from the beginning, calls from `start` on."""

    async def listen(self) -> None:
        """Answer probes, refuse calls."""

    def set_ready(self, ready: bool) -> None:  # noqa: FBT001 - the one thing that it sets
        """Tell probes whether calls should be sent here."""


@dataclass(frozen=True, slots=True)
class Step:
    """A part made of functions: what is done once at the start (migrations), or only at the end (closing)."""

    name: str
    on_start: Callable[[], Awaitable[object]] | None = None
    on_stop: Callable[[], Awaitable[object]] | None = None

    async def start(self) -> None:
        """Do what is to be done at the start."""
        if self.on_start:
            await self.on_start()

    async def stop(self) -> None:
        """Do what is to be done at the end."""
        if self.on_stop:
            await self.on_stop()


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What `build` makes of a config. Parts start in this order and stop in reverse; the face comes last."""

    parts: Sequence[Part]
    needs: Sequence[Need] = ()


Build = Callable[[ServiceConfig], Service]
"""Called inside the event loop; makes objects, touches nothing outside."""


def main(name: str, build: Build) -> None:
    """Run the process `name` with the settings of the environment, and exit with its status."""
    try:
        config = ServiceConfig.from_environ(os.environ, name)
    except WrongSettingError as error:
        sys.exit(error.message)
    run(config, build)


GC_EVERY = 20_000
"""New objects after which the collector looks for cycles among them."""


def run(config: ServiceConfig, build: Build) -> None:
    """Run until a signal comes (return), or until something fails for good (SystemExit with status 1)."""
    logs.set_up(config.name, config.log)
    # A batch makes many objects and hardly a cycle: by default the collector would go over them again and again.
    gc.set_threshold(GC_EVERY, *gc.get_threshold()[1:])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        clean = runner.run(_live(config, build))
    if not clean:
        raise SystemExit(1)


class _End:
    """Why the process ends: nothing yet, a signal, or the error of a background task."""

    def __init__(self) -> None:
        self._reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def by_signal(self, number: signal.Signals) -> None:
        if self._reached.done():
            _log.warning("%s again: ending at once", number.name)
            os._exit(128 + number)
        _log.info("%s: stopping; once more ends at once", number.name)
        self._reached.set_result(None)

    def by_crash(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or (error := task.exception()) is None:
            return
        _log.error("%s crashed", task.get_name(), exc_info=error)
        if not self._reached.done():
            self._reached.set_exception(error)

    async def or_done(self, work: Coroutine[Any, Any, None]) -> bool:
        """Return true when `work` is done, false when it was cut short by a signal; raise what ended it otherwise."""
        task = asyncio.create_task(work)
        await asyncio.wait({task, self._reached}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            await task
            return True
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        self._reached.result()
        return False


async def _live(config: ServiceConfig, build: Build) -> bool:
    """Return whether the process did all it should, to the end."""
    traces = telemetry.Telemetry()
    end = _End()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.by_signal, number)
    watched_by(end.by_crash)
    started: list[Part] = []
    failed = False
    try:
        traces = telemetry.set_up(config.name, os.environ)
        service = build(config)
        if await end.or_done(_start(service, started)):
            _log.info("ready: %s on %s", config.name, config.address)
            await end.or_done(_watch(service))
    except Problem as problem:
        _log.error("ending: %s", problem.message)
        failed = True
    except Exception:  # noqa: BLE001 - whatever it is, the rest is still to be stopped in order
        _log.exception("ending")
        failed = True
    stopped = await _stop(started)
    await traces.stop()
    _log.info("stopped")
    return stopped and not failed


async def _start(service: Service, started: list[Part]) -> None:
    faces = [part for part in service.parts if isinstance(part, Face)]
    for face in faces:
        await face.listen()
        started.append(face)
    await asyncio.gather(*(wait_for(need) for need in service.needs))
    for part in service.parts:
        await _telling(f"starting {_name(part)}", part.start())
        if part not in faces:
            # Before the faces, which are stopped first: reversed, that is the order of the parts.
            started.insert(len(started) - len(faces), part)


async def _stop(started: Sequence[Part]) -> bool:
    """Stop the parts in reverse; return whether all of them managed to."""
    clean = True
    for part in started:
        if isinstance(part, Face):
            part.set_ready(False)
    for part in reversed(started):
        try:
            async with asyncio.timeout(STOP_S):
                await part.stop()
        except TimeoutError:
            _log.error("%s did not stop within %.0f s", _name(part), STOP_S)
            clean = False
        except Exception:  # noqa: BLE001 - the others are still to be stopped
            _log.exception("%s failed to stop", _name(part))
            clean = False
    return clean


async def _watch(service: Service) -> None:
    """Keep the faces' readiness true to the state of what is needed, for ever."""
    async for ready in watch(service.needs):
        for part in service.parts:
            if isinstance(part, Face):
                part.set_ready(ready)


async def _telling(what: str, work: Awaitable[None]) -> None:
    """Await `work`; when it takes long (an index is built), say so now and then."""
    task = asyncio.ensure_future(work)
    waited_s = 0.0
    try:
        while not (await asyncio.wait({task}, timeout=TELL_EVERY_S))[0]:
            waited_s += TELL_EVERY_S
            _log.info("%s (%.0f s)", what, waited_s)
    except asyncio.CancelledError:
        task.cancel()
        raise
    await task


def _name(part: Part) -> str:
    return part.name if isinstance(part, Step) else type(part).__name__
