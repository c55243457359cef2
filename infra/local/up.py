"""`make run`: the whole platform on one machine, without containers, until Ctrl-C.

MongoDB and RabbitMQ are started here unless MONGO_URL and AMQP_URL name others; then the four services and the
gateway, which wait for what they need; on the first start the demo chain is opened.
"""

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx

from infra.local import given
from infra.local.backing import Backing
from infra.local.child import ChildFailedError
from infra.local.claim import AlreadyRunningError, claimed, clear, stop_leftovers
from infra.local.demo import Doors, SeedingError, open_demo_chain
from infra.local.demo_chain import TIME_ZONE
from infra.local.demo_notes import DemoNotes
from infra.local.graphql import GraphQLFailedError
from infra.local.operator import Operator
from infra.local.ports import LOOPBACK, PortTakenError
from infra.local.screen import Screen
from infra.local.settings import (
    GATEWAY,
    ROOT,
    SERVICES,
    WrongSettingError,
    check_free,
    command,
    environment,
    read_ports,
)
from infra.local.supervised import Supervised
from infra.local.welcome import graphql_url, welcome
from services.kit.errors import Problem
from services.kit.keys import ensure_keys
from services.kit.rabbit.topology import Topology

STATE = ROOT / ".state" / "run"

CANNOT_START = (
    *(AlreadyRunningError, ChildFailedError, FileNotFoundError, PortTakenError, WrongSettingError),
    given.UnusableServerError,
)
"""Errors whose words tell the user all there is to tell."""

NOT_YET = (GraphQLFailedError, SeedingError, Problem, httpx.HTTPError, TimeoutError)
"""What opening the demo chain may meet while a process is still coming up, or was just started again."""
SEEDINGS, SEEDING_PAUSE_S = 5, 5.0

READY_PAUSE_S = 0.2
LOOK_AGAIN_S, LONGEST_LOOK_AGAIN_S = 2.0, 30.0
"""Between two looks whether MongoDB and RabbitMQ live; longer each time that one had to be started again."""

INTERRUPTED = 130


class Platform:
    """One life of the platform under one supervisor."""

    def __init__(self, ports: Mapping[str, int], backing: Backing, *, folder: Path, screen: Screen) -> None:
        self._ports, self._backing, self._folder, self._screen = ports, backing, folder, screen
        self._keys = folder / "keys"
        self._stop = asyncio.Event()
        environ = environment(ports, servers=backing.servers, keys_dir=self._keys)
        self._processes = {
            name: Supervised(
                name,
                command(name),
                environ=environ,
                pid_file=folder / f"{name}.pid",
                show=partial(screen.show, name),
                say=screen.say,
            )
            for name in (*SERVICES, GATEWAY)
        }

    async def live(self, *, began: float) -> int:
        """Run until a signal comes; return the exit status. `began`: by time.monotonic()."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._on_signal)
        lives = [asyncio.create_task(process.run()) for process in self._processes.values()]
        work = asyncio.create_task(self._work(began))
        told = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({work, told}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                await work  # it has no end but an error
        finally:
            for task in (work, told):
                task.cancel()
            await self._shut_down()
            await asyncio.gather(*lives)
        return 0

    async def _work(self, began: float) -> None:
        await asyncio.to_thread(self._backing.wait_until_up)
        await self._until_ready()
        notes = await self._demo_chain()
        if notes.done:
            seconds = time.monotonic() - began
            self._screen.plain(welcome(notes, self._ports, self._backing.servers, seconds=seconds))
        pause_s = LOOK_AGAIN_S
        while True:
            await asyncio.sleep(pause_s)
            if self._backing.revive(self._screen.say):
                pause_s = min(2 * pause_s, LONGEST_LOOK_AGAIN_S)

    async def _until_ready(self) -> None:
        """Return when the gateway says that all four services serve. No deadline: the user sees in the logs why not."""
        url = f"http://{LOOPBACK}:{self._ports[GATEWAY]}/health/ready"
        async with httpx.AsyncClient(trust_env=False, verify=False) as http:  # noqa: S501 - plain HTTP
            while True:
                try:
                    if (await http.get(url)).is_success:
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(READY_PAUSE_S)

    async def _demo_chain(self) -> DemoNotes:
        today = datetime.now(ZoneInfo(TIME_ZONE)).date()
        notes = DemoNotes.load(self._folder / "demo.json", today=today)
        doors = Doors(graphql_url(self._ports), self._operator)
        for attempt in range(1, SEEDINGS + 1):
            try:
                await open_demo_chain(notes, doors, today=today, say=self._screen.say)
                break
            except NOT_YET as error:
                reason = str(error) or type(error).__name__
                again = f"again in {SEEDING_PAUSE_S:.0f} s" if attempt < SEEDINGS else "`make run` goes on with it"
                self._screen.say(f"the demo chain is not complete: {reason}; {again}")
            await asyncio.sleep(SEEDING_PAUSE_S)
        return notes

    def _operator(self) -> Operator:
        return Operator(
            members_address=f"{LOOPBACK}:{self._ports['members']}",
            campaigns_address=f"{LOOPBACK}:{self._ports['campaigns']}",
            keys_dir=self._keys,
        )

    async def _shut_down(self) -> None:
        """Stop in order: nobody loses what it still needs."""
        await self._processes[GATEWAY].stop()
        await asyncio.gather(*(self._processes[name].stop() for name in SERVICES))
        await asyncio.to_thread(self._backing.stop)
        self._screen.say("stopped")

    def _on_signal(self) -> None:
        if not self._stop.is_set():
            self._screen.say("stopping; Ctrl-C once more ends everything at once")
            self._stop.set()
            return
        for process in self._processes.values():
            process.kill()
        self._backing.kill()
        os._exit(INTERRUPTED)


def run(screen: Screen, *, folder: Path, fresh: bool) -> int:
    """Run the platform with all its state in `folder`; return the exit status."""
    began = time.monotonic()
    ports = read_ports(os.environ)
    with claimed(folder):
        stop_leftovers(folder, screen.say)
        backing = Backing(os.environ, ports, folder=folder)
        check_free(ports, (*backing.listeners, *SERVICES, GATEWAY))
        backing.check_given()
        if fresh:
            _forget(screen, folder)
        ensure_keys(folder / "keys")
        screen.say("starting; the first time takes a little longer")
        try:
            backing.launch()
            return asyncio.run(_live(ports, backing, folder, screen, began))
        finally:
            backing.stop()


async def _live(ports: Mapping[str, int], backing: Backing, folder: Path, screen: Screen, began: float) -> int:
    return await Platform(ports, backing, folder=folder, screen=screen).live(began=began)


def _forget(screen: Screen, folder: Path) -> None:
    screen.say("starting over: the demo chain and all its data are forgotten")
    clear(folder)
    if url := os.environ.get("MONGO_URL"):
        given.forget_mongodb(url, [f"huitou_{name}" for name in SERVICES])
    if url := os.environ.get("AMQP_URL"):
        asyncio.run(given.forget_rabbitmq(url, Topology.load(ROOT / "infra" / "broker" / "topology.toml")))


def main() -> int:
    """Read the command line, run, and return the exit status."""
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument("--fresh", action="store_true", help="forget what earlier runs left")
    parser.add_argument("--state", type=Path, default=STATE, help="the folder of data, logs and keys (%(default)s)")
    arguments = parser.parse_args()
    screen = Screen()
    try:
        return run(screen, folder=arguments.state, fresh=arguments.fresh)
    except CANNOT_START as error:
        screen.say(str(error))
        return 1
    except KeyboardInterrupt:  # before the platform listened to signals
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
