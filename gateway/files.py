"""Files that are too large for an answer of the graph: exports, and everything about one member.

A key in the Authorization header is all that is looked at, which no browser sends by itself: another site's page cannot
fetch a file in a visitor's name. What goes wrong before the first byte is a status with the errors of the graph; what
goes wrong later ends the connection before the announced length, or before the document's end.
"""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from protos.common.v1 import member_records_pb2 as records_pb
from protos.common.v1.member_records_pb2_grpc import MemberRecordsStub
from protos.members.v1 import exports_pb2 as pb
from protos.members.v1.exports_pb2_grpc import ExportsStub
from services.kit.errors import Kind, Problem
from services.kit.graph import Caller, Channels, allow, instant
from services.kit.graph.context import Calls
from services.kit.graph.errors import extensions, words
from services.kit.graph.http import STATUS, CallerOf
from services.kit.graph.requests import MethodError
from services.kit.principal import NotBelievedError, Principal
from services.kit.telemetry import SpanKind, span, trace_id

SERVICES = ("members", "points", "campaigns", "feedback")
"""In the order in which their parts stand in a member's file."""

FORMAT = "huitou-member-1"

PART_S = 50.0
"""What one call to a service may take; a file that takes longer is gone on with by the next call."""

EXPORTERS = allow(Caller.STAFF, scope="members:export")
DISCLOSED = allow(Caller.MEMBER, Caller.STAFF, scope="members:disclose")

_STATUS = {Kind.INVALID: 400, Kind.NOT_FOUND: 404, Kind.CONFLICT: 409, Kind.REFUSED: 409, **STATUS}

