"""The standard gRPC health service (grpc.health.v1), of our own making for one reason: a watcher does not hold up a
stop. The library's keeps streams open until the grace period is over.

Asked for "" or a service's full name it tells readiness: may calls be sent here? Asked for `LIVE` it tells that the
process is alive, which a lost dependency does not change. Health is open to everybody: probes carry no token, and the
answer says nothing about any chain.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]  # the library has no types

LIVE = "live"

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # the library has no types
    """Answers probes; `set_ready` and `stop` are its only switches."""

    def __init__(self, services: Sequence[str]) -> None:
        self._services = ("", *services)
        self._ready = False
        self._stopping = False
        self._changed = asyncio.Event()

    def set_ready(self, ready: bool) -> None:  # noqa: FBT001 - the one thing that it sets
        """Tell from now on that calls may be sent here, or that they should not."""
        self._ready = ready and not self._stopping
        # Who waits for this one wakes; who comes later waits for the next.
        self._changed.set()
        self._changed = asyncio.Event()

    def stop(self) -> None:
        """Tell NOT_SERVING for good, and let those who watch go."""
        self._stopping = True
        self.set_ready(False)

    async def Check(  # noqa: N802 - the protocol's name
        self, request: health_pb2.HealthCheckRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> health_pb2.HealthCheckResponse:
        """Tell the state of one service."""
        status = self._status(request.service)
        if status == _UNKNOWN:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no service {request.service} here")
        return health_pb2.HealthCheckResponse(status=status)

    async def List(  # noqa: N802 - the protocol's name
        self, _request: health_pb2.HealthListRequest, _context: grpc.aio.ServicerContext[Any, Any]
    ) -> health_pb2.HealthListResponse:
        """Tell the state of every service."""
        names = (*self._services, LIVE)
        statuses = {name: health_pb2.HealthCheckResponse(status=self._status(name)) for name in names}
        return health_pb2.HealthListResponse(statuses=statuses)

    async def Watch(  # noqa: N802 - the protocol's name
        self, request: health_pb2.HealthCheckRequest, _context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        """Tell the state of one service, and again at each change."""
        told = None
        while True:
            if (status := self._status(request.service)) != told:
                yield health_pb2.HealthCheckResponse(status=status)
                told = status
                continue  # it may have changed while that was written
            if self._stopping:
                return
            # Nothing is awaited between the look and this wait, so no change falls in between.
            await self._changed.wait()

    def _status(self, service: str) -> health_pb2.HealthCheckResponse.ServingStatus:
        if service == LIVE:
            return _SERVING
        if service not in self._services:
            return _UNKNOWN
        return _SERVING if self._ready else _NOT_SERVING
