"""A gRPC server whose methods all stand behind the guard."""

import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2_grpc  # type: ignore[import-untyped]  # the library has no types
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc  # type: ignore[import-untyped]  # the library has no types

from services.kit.errors import Problem
from services.kit.principal import Verifier
from services.kit.rpc.access import NoRuleError, Rule, rules
from services.kit.rpc.calls import caller, time_left_s
from services.kit.rpc.guard import Explain, Guard, Handler
from services.kit.rpc.health import Health

__all__ = ["PortTakenError", "RpcServer", "Servicer", "caller", "registered", "time_left_s"]

Servicer = tuple[Callable[[Any, Any], None], object, ServiceDescriptor]
"""As generated: `(add_PointsServicer_to_server, servicer, points_pb2.DESCRIPTOR.services_by_name["Points"])`."""


def registered(generated: ModuleType, name: str, servicer: object) -> Servicer:
    """Return the servicer with what was generated for its service; `generated` is the proto's `…_pb2_grpc`."""
    messages = import_module(generated.__name__.removesuffix("_grpc"))
    return getattr(generated, f"add_{name}Servicer_to_server"), servicer, messages.DESCRIPTOR.services_by_name[name]


MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""A batch of 1,000 purchases with many lines is about 1 MB."""

MAX_UNDER_WAY = 2_000
"""Calls at once: about half a second of what one process can answer; more would only wait."""

OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # Two processes on one port would each get some of the calls: a taken port must be an error.
    ("grpc.so_reuseport", 0),
    # Our clients ping idle connections every 20 s (client.py); by default a server takes that for an attack.
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.http2.max_ping_strikes", 0),
)


class PortTakenError(Problem):
    """{address} cannot be listened on: {why}. Stop the other program, or set another address, like
    POINTS_ADDRESS=127.0.0.1:7202.
    """

    code = "PORT_TAKEN"


class RpcServer:
    """Serves `servicers` on `address` ("127.0.0.1:7102"; port 0: any free one, see `port`).

    Every method must have an access rule in its proto (else `NoRuleError`), and is denied to everyone whom the rule
    does not name. Exempt are gRPC's own health and reflection, which tell nothing but the contract: they are the only
    ones that `_add_exempt` registers.
    """

    def __init__(
        self,
        *,
        address: str,
        verifier: Verifier,
        servicers: Sequence[Servicer],
        max_under_way: int = MAX_UNDER_WAY,
        explain: Explain = lambda _error: None,
    ) -> None:
        self._address = address
        self._guard = Guard(verifier=verifier, max_under_way=max_under_way, explain=explain)
        self._names = [descriptor.full_name for _, _, descriptor in servicers]
        self._health = Health(self._names)
        self._handlers: dict[str, dict[str, Handler]] = {}
        for add, servicer, descriptor in servicers:
            add(servicer, _Registrar(self._handlers, self._guard, rules(descriptor), descriptor.full_name))
        self._server: grpc.aio.Server | None = None
        self.port = 0

    async def listen(self) -> None:
        """Open the port: health answers NOT_SERVING, calls are refused as UNAVAILABLE. For `start` to follow."""
        if self._server is not None:
            return
        _check_free(self._address)
        server = grpc.aio.server(options=OPTIONS)
        for name, handlers in self._handlers.items():
            server.add_registered_method_handlers(name, handlers)
        self._add_exempt(server)
        try:
            self.port = server.add_insecure_port(self._address)
        except RuntimeError as error:
            raise PortTakenError(address=self._address, why=error) from error
        await server.start()
        self._server = server

    async def start(self) -> None:
        """Take calls, and say so."""
        await self.listen()
        self._guard.open = True
        self.set_ready(True)

    def set_ready(self, ready: bool) -> None:  # noqa: FBT001 - the one thing that it sets
        """Say in health whether calls should be sent here; those that come are tried all the same."""
        self._health.set_ready(ready)

    async def stop(self, grace_s: float = 10.0) -> None:
        """Say NOT_SERVING, refuse new calls, answer those under way for `grace_s`, then cancel them."""
        self._health.stop()
        if self._server is not None:
            await self._server.stop(grace_s)
            self._server = None

    def _add_exempt(self, server: grpc.aio.Server) -> None:
        names = [*self._names, "grpc.health.v1.Health", reflection.SERVICE_NAME]
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(reflection.aio.ReflectionServicer(names), server)


def _check_free(address: str) -> None:
    """Raise `PortTakenError` with the system's reason; gRPC would give its own on standard error, past our log."""
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host.strip("[]"), int(port)), family=family).close()
    except OSError as error:
        raise PortTakenError(address=address, why=error.strerror) from error


class _Registrar:
    """Stands in for the server in generated `add_…Servicer_to_server`: takes each handler and guards it."""

    def __init__(
        self,
        handlers: dict[str, dict[str, Handler]],
        guard: Guard,
        of_methods: Mapping[str, Rule],
        service: str,
    ) -> None:
        self._handlers, self._guard, self._rules, self._service = handlers, guard, of_methods, service

    def add_generic_rpc_handlers(self, _handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """Ignore these: the same methods come through the other call, by name."""

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Handler]) -> None:
        """Guard the service's methods; the descriptor must be the one of this service."""
        if service != self._service or handlers.keys() != self._rules.keys():
            message = f"{service} was registered with the descriptor of {self._service}"
            raise NoRuleError(message)
        self._handlers[service] = {
            name: self._guard.wrap(f"{service}/{name}", self._rules[name], handler)
            for name, handler in handlers.items()
        }