_MEDIA = {
    pb.EXPORT_FORMAT_CSV: "text/csv; charset=utf-8",
    pb.EXPORT_FORMAT_XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

logger = logging.getLogger(__name__)

Answer = Callable[[Request], Awaitable[Response]]


class Files:
    """Answers requests for files."""

    def __init__(self, *, caller_of: CallerOf, channels: Channels) -> None:
        self._caller_of, self._channels = caller_of, channels

    @property
    def routes(self) -> list[Route]:
        """Which path leads to which file."""
        return [
            Route("/exports/{id}", _Answering(self._export)),
            Route("/members/{id}/export", _Answering(self._member)),
        ]

    async def _export(self, request: Request) -> Response:
        members = Calls(self._channels, "members", await self._caller(request, EXPORTERS))
        stub = members.stub(ExportsStub)
        export = await members.ask(stub.GetExport, pb.GetExportRequest(id=request.path_params["id"]))
        headers = _headers(export.file_name, _MEDIA[export.format])
        headers["content-length"] = str(export.bytes)
        return await _streamed(_chunks(members, export), headers)

    async def _member(self, request: Request) -> Response:
        caller = await self._caller(request, DISCLOSED)
        members = Calls(self._channels, "members", caller)
        asked = pb.DiscloseMemberRequest(member_id=request.path_params["id"])
        told = await members.ask_once(members.stub(ExportsStub).DiscloseMember, asked)
        ourselves = Principal(chain=caller.chain, kind=Caller.SERVICE, id="gateway")
        services = {name: Calls(self._channels, name, ourselves) for name in SERVICES}
        # All are asked first, so that one that is away is told by the status.
        sections = {name: await _sections(calls) for name, calls in services.items()}
        headers = _headers(f"{told.member_ids[0]}.json", "application/json; charset=utf-8")
        return await _streamed(_document(told, services, sections), headers)

    async def _caller(self, request: Request, rule: Any) -> Principal:
        if request.method != "GET":
            raise MethodError(allowed="GET")
        caller = await self._caller_of(request)
        rule.check(caller)
        if caller is None:
            raise NotBelievedError
        return caller


class _Answering:
    """An ASGI application: whatever happens while a file is sent happens in one span and one task."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        parent = request.headers.get("traceparent", "")
        path = {"url.path": request.url.path}
        with span("file", SpanKind.SERVER, parent_traceparent=parent, attributes=path) as current:
            response = await self._respond(request)
            current.set_attribute("http.response.status_code", response.status_code)
            response.headers["x-trace-id"] = trace_id()
            await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        try:
            return await self._answer(request)
        except Problem as problem:
            return _refused(problem)
        except Exception:  # the last barrier: whatever it was stands in the log, and the caller learns nothing of it
            logger.exception("a file could not be sent")
            return _refused(Problem())


class _Streamed(Response):
    """A file that is sent as it comes, until the client goes."""

    def __init__(self, first: bytes, rest: AsyncGenerator[bytes, None], headers: dict[str, str]) -> None:
        super().__init__(None)
        self.raw_headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        self._first, self._rest = first, rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        async with aclosing(self._rest):
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": self._first, "more_body": True})
            async for some in self._rest:
                if await request.is_disconnected():
                    return
                await send({"type": "http.response.body", "body": some, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})


def _headers(file_name: str, media: str) -> dict[str, str]:
    """Return the headers of a file that is saved, and neither shown, guessed at nor kept by anybody on the way."""
    return {
        "content-type": media,
        "content-disposition": f'attachment; filename="{file_name}"',
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "content-security-policy": "default-src 'none'; sandbox",
    }


def _refused(problem: Problem) -> Response:
    error = {"message": words(problem), "extensions": extensions(problem, trace_id=trace_id())}
    status = 405 if isinstance(problem, MethodError) else _STATUS.get(problem.kind, 500)
    response = Response(orjson.dumps({"errors": [error]}), status, media_type="application/json")
    response.headers["cache-control"] = "no-store"
    if isinstance(problem, MethodError):
        response.headers["allow"] = problem.allowed
    if problem.kind is Kind.UNAUTHENTICATED:
        response.headers["www-authenticate"] = "Bearer"
    if problem.retry_after_ms:
        response.headers["retry-after"] = str(-(-problem.retry_after_ms // 1000))
    return response


async def _streamed(content: AsyncGenerator[bytes, None], headers: dict[str, str]) -> Response:
    """Return a response that begins once there is something to send: what is refused until then has a status."""
    return _Streamed(await anext(content, b""), content, headers)


async def _chunks(members: Calls, export: pb.Export) -> AsyncGenerator[bytes, None]:
    """Yield a file. A call that ran out of time, as the client is slow, is followed by another one."""
    method = members.stub(ExportsStub).DownloadExport
    number, began = 0, -1
    while number < max(export.chunks, 1):
        if began == number:
            raise Problem  # not one chunk came in all that time
        began = number
        request = pb.DownloadExportRequest(id=export.id, first_chunk=number)
        try:
            async with members.ask_stream(method, request, timeout_s=PART_S) as parts:
                async for part in parts:
                    number = part.number + 1
                    yield part.content
        except Problem as problem:
            if problem.kind is not Kind.TIMED_OUT:
                raise


async def _sections(service: Calls) -> list[str]:
    answer = await service.ask(service.stub(MemberRecordsStub).ListSections, records_pb.ListSectionsRequest())
    return list(answer.sections)


async def _document(
    told: pb.DiscloseMemberResponse, services: dict[str, Calls], sections: dict[str, list[str]]
) -> AsyncGenerator[bytes, None]:
    """Yield {"format", "memberIds", "exportedAt", SERVICE: {SECTION: [record, …]}}."""
    head = {"format": FORMAT, "memberIds": list(told.member_ids), "exportedAt": instant(told.at)}
    yield orjson.dumps(head, option=orjson.OPT_UTC_Z)[:-1]
    for name, service in services.items():
        for number, section in enumerate(sections[name]):
            opening = f',\n"{name}":{{' if number == 0 else ","
            yield f'{opening}\n"{section}":['.encode()
            async with aclosing(_records(service, list(told.member_ids), section)) as parts:
                async for part in parts:
                    yield part
            yield b"]"
        yield b"}"
    yield b"}\n"


async def _records(service: Calls, ids: list[str], section: str) -> AsyncGenerator[bytes, None]:
    """Yield the records of a section behind commas; a call that ran out of time is followed by another one."""
    method = service.stub(MemberRecordsStub).ExportMember
    done, began = 0, -1
    while True:
        if began == done:
            raise Problem  # nothing came in all that time
        began = done
        request = records_pb.ExportMemberRequest(member_ids=ids, section=section, skip=done)
        try:
            async with service.ask_stream(method, request, timeout_s=PART_S) as parts:
                async for part in parts:
                    yield (b",\n" if done else b"\n") + b",\n".join(part.records)
                    done += len(part.records)
        except Problem as problem:
            if problem.kind is not Kind.TIMED_OUT:
                raise
        else:
            return
