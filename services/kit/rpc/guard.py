"""What stands before every method: who asks, may they, for how long; and what is told when it fails.

A method is wrapped once, when the server is built, so there is no way to reach one around the guard, and no search
for it on each call.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, TypeAlias, cast

import grpc
from google.protobuf.message import DecodeError
from grpc.aio import AbortError, ServicerContext
from grpc_status import rpc_status  # type: ignore[import-untyped]  # the library has no types

from services.kit.errors import Kind, Problem
from services.kit.principal import NotBelievedError, Principal, Verifier
from services.kit.rpc.access import Rule
from services.kit.rpc.calls import TimedOutError, answering
from services.kit.rpc.problems import to_status
from services.kit.telemetry import SpanKind, span, trace_id

DEFAULT_S = 10.0
"""For callers that give no deadline."""

CEILING_S = 60.0
"""Nobody waits longer; what takes longer is a job."""

BUSY_RETRY_MS = 200
"""Advice to callers beyond the bound: several times what a usual call takes."""

Context = ServicerContext[Any, Any]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"  # generic in the types only, not when it runs
Behaviour = Callable[[Any, Context], Awaitable[Any]]

Explain = Callable[[Exception], Problem | None]
"""What an exception of a library means to callers; None: it is a fault."""

_log = logging.getLogger(__name__)


class FaultError(Problem):
    """Something went wrong on the platform's side; trace {trace} has what is known about it."""

    kind = Kind.FAULT
    code = "FAULT"


class UnreadableError(Problem):
    """The request cannot be read as the message that the method takes."""

    kind = Kind.INVALID
    code = "UNREADABLE"


class BusyError(Problem):
    """Too many calls are under way; try again in a moment."""

    kind = Kind.OVERLOADED
    code = "BUSY"


class NotReadyError(Problem):
    """The service is starting and takes no calls yet; try again in a moment."""

    kind = Kind.UNAVAILABLE
    code = "NOT_READY"


class Guard:
    """Wraps methods. Knows how many calls are under way, and whether any are taken."""

    def __init__(self, *, verifier: Verifier, max_under_way: int, explain: Explain) -> None:
        self.open = False
        self.under_way = 0
        self._verifier, self._max, self._explain = verifier, max_under_way, explain

    def wrap(self, path: str, rule: Rule, handler: Any) -> Handler:
        """Return `handler` behind the guard; `path` is like "huitou.points.v1.Points/GetAccounts"."""
        answer = _answer(handler)
        attributes = {"rpc.system": "grpc", "rpc.method": path}

        async def guarded(request: Any, context: Context) -> Any:
            metadata = dict(context.invocation_metadata() or ())
            above = str(metadata.get("traceparent", ""))
            try:
                with span(path, SpanKind.SERVER, parent_traceparent=above, attributes=attributes):
                    try:
                        principal = self._admit(rule, metadata)
                        return await self._in_time(principal, answer, request, context)
                    except Exception as error:
                        if (told := self._told(error, path)) is None:
                            raise
                        raise told from error
            except Problem as problem:
                status = to_status(problem)
            return await context.abort_with_status(rpc_status.to_status(status))

        return _HANDLERS[handler.request_streaming, handler.response_streaming](guarded)

    def _admit(self, rule: Rule, metadata: Mapping[str, str | bytes]) -> Principal:
        """Return who calls, or raise why the call is not taken."""
        if not self.open:
            raise NotReadyError(retry_after_ms=BUSY_RETRY_MS)
        if self.under_way >= self._max:
            raise BusyError(retry_after_ms=BUSY_RETRY_MS)
        scheme, _, token = str(metadata.get("authorization", "")).partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise NotBelievedError
        principal = self._verifier.principal(token)
        rule.check(principal)
        return principal

    async def _in_time(self, principal: Principal, answer: Behaviour, request: Any, context: Context) -> Any:
        # The types say float; it is None for a caller that gives no deadline.
        given = cast("float | None", context.time_remaining())
        within_s = min(DEFAULT_S if given is None else given, CEILING_S)
        limit = asyncio.timeout(within_s)
        self.under_way += 1
        try:
            with answering(principal, within_s=within_s):
                async with limit:
                    return await answer(request, context)
        except TimeoutError as error:
            if limit.expired():
                raise TimedOutError from error
            raise  # of something inside, which is a fault like any other
        finally:
            self.under_way -= 1

    def _told(self, error: Exception, path: str) -> Problem | None:
        """Return what the caller is told instead of `error`; None: just that.

        What nobody foresaw is logged with all there is, and the caller learns nothing but where that can be found.
        """
        if isinstance(error, Problem):
            if error.kind is Kind.FAULT:
                _log.exception("%s failed: %s", path, error.code)
            return None
        if isinstance(error, AbortError):
            return None  # a servicer that ended the call by itself
        if (known := self._explain(error)) is not None:
            _log.warning("%s: %s (%s)", path, known.code, type(error).__name__)
            return known
        _log.exception("%s failed", path)
        return FaultError(trace=trace_id())


def _answer(handler: Any) -> Behaviour:
    """Return what answers: takes bytes (or a stream of them), gives bytes (or writes a stream of them).

    Requests are read and answers written in here, behind the check of the caller and within its deadline: nobody
    unknown makes us parse 16 MB, and an answer that cannot be written is a fault like any other.
    """
    behaviour = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    write = handler.response_serializer

    def read(raw: bytes) -> Any:
        try:
            return handler.request_deserializer(raw)
        except DecodeError as error:
            raise UnreadableError from error

    async def read_each(stream: AsyncIterator[bytes]) -> AsyncIterator[Any]:
        async for raw in stream:
            yield read(raw)

    take = read_each if handler.request_streaming else read

    async def answer_once(request: Any, context: Context) -> Any:
        return write(await behaviour(take(request), context))

    async def answer_each(request: Any, context: Context) -> None:
        async with aclosing(behaviour(take(request), context)) as answers:
            async for item in answers:
                await context.write(write(item))

    return answer_each if handler.response_streaming else answer_once


_HANDLERS: dict[tuple[bool, bool], Callable[[Any], Handler]] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}
