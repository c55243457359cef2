"""One trace from the caller's request through the gateway to the services."""

from collections.abc import AsyncIterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from services.kit.telemetry import set_up
from tests.support.door import door_open

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
async def exporter() -> AsyncIterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    telemetry = set_up("gateway", {}, exporter=exporter)
    yield exporter
    await telemetry.stop()


def named(span: ReadableSpan) -> tuple[str, SpanKind]:
    return span.name, span.kind


async def test_a_request_is_one_trace(exporter: InMemorySpanExporter) -> None:
    asked = {"query": "query Screen { members(count: 50) { name points } }", "operationName": "Screen"}
    async with door_open() as door:
        headers = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
        response = await door.http.post("/graphql", json=asked, headers=headers)
    assert response.headers["x-trace-id"] == TRACE
    spans = exporter.get_finished_spans()
    assert {f"{span.context.trace_id:032x}" for span in spans} == {TRACE}
    # A span for the operation and one for each side of each call, none for each field or member.
    assert sorted(named(span) for span in spans if span.kind is not SpanKind.SERVER) == [
        ("huitou.members.v1.Chains/Authenticate", SpanKind.CLIENT),
        ("huitou.members.v1.Members/GetMembers", SpanKind.CLIENT),
        ("huitou.points.v1.Points/GetAccounts", SpanKind.CLIENT),
    ]
    (operation,) = (span for span in spans if span.name == "query")
    assert dict(operation.attributes or {}) == {
        "url.path": "/graphql",
        "graphql.operation.name": "Screen",
        "graphql.operation.type": "query",
        "http.response.status_code": 200,
    }


async def test_a_request_without_a_trace_begins_one() -> None:
    async with door_open() as door:
        first, second = [await door.http.post("/graphql", json={"query": "{ __typename }"}) for _ in "ab"]
    assert len(first.headers["x-trace-id"]) == 32
    assert first.headers["x-trace-id"] != second.headers["x-trace-id"]
