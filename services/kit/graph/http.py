"""One schema over HTTP: POST and GET as GraphQL over HTTP has them, and a page for people to try queries."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from graphql import ExecutionResult, GraphQLError, OperationType
from opentelemetry.trace import Span
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send
from strawberry.http.ides import get_graphql_ide_html

from services.kit.errors import Kind, Problem
from services.kit.graph.context import Channels, GraphContext
from services.kit.graph.documents import Document, InvalidDocumentError
from services.kit.graph.errors import extensions, shown, words
from services.kit.graph.requests import (
    HTML,
    JSON,
    Asked,
    BadRequestError,
    HttpProblem,
    MethodError,
    posted,
    queried,
    wanted,
)
from services.kit.graph.schema import ServedSchema
from services.kit.principal import Principal
from services.kit.telemetry import SpanKind, span, trace_id

logger = logging.getLogger(__name__)

MOST_BYTES = 8 * 1024 * 1024
"""Room for the 5,000 receipts that an offline till may send at once, with all their lines."""

TIMEOUT_S = 60.0
"""For a whole operation; each call to a service has a shorter time of its own."""

STATUS = {
    Kind.UNAUTHENTICATED: 401,
    Kind.DENIED: 403,
    Kind.OVERLOADED: 429,
    Kind.UNAVAILABLE: 503,
    Kind.TIMED_OUT: 504,
}

CallerOf = Callable[[Request], Awaitable[Principal | None]]


class TooLongError(Problem):
    """The operation took too long."""

    kind = Kind.TIMED_OUT
    code = "TIMED_OUT"


class GraphQLEndpoint:
    """An ASGI application that serves one schema at one path.

    `caller_of` tells who asks: None for somebody without a key; it raises a `Problem` for a key that is not believed.
    """

    def __init__(
        self, schema: ServedSchema, *, caller_of: CallerOf, channels: Channels, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._schema, self._caller_of, self._channels, self._timeout_s = schema, caller_of, channels, timeout_s
        self._page = get_graphql_ide_html()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        # A router in front, or a client that traces, has a trace already.
        parent = request.headers.get("traceparent", "")
        path = {"url.path": request.url.path}
        with span("graphql", SpanKind.SERVER, parent_traceparent=parent, attributes=path) as current:
            response = await self._respond(request, current)
            current.set_attribute("http.response.status_code", response.status_code)
            response.headers["x-trace-id"] = trace_id()
            await response(scope, receive, send)

    async def _respond(self, request: Request, current: Span) -> Response:
        media = JSON
        try:
            media = wanted(request.headers.get("accept"))
            if request.method == "GET" and media == HTML:
                return HTMLResponse(self._page)
            media = JSON if media == HTML else media
            async with asyncio.timeout(self._timeout_s):
                return await self._answer(request, media, current)
        except TimeoutError:
            return _refused(TooLongError(), media)
        except Problem as problem:
            return _refused(problem, media)
        except Exception:  # the last barrier: whatever it was stands in the log, and the caller learns nothing of it
            logger.exception("a GraphQL request failed")
            return _refused(Problem(), media)

    async def _answer(self, request: Request, media: str, current: Span) -> Response:
        if request.method not in {"GET", "POST"}:
            raise MethodError(allowed="GET, POST")
        caller = await self._caller_of(request)
        asked = queried(request) if request.method == "GET" else await posted(request, most_bytes=MOST_BYTES)
        try:
            document = self._schema.documents.known(asked.query)
        except InvalidDocumentError as invalid:
            errors = shown(invalid.errors, trace_id=trace_id())
            return _written(ExecutionResult(None, errors), media, ran=False)
        kind = _kind(document, asked, request.method)
        current.update_name(kind.value)
        current.set_attribute("graphql.operation.type", kind.value)
        current.set_attribute("graphql.operation.name", (asked.operation_name or "")[:100])
        context = GraphContext(caller=caller, channels=self._channels, trace_id=trace_id())
        result = await self._schema.answer(
            document, context=context, variables=asked.variables, operation_name=asked.operation_name
        )
        # Errors of a field have a path; one without is about the request (its variables), and nothing has run.
        ran = result.data is not None or all(error.path for error in result.errors or ())
        return _written(result, media, ran=ran)


def _kind(document: Document, asked: Asked, method: str) -> OperationType:
    kind = document.kind_of(asked.operation_name)
    if kind is None:
        raise BadRequestError(why="`operationName` names none of the document's operations.", field="operationName")
    if kind is OperationType.SUBSCRIPTION:
        raise BadRequestError(why="Subscriptions are not served here.", field="query")
    if method == "GET" and kind is not OperationType.QUERY:
        raise MethodError(allowed="POST")
    return kind


def _written(result: ExecutionResult, media: str, *, ran: bool) -> Response:
    """Return the response; of an operation that did not run it has no `data`, and the media type decides its status."""
    content: dict[str, Any] = {}
    if ran:
        content["data"] = result.data
    if result.errors:
        content["errors"] = [error.formatted for error in result.errors]
    status = 200 if ran or media == JSON else 400
    return _response(content, media, status)


def _refused(problem: Problem, media: str) -> Response:
    """Return the response to a request that GraphQL never saw."""
    error = GraphQLError(words(problem), extensions=extensions(problem, trace_id=trace_id()))
    status = problem.status if isinstance(problem, HttpProblem) else STATUS.get(problem.kind, 500)
    response = _response({"errors": [error.formatted]}, media, status)
    if isinstance(problem, MethodError):
        response.headers["allow"] = problem.allowed
    if problem.kind is Kind.UNAUTHENTICATED:
        response.headers["www-authenticate"] = "Bearer"
    if problem.retry_after_ms:
        response.headers["retry-after"] = str(-(-problem.retry_after_ms // 1000))
    return response


def _response(content: dict[str, Any], media: str, status: int) -> Response:
    return Response(orjson.dumps(content), status, media_type=f"{media}; charset=utf-8")
