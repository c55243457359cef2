"""The web server as a part of the process: uvicorn, started and stopped by us instead of by its own signals."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from gateway.app import Readiness
from services.kit.errors import Kind, Problem
from services.kit.service import background

DRAIN_S = 10
"""What requests under way may take once the process is told to stop."""

BACKLOG = 2_048

MOST_CONNECTIONS = 5_000
"""Beyond, uvicorn answers 503 at once: better than to take in what memory cannot hold."""


class PortTakenError(Problem):
    """{address} cannot be listened on: {why}. Set GATEWAY_ADDRESS to another one."""

    kind = Kind.UNAVAILABLE
    code = "PORT_TAKEN"


class _Uvicorn(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the process, which stops its parts in order."""
        yield


class HttpServer:
    """A `Face` of the process: health is answered from `listen` on. `address` is "host:port"; port 0: any free one."""

    def __init__(self, app: ASGIApp, readiness: Readiness, *, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._host, self._port = host.strip("[]"), int(port)
        self.address = address
        self.app = app
        self._readiness = readiness
        self._server = _Uvicorn(
            uvicorn.Config(
                app,
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                backlog=BACKLOG,
                limit_concurrency=MOST_CONNECTIONS,
                timeout_graceful_shutdown=DRAIN_S,
            )
        )
        self._running: asyncio.Task[None] | None = None

    async def listen(self) -> None:
        """Take the port and answer. Raises `PortTakenError`."""
        try:
            listening = socket.create_server((self._host, self._port), family=_family(self._host), backlog=BACKLOG)
        except OSError as error:
            raise PortTakenError(address=self.address, why=error.strerror) from error
        host, port = listening.getsockname()[:2]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._running = background(self._server.serve(sockets=[listening]), name="http server")

    async def start(self) -> None:
        """Tell from now on that requests may come."""
        self._readiness.ready = True

    def set_ready(self, ready: bool) -> None:  # noqa: FBT001 - the one thing that it sets
        """Tell probes whether requests should come."""
        self._readiness.ready = ready

    async def stop(self) -> None:
        """Take no more connections, and return when the requests under way are answered, or after `DRAIN_S`."""
        self._readiness.ready = False
        if self._running is not None:
            self._server.should_exit = True
            await self._running


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
