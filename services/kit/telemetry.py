"""Traces: W3C context across every hop, spans exported by OTLP when somebody is there to receive them.

Trace ids are made and passed on even when nothing is exported, so that a log line of one service can always be put
beside those of the others. That costs about a microsecond per call; a span that is exported costs fifty.
"""

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider, sampling
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from services.kit.config import WrongSettingError
from services.kit.errors import BUSINESS, Problem

__all__ = ["SpanKind", "Telemetry", "current_traceparent", "set_up", "span", "trace_id"]

FLUSH_S = 3.0
"""How long a process that stops may take to hand over its last spans: a lost collector must not hold up a stop."""

_log = logging.getLogger(__name__)
_w3c = TraceContextTextMapPropagator()
_ids = RandomIdGenerator()
_NOWHERE = Context()


@dataclass(slots=True)
class _Export:
    """Where spans go; nowhere until `set_up` finds a receiver."""

    tracer: trace.Tracer | None = None


_export = _Export()


class Telemetry:
    """What `set_up` started."""

    def __init__(self, provider: TracerProvider | None) -> None:
        self._provider = provider

    async def stop(self) -> None:
        """Hand over the last spans, for `FLUSH_S` at most, and stop recording."""
        provider, self._provider = self._provider, None
        _export.tracer = None
        if provider is None:
            return
        flushed = await asyncio.to_thread(provider.force_flush, int(FLUSH_S * 1000))
        if not flushed:
            _log.warning("the last spans were not taken within %s s", FLUSH_S)
        # In a thread that is not waited for: it waits for an export under way, which has a time limit of its own.
        asyncio.get_running_loop().run_in_executor(None, provider.shutdown)


def set_up(service_name: str, environ: Mapping[str, str], *, exporter: SpanExporter | None = None) -> Telemetry:
    """Export spans to where `environ` says (the OTEL_… variables), or to `exporter` (in tests: each at once)."""
    endpoint = environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "")
    if not endpoint and (base := environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")):
        endpoint = base.rstrip("/") + "/v1/traces"
    if exporter is None and (not endpoint or environ.get("OTEL_SDK_DISABLED", "").lower() == "true"):
        _export.tracer = None
        return Telemetry(None)
    provider = TracerProvider(
        sampler=_sampler(environ), resource=Resource.create({SERVICE_NAME: service_name}), shutdown_on_exit=False
    )
    provider.add_span_processor(
        SimpleSpanProcessor(exporter) if exporter else BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint))
    )
    # Not the global provider: that one can be set once in a process only, and tests need a fresh one each.
    _export.tracer = provider.get_tracer("huitou")
    return Telemetry(provider)


@contextmanager
def span(
    name: str,
    kind: SpanKind = SpanKind.INTERNAL,
    *,
    parent_traceparent: str | None = None,
    links: Sequence[str] = (),
    attributes: Mapping[str, AttributeValue] | None = None,
) -> Iterator[Span]:
    """Make what runs inside a span.

    Its parent is `parent_traceparent` (W3C; empty or unreadable: none, a new trace begins); when that is None, the
    current span. `links` are traceparents too. An exception marks it as failed, unless it is a business refusal.
    """
    parent = None if parent_traceparent is None else _context(parent_traceparent)
    tracer = _export.tracer
    if tracer is None:
        started: Span = _unrecorded(parent)
    else:
        origins = [Link(_span_context(_context(link))) for link in links if link]
        started = tracer.start_span(name, parent, kind, attributes, origins)
    token = attach(trace.set_span_in_context(started))
    try:
        yield started
    except BaseException as error:
        _mark(started, error)
        raise
    finally:
        detach(token)
        started.end()


def current_traceparent() -> str:
    """Return the W3C traceparent of the current span; empty outside of any."""
    here = _span_context(None)
    if not here.is_valid:
        return ""
    return f"00-{here.trace_id:032x}-{here.span_id:016x}-{here.trace_flags:02x}"


def trace_id() -> str:
    """Return the current trace's id, 32 hexadecimal digits; empty outside of any."""
    here = _span_context(None)
    return f"{here.trace_id:032x}" if here.is_valid else ""


def _context(traceparent: str) -> Context:
    return _w3c.extract({"traceparent": traceparent}, _NOWHERE) if traceparent else _NOWHERE


def _span_context(context: Context | None) -> SpanContext:
    return trace.get_current_span(context).get_span_context()


def _unrecorded(parent: Context | None) -> Span:
    """Return a span that only carries the trace's id on, or begins one."""
    above = _span_context(parent)
    if above.is_valid:
        return NonRecordingSpan(above)
    return NonRecordingSpan(
        SpanContext(_ids.generate_trace_id(), _ids.generate_span_id(), is_remote=False, trace_flags=TraceFlags(0))
    )


def _mark(started: Span, error: BaseException) -> None:
    """Mark a failed span by the error's type only: its words may hold what is personal."""
    if isinstance(error, (GeneratorExit, asyncio.CancelledError)):
        return
    if isinstance(error, Problem) and error.kind in BUSINESS:
        return
    started.set_attribute("error.type", error.code if isinstance(error, Problem) else type(error).__name__)
    started.set_status(Status(StatusCode.ERROR))


def _sampler(environ: Mapping[str, str]) -> sampling.Sampler:
    """Return what OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG name; by default the parent decides, else all."""
    name = environ.get("OTEL_TRACES_SAMPLER") or "parentbased_always_on"
    share = _share(environ.get("OTEL_TRACES_SAMPLER_ARG") or "1.0")
    roots: dict[str, sampling.Sampler] = {
        "always_on": sampling.ALWAYS_ON,
        "always_off": sampling.ALWAYS_OFF,
        "traceidratio": sampling.TraceIdRatioBased(share),
    }
    base = name.removeprefix("parentbased_")
    if base not in roots:
        allowed = ", ".join([*roots, *(f"parentbased_{root}" for root in roots)])
        raise WrongSettingError(name="OTEL_TRACES_SAMPLER", found=name, allowed=allowed)
    return sampling.ParentBased(roots[base]) if base != name else roots[base]


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise WrongSettingError(name="OTEL_TRACES_SAMPLER_ARG", found=text, allowed="a number from 0 to 1")
    return share
