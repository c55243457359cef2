import asyncio
from collections.abc import AsyncIterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from time import perf_counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import sampling
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from services.kit import telemetry
from services.kit.config import WrongSettingError
from services.kit.errors import Kind, Problem
from services.kit.telemetry import SpanKind, current_traceparent, set_up, span, trace_id

ABOVE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
async def exporter() -> AsyncIterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    started = set_up("points", {}, exporter=exporter)
    yield exporter
    await started.stop()


SAMPLERS = (
    "always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off, parentbased_traceidratio"
)


class ClosedError(Problem):
    """Closed."""

    kind = Kind.REFUSED
    code = "CLOSED"


def test_a_span_has_its_name_kind_parent_links_and_attributes(exporter: InMemorySpanExporter) -> None:
    other = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    with (
        span("outer", SpanKind.CONSUMER, parent_traceparent=ABOVE, links=[other, ""], attributes={"n": 3}),
        span("inner"),
    ):
        inside = current_traceparent()
    inner, outer = exporter.get_finished_spans()
    assert (outer.name, outer.kind, outer.attributes) == ("outer", SpanKind.CONSUMER, {"n": 3})
    assert outer.parent is not None
    assert f"{outer.parent.span_id:016x}" == "b7ad6b7169203331"
    assert [f"{link.context.trace_id:032x}" for link in outer.links] == ["a" * 32]
    assert inner.parent is not None
    assert inner.parent.span_id == outer.context.span_id
    assert inside == f"00-0af7651916cd43dd8448eb211c80319c-{inner.context.span_id:016x}-01"
    assert outer.resource.attributes["service.name"] == "points"


def test_an_empty_parent_begins_a_trace_and_none_goes_on(exporter: InMemorySpanExporter) -> None:
    with span("outer", parent_traceparent=ABOVE):
        with span("on"):
            assert trace_id() == "0af7651916cd43dd8448eb211c80319c"
        with span("new", parent_traceparent=""):
            assert trace_id() != "0af7651916cd43dd8448eb211c80319c"
    assert [each.name for each in exporter.get_finished_spans()] == ["on", "new", "outer"]


@pytest.mark.parametrize("exported", [True, False])
@given(trace=st.integers(1, 2**128 - 1), above=st.integers(1, 2**64 - 1), flags=st.sampled_from(["00", "01"]))
def test_what_one_side_sends_the_other_goes_on_with(*, exported: bool, trace: int, above: int, flags: str) -> None:
    set_up("points", {}, exporter=InMemorySpanExporter() if exported else None)
    with span("here", parent_traceparent=f"00-{trace:032x}-{above:016x}-{flags}"):
        sent = current_traceparent()
    with span("there", parent_traceparent=sent):
        assert trace_id() == f"{trace:032x}"
        assert current_traceparent()[-2:] == flags
    set_up("points", {})


HEX = "0123456789abcdef"
TRACEPARENTS = st.one_of(
    st.text(max_size=60),
    st.builds(
        "{}-{}-{}-{}{}".format,
        st.sampled_from(["00", "01", "ff", "0", "AB"]),
        st.one_of(st.text(HEX, min_size=31, max_size=33), st.just("0" * 32), st.just("A" * 32)),
        st.one_of(st.text(HEX, min_size=15, max_size=17), st.just("0" * 16)),
        st.text(HEX, min_size=1, max_size=3),
        st.sampled_from(["", "-", "-more", "more", "\n"]),
    ),
)


@given(TRACEPARENTS)
@example("00-" + "a" * 32 + "-" + "b" * 16 + "-ff")
@example("00-" + "a" * 32 + "-" + "b" * 16 + "-01-more")
@example("01-" + "a" * 32 + "-" + "b" * 16 + "-01-more")
@example("ff-" + "a" * 32 + "-" + "b" * 16 + "-01")
def test_a_traceparent_is_read_as_opentelemetry_reads_it(traceparent: str) -> None:
    theirs = trace.get_current_span(
        TraceContextTextMapPropagator().extract({"traceparent": traceparent}, Context())
    ).get_span_context()
    ours = telemetry._read(traceparent)
    assert (ours.is_valid, ours.is_valid and ours.trace_id) == (theirs.is_valid, theirs.is_valid and theirs.trace_id)
    if ours.is_valid:
        assert (ours.span_id, ours.trace_flags) == (theirs.span_id, theirs.trace_flags)


