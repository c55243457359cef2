"""What a resolver has in its hands: who asks, the way to the services, the operation's loaders."""

from collections.abc import AsyncIterable, Callable, Hashable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeAlias, TypeVar, cast

import strawberry
from google.protobuf.message import Message
from grpc import aio

from services.kit.principal import NotBelievedError, Principal

Request = TypeVar("Request", bound=Message)
Answer = TypeVar("Answer", bound=Message)
Stub = TypeVar("Stub")


class Channel(Protocol):
    """What a resolver needs of a connection to one service; `kit.rpc.RpcChannel` is the real one."""

    def stub(self, stub_class: Callable[[aio.Channel], Stub]) -> Stub:
        """Return the generated stub over this connection."""

    async def call(
        self,
        method: "aio.UnaryUnaryMultiCallable[Request, Answer]",
        request: Request,
        *,
        principal: Principal,
        timeout_s: float = 5.0,
        idempotent: bool = False,
    ) -> Answer:
        """Call in the principal's name; raise a `Problem` for whatever goes wrong."""

    def stream(
        self,
        method: "aio.UnaryStreamMultiCallable[Request, Answer]",
        request: Request,
        *,
        principal: Principal,
        timeout_s: float = 5.0,
    ) -> AbstractAsyncContextManager[AsyncIterable[Answer]]:
        """Call a method that has many answers, and give them as they come."""


class Channels:
    """The ways to the services, kept by a process as long as it runs."""

    def __init__(self, by_service: Mapping[str, Channel]) -> None:
        self._by_service = by_service
        self._stubs: dict[tuple[str, object], Any] = {}

    def to(self, service: str) -> Channel:
        """Return the channel to the service called "members", "points", "campaigns" or "feedback"."""
        return self._by_service[service]

    def stub(self, service: str, stub_class: Callable[[aio.Channel], Stub]) -> Stub:
        """Return the service's stub, made once: making one sets up all of its methods."""
        key = (service, stub_class)
        if key not in self._stubs:
            self._stubs[key] = self._by_service[service].stub(stub_class)
        return cast("Stub", self._stubs[key])


class Calls:
    """One service, called in the name of who asks."""

    def __init__(self, channels: Channels, service: str, principal: Principal) -> None:
        self._channels, self._service, self._principal = channels, service, principal

    def stub(self, stub_class: Callable[[aio.Channel], Stub]) -> Stub:
        """Return the generated stub, whose methods are what `ask`, `ask_once` and `ask_stream` take."""
        return self._channels.stub(self._service, stub_class)

    async def ask(
        self, method: "aio.UnaryUnaryMultiCallable[Request, Answer]", request: Request, *, timeout_s: float = 5.0
    ) -> Answer:
        """Call a method that may be tried again while the service restarts: it changes nothing, or has a key."""
        return await self._channels.to(self._service).call(
            method, request, principal=self._principal, timeout_s=timeout_s, idempotent=True
        )

    async def ask_once(
        self, method: "aio.UnaryUnaryMultiCallable[Request, Answer]", request: Request, *, timeout_s: float = 5.0
    ) -> Answer:
        """Call a method that changes something, once."""
        return await self._channels.to(self._service).call(
            method, request, principal=self._principal, timeout_s=timeout_s
        )

    def ask_stream(
        self, method: "aio.UnaryStreamMultiCallable[Request, Answer]", request: Request, *, timeout_s: float = 5.0
    ) -> AbstractAsyncContextManager[AsyncIterable[Answer]]:
        """Call a method that has many answers: `async with points.ask_stream(…) as parts: async for part in parts`."""
        return self._channels.to(self._service).stream(method, request, principal=self._principal, timeout_s=timeout_s)


class GraphContext:
    """The context of one operation: `info.context` in every resolver."""

    def __init__(self, *, caller: Principal | None, channels: Channels, trace_id: str = "") -> None:
        self.caller = caller
        self.trace_id = trace_id
        self._channels = channels
        self._made: dict[Hashable, Any] = {}

    @property
    def principal(self) -> Principal:
        """Who asks. Raises `NotBelievedError` for somebody without a key, whom a field's rule has refused before."""
        if self.caller is None:
            raise NotBelievedError
        return self.caller

    def channel(self, service: str) -> Calls:
        """Return the way to the service called "members", "points", "campaigns" or "feedback"."""
        return Calls(self._channels, service, self.principal)

    def once(self, what: Hashable, make: Callable[[], Any]) -> Any:
        """Return what `make` made when this operation first asked for `what`."""
        if (made := self._made.get(what)) is None:
            made = self._made[what] = make()
        return made

    def forget(self) -> None:
        """Drop everything that was loaded: something has been changed."""
        self._made.clear()


Info: TypeAlias = strawberry.Info[GraphContext, None]
