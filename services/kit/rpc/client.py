"""A channel to another service: every call has a principal, a deadline and a trace, and fails as a `RemoteProblem`."""

import asyncio
import random
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

import grpc
from google.protobuf.message import Message
from grpc.aio import AioRpcError, Channel, UnaryStreamMultiCallable, UnaryUnaryMultiCallable

from services.kit.errors import Kind
from services.kit.principal import Principal
from services.kit.rpc.calls import TimedOutError, time_left_s
from services.kit.rpc.problems import RemoteProblem, from_error
from services.kit.rpc.server import MAX_MESSAGE_BYTES
from services.kit.telemetry import SpanKind, current_traceparent, span

__all__ = ["RemoteProblem", "RpcChannel"]

Request = TypeVar("Request", bound=Message)
Answer = TypeVar("Answer", bound=Message)
Stub = TypeVar("Stub")

RETRIES = 2
"""A restart of the other side takes about a second; what is still away after three tries is for the caller to say."""

FIRST_WAIT_S = 0.1
"""Doubled for the second retry; each is between half and one and a half of it, so that callers do not come at once."""

OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # A connection whose other end has vanished is noticed within 25 s, even when idle.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    # By default gRPC waits up to 120 s before it tries again to reach a service that is back long since.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # The services stand beside each other: http_proxy in the environment is not meant for them.
    ("grpc.enable_http_proxy", 0),
)


class RpcChannel:
    """Calls the service at `address` with tokens from `tokens` (usually `Signer.token`). Connects when first used."""

    def __init__(self, address: str, *, tokens: Callable[[Principal], str]) -> None:
        self._address, self._tokens = address, tokens
        self._channel: Channel | None = None
        self._paths: dict[object, str] = {}

    def stub(self, stub_class: Callable[[Channel], Stub]) -> Stub:
        """Return a stub (like `PointsStub`) whose methods can be given to `call`. Inside a running loop only."""
        if self._channel is None:
            self._channel = grpc.aio.insecure_channel(self._address, options=OPTIONS)
        return stub_class(cast("Channel", _Named(self._channel, self._paths)))

    async def call(
        self,
        method: UnaryUnaryMultiCallable[Request, Answer],
        request: Request,
        *,
        principal: Principal,
        timeout_s: float = 5.0,
        idempotent: bool = False,
    ) -> Answer:
        """Return the answer, or raise `RemoteProblem`, or `TimedOutError` when there is no time left at all.

        The deadline is `timeout_s` from now, or what is left of the call being answered, if that is less. What is
        unavailable is tried again, at most twice, only when the call is `idempotent`.
        """
        until = _until(timeout_s)
        with span(self._path(method), SpanKind.CLIENT, attributes=self._attributes()):
            tries = 1 + (RETRIES if idempotent else 0)
            for attempt in range(tries):
                try:
                    return await self._once(method, request, principal, until)
                except RemoteProblem as problem:
                    wait_s = _wait_s(problem, attempt)
                    if attempt + 1 == tries or problem.kind is not Kind.UNAVAILABLE or _left_s(until) <= wait_s:
                        raise
                await asyncio.sleep(wait_s)
            raise AssertionError(tries)  # the last try returned or raised

    @asynccontextmanager
    async def stream(
        self,
        method: UnaryStreamMultiCallable[Request, Answer],
        request: Request,
        *,
        principal: Principal,
        timeout_s: float = 5.0,
    ) -> AsyncIterator[AsyncIterable[Answer]]:
        """Give the answers of a method that has many, as they come; who leaves the block early ends the call.

        The deadline, as in `call`, is for all of them. Never tried again: some may have been used already.
        """
        until = _until(timeout_s)
        with span(self._path(method), SpanKind.CLIENT, attributes=self._attributes()):
            answers = method(request, timeout=_time_for(until), metadata=self._metadata(principal))
            try:
                yield answers
            except AioRpcError as error:
                raise from_error(error) from error
            finally:
                answers.cancel()

    async def close(self) -> None:
        """Close the connection; calls under way are cancelled."""
        channel, self._channel = self._channel, None
        self._paths.clear()
        if channel is not None:
            await channel.close()

    async def _once(
        self, method: UnaryUnaryMultiCallable[Request, Answer], request: Request, principal: Principal, until: float
    ) -> Answer:
        left_s = _time_for(until)
        try:
            return await method(request, timeout=left_s, metadata=self._metadata(principal))
        except AioRpcError as error:
            raise from_error(error) from error

    def _path(self, method: object) -> str:
        return self._paths.get(method, "rpc")

    def _attributes(self) -> dict[str, str]:
        return {"rpc.system": "grpc", "server.address": self._address}

    def _metadata(self, principal: Principal) -> tuple[tuple[str, str], ...]:
        return (
            ("authorization", f"Bearer {self._tokens(principal)}"),
            ("traceparent", current_traceparent()),
        )


def _until(timeout_s: float) -> float:
    """Return when a call must have ended, by the loop's time."""
    left_s = time_left_s()
    within_s = timeout_s if left_s is None else min(timeout_s, left_s)
    return asyncio.get_running_loop().time() + within_s


def _time_for(until: float) -> float:
    """Return how long a call that begins now may take. Raises `TimedOutError` when there is no time left at all."""
    left_s = _left_s(until)
    if left_s <= 0:
        raise TimedOutError
    return left_s


def _left_s(until: float) -> float:
    return until - asyncio.get_running_loop().time()


def _wait_s(problem: RemoteProblem, attempt: int) -> float:
    advised_s = problem.retry_after_ms / 1000
    return max(advised_s, FIRST_WAIT_S * (1 << attempt)) * random.uniform(0.5, 1.5)  # noqa: S311 - no secret


class _Named:
    """A channel that remembers the path of each method it makes, for the names of spans."""

    def __init__(self, channel: Channel, paths: dict[object, str]) -> None:
        self._channel, self._paths = channel, paths

    def unary_unary(self, path: str, *args: Any, **options: Any) -> UnaryUnaryMultiCallable[Any, Any]:
        method = self._channel.unary_unary(path, *args, **options)
        self._paths[method] = path.strip("/")
        return method

    def unary_stream(self, path: str, *args: Any, **options: Any) -> UnaryStreamMultiCallable[Any, Any]:
        method = self._channel.unary_stream(path, *args, **options)
        self._paths[method] = path.strip("/")
        return method

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)