def test_outside_of_any_span_there_is_nothing_to_send() -> None:
    assert (current_traceparent(), trace_id()) == ("", "")


def test_an_error_is_marked_by_its_type_and_a_refusal_is_not(exporter: InMemorySpanExporter) -> None:
    for error in (ValueError("13800138000"), ClosedError(), asyncio.CancelledError()):
        with pytest.raises(type(error)), span(type(error).__name__):
            raise error
    wrong, refused, cancelled = exporter.get_finished_spans()
    assert (wrong.status.status_code, wrong.attributes) == (StatusCode.ERROR, {"error.type": "ValueError"})
    assert "13800138000" not in wrong.to_json()
    for each in (refused, cancelled):
        assert (each.status.status_code, each.attributes) == (StatusCode.UNSET, {})


@pytest.mark.parametrize(
    ("environ", "sampler"),
    [
        ({}, sampling.ParentBased(sampling.ALWAYS_ON)),
        ({"OTEL_TRACES_SAMPLER": "always_off"}, sampling.ALWAYS_OFF),
        (
            {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.25"},
            sampling.ParentBased(sampling.TraceIdRatioBased(0.25)),
        ),
        ({"OTEL_TRACES_SAMPLER": "traceidratio"}, sampling.TraceIdRatioBased(1.0)),
    ],
)
def test_the_sampler_is_the_one_that_the_environment_names(environ: dict[str, str], sampler: sampling.Sampler) -> None:
    assert telemetry._sampler(environ).get_description() == sampler.get_description()


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        (
            {"OTEL_TRACES_SAMPLER": "jaeger"},
            f"OTEL_TRACES_SAMPLER is 'jaeger'; allowed: {SAMPLERS}.",
        ),
        (
            {"OTEL_TRACES_SAMPLER_ARG": "50%"},
            "OTEL_TRACES_SAMPLER_ARG is '50%'; allowed: a number from 0 to 1.",
        ),
        (
            {"OTEL_TRACES_SAMPLER_ARG": "nan"},
            "OTEL_TRACES_SAMPLER_ARG is 'nan'; allowed: a number from 0 to 1.",
        ),
    ],
)
def test_a_sampler_that_does_not_exist_is_said_so(environ: dict[str, str], message: str) -> None:
    with pytest.raises(WrongSettingError) as caught:
        set_up("points", environ, exporter=InMemorySpanExporter())
    assert caught.value.message == message


def test_a_parent_that_was_not_sampled_has_no_sampled_children(exporter: InMemorySpanExporter) -> None:
    with span("here", parent_traceparent=ABOVE[:-2] + "00"):
        assert current_traceparent()[-2:] == "00"
    assert exporter.get_finished_spans() == ()


async def test_spans_reach_the_receiver_that_the_environment_names_before_the_process_ends() -> None:
    received: list[bytes] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            received.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{server.server_port}/"}
        started = set_up("points", environ)
        with span("last words"):
            pass
        await started.stop()
        server.shutdown()
    (resource,) = ExportTraceServiceRequest.FromString(received[0]).resource_spans
    assert [each.name for each in resource.scope_spans[0].spans] == ["last words"]


async def test_a_receiver_that_is_gone_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "FLUSH_S", 0.2)
    started = set_up("points", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"})
    with span("last words"):
        pass
    began = perf_counter()
    await started.stop()
    assert perf_counter() - began < 5


async def test_a_switched_off_sdk_stays_off() -> None:
    started = set_up("points", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"})
    assert started._provider is None
    await started.stop()
