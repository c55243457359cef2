"""One trace over all hops."""

import logging
from collections.abc import AsyncIterator, Iterator
from io import StringIO

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from services.kit import logs
from services.kit.errors import Kind
from services.kit.rpc import RemoteProblem
from services.kit.telemetry import SpanKind, current_traceparent, set_up, span, trace_id
from tests.support.toy_server import principal, toy_running

ABOVE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
async def exporter() -> AsyncIterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    telemetry = set_up("toy", {}, exporter=exporter)
    yield exporter
    await telemetry.stop()


async def here(_text: str) -> str:
    return current_traceparent()


async def test_the_trace_crosses_a_call(exporter: InMemorySpanExporter) -> None:
    async with toy_running(here) as toy:
        with span("outer", parent_traceparent=ABOVE):
            inside = (await toy.channel.call(toy.stub.Say, StringValue(), principal=principal())).value
        path = f"{toy.service.full_name}/Say"
    server, client, outer = exporter.get_finished_spans()
    assert [(each.name, each.kind) for each in (server, client, outer)] == [
        (path, SpanKind.SERVER),
        (path, SpanKind.CLIENT),
        ("outer", SpanKind.INTERNAL),
    ]
    assert {f"{each.context.trace_id:032x}" for each in (server, client, outer)} == {"0af7651916cd43dd8448eb211c80319c"}
    assert server.parent is not None
    assert client.parent is not None
    assert server.parent.span_id == client.context.span_id
    assert client.parent.span_id == outer.context.span_id
    assert inside == f"00-0af7651916cd43dd8448eb211c80319c-{server.context.span_id:016x}-01"


async def test_a_trace_crosses_a_call_even_when_nothing_is_exported() -> None:
    async with toy_running(here) as toy:
        with span("outer"):
            outer = trace_id()
            inside = (await toy.channel.call(toy.stub.Say, StringValue(), principal=principal())).value
    assert len(outer) == 32
    assert inside.split("-")[1] == outer


@pytest.mark.parametrize("traceparent", [None, "", "nonsense", "00-" + "0" * 32 + "-b7ad6b7169203331-01"])
async def test_without_a_readable_trace_a_new_one_begins(
    exporter: InMemorySpanExporter, traceparent: str | None
) -> None:
    async with toy_running(here) as toy:
        metadata = toy.metadata(principal()) + ((("traceparent", traceparent),) if traceparent is not None else ())
        first = (await toy.bare_stub.Say(StringValue(), metadata=metadata)).value
        second = (await toy.bare_stub.Say(StringValue(), metadata=metadata)).value
    assert first.split("-")[1] != second.split("-")[1]
    assert [each.parent for each in exporter.get_finished_spans()] == [None, None]


@pytest.mark.parametrize(("kind", "failed"), [(Kind.REFUSED, False), (Kind.UNAVAILABLE, True)])
async def test_a_refusal_is_no_failure_of_the_span(exporter: InMemorySpanExporter, kind: Kind, *, failed: bool) -> None:
    async def say(_text: str) -> str:
        raise RemoteProblem("about 13800138000", kind=kind, code="WHY")

    async with toy_running(say) as toy:
        with pytest.raises(RemoteProblem):
            await toy.channel.call(toy.stub.Say, StringValue(), principal=principal())
    for each in exporter.get_finished_spans():
        assert each.status.status_code is (StatusCode.ERROR if failed else StatusCode.UNSET)
        assert (each.attributes or {}).get("error.type") == ("WHY" if failed else None)
        assert "13800138000" not in each.to_json()


@pytest.fixture
def logged() -> Iterator[StringIO]:
    lines = StringIO()
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    logs.set_up("toy", "text", stream=lines)
    yield lines
    root.handlers[:] = before
    root.setLevel(level)


async def test_a_fault_is_told_with_the_trace_that_its_log_line_has(logged: StringIO) -> None:
    async def say(_text: str) -> str:
        message = "boom"
        raise RuntimeError(message)

    async with toy_running(say) as toy:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await toy.bare_stub.Say(StringValue(), metadata=(*toy.metadata(principal()), ("traceparent", ABOVE)))
    trace = "0af7651916cd43dd8448eb211c80319c"
    assert trace in (caught.value.details() or "")
    text = logged.getvalue()
    assert f"failed  trace={trace}" in text
    assert "RuntimeError: boom" in text
