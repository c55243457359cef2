"""A GraphQL request as it comes over HTTP: what is asked, and in which form the answer is wanted.

Source of the rules: GraphQL over HTTP, the draft of the GraphQL Foundation.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request

from services.kit.errors import Kind, Problem

GRAPHQL_JSON = "application/graphql-response+json"
JSON = "application/json"
HTML = "text/html"

BODY_S = 10.0
"""How long a body may take to come in."""


class HttpProblem(Problem):
    """A request that is refused with a status of its own, before GraphQL has a say."""

    status = 400


class BadRequestError(HttpProblem):
    """{why}"""  # noqa: D415 - the reason is the sentence

    kind = Kind.INVALID
    code = "BAD_REQUEST"


class MethodError(HttpProblem):
    """Use {allowed}."""

    kind = Kind.INVALID
    code = "METHOD_NOT_ALLOWED"
    status = 405

    def __init__(self, *, allowed: str) -> None:
        """Tell which methods there are, like "GET, POST"."""
        super().__init__(allowed=allowed)
        self.allowed = allowed


class NotAcceptableError(HttpProblem):
    """The answer can be application/graphql-response+json or application/json."""

    kind = Kind.INVALID
    code = "NOT_ACCEPTABLE"
    status = 406


class SlowBodyError(HttpProblem):
    """The body did not come in within {seconds} seconds."""

    kind = Kind.INVALID
    code = "BODY_TOO_SLOW"
    status = 408


class BodyTooLargeError(HttpProblem):
    """The body is larger than {most} bytes; send less at once."""

    kind = Kind.INVALID
    code = "BODY_TOO_LARGE"
    status = 413


class MediaTypeError(HttpProblem):
    """Send application/json in UTF-8."""

    kind = Kind.INVALID
    code = "UNSUPPORTED_MEDIA_TYPE"
    status = 415


@dataclass(frozen=True, slots=True)
class Asked:
    """One operation that somebody wants to be run."""

    query: str
    variables: dict[str, Any] | None
    operation_name: str | None


def wanted(accept: str | None) -> str:
    """Return `GRAPHQL_JSON`, `JSON` or `HTML`, whichever an Accept header likes most. Raises `NotAcceptableError`."""
    if accept is None or not accept.strip():
        return JSON
    best, best_quality = "", 0.0
    for part in accept.split(","):
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = _quality(parameters)
        chosen = JSON if media in {"*/*", "application/*"} else media
        if chosen in {GRAPHQL_JSON, JSON, HTML} and quality > best_quality:
            best, best_quality = chosen, quality
    if not best:
        raise NotAcceptableError
    return best


def _quality(parameters: list[str]) -> float:
    given = next((value[2:] for value in parameters if value.startswith("q=")), "1")
    try:
        return float(given)
    except ValueError:
        return 0.0


async def posted(request: Request, *, most_bytes: int) -> Asked:
    """Return what the body of a POST asks. Raises `HttpProblem`."""
    _check_media_type(request.headers.get("content-type", ""))
    try:
        async with asyncio.timeout(BODY_S):
            body = await _body(request, most_bytes)
    except TimeoutError:
        raise SlowBodyError(seconds=int(BODY_S)) from None
    except ClientDisconnect as error:
        raise BadRequestError(why="The body ended early.") from error
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequestError(why="The body is not JSON.") from error
    if not isinstance(content, dict):
        raise BadRequestError(why="The body is one JSON object with `query`, `variables`, `operationName`.")
    return _asked(content)


def queried(request: Request) -> Asked:
    """Return what the query string of a GET asks. Raises `HttpProblem`."""
    content: dict[str, Any] = dict(request.query_params)
    for name in ("variables", "extensions"):
        if text := content.get(name):
            try:
                content[name] = orjson.loads(text)
            except orjson.JSONDecodeError as error:
                raise BadRequestError(why=f"`{name}` is not JSON.", field=name) from error
    if content.get("operationName") == "":
        del content["operationName"]
    return _asked(content)


def _asked(content: Mapping[str, Any]) -> Asked:
    query, name = content.get("query"), content.get("operationName")
    variables, extensions = content.get("variables"), content.get("extensions")
    if not isinstance(query, str) or not query:
        raise BadRequestError(why="`query` is needed, a string.", field="query")
    if name is not None and not isinstance(name, str):
        raise BadRequestError(why="`operationName` is a string.", field="operationName")
    if variables is not None and not isinstance(variables, dict):
        raise BadRequestError(why="`variables` is an object.", field="variables")
    if extensions is not None and not isinstance(extensions, dict):
        raise BadRequestError(why="`extensions` is an object.", field="extensions")
    return Asked(query, variables, name)


def _check_media_type(content_type: str) -> None:
    media, *parameters = (piece.strip().lower() for piece in content_type.split(";"))
    charset = next((value[8:].strip('"') for value in parameters if value.startswith("charset=")), "utf-8")
    if media != JSON or charset not in {"utf-8", "utf8"}:
        raise MediaTypeError


async def _body(request: Request, most_bytes: int) -> bytes:
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > most_bytes:
        raise BodyTooLargeError(most=most_bytes)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most_bytes:
            raise BodyTooLargeError(most=most_bytes)
    return bytes(body)
