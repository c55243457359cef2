"""Traces: W3C context across every hop, spans exported by OTLP when somebody is there to receive them.

Trace ids are made and passed on even when nothing is exported, so that a log line of one service can always be put
beside those of the others. That costs a few microseconds per call; a span that is exported costs fifty.
"""

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from threading import Thread
from types import TracebackType

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider, sampling
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import (
    INVALID_SPAN_CONTEXT,
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
)
from opentelemetry.util.types import AttributeValue

from services.kit.config import WrongSettingError
from services.kit.errors import BUSINESS, Problem

__all__ = ["SpanKind", "Telemetry", "current_traceparent", "set_up", "span", "trace_id"]

FLUSH_S = 3.0
"""How long a process that stops may take to hand over its last spans: a lost collector must not hold up a stop."""

_log = logging.getLogger(__name__)
_ids = RandomIdGenerator()
_NOWHERE = Context()

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")

_here: ContextVar[SpanContext] = ContextVar("here", default=INVALID_SPAN_CONTEXT)
"""The current span. Ours, not OpenTelemetry's context: that costs as much as a whole span that goes nowhere."""


@dataclass(slots=True)
class _Export:
    """Where spans go; nowhere until `set_up` finds a receiver."""

    tracer: trace.Tracer | None = None


_export = _Export()


class Telemetry:
    """What `set_up` started."""

    def __init__(self, provider: TracerProvider | None = None, exporter: SpanExporter | None = None) -> None:
        self._provider, self._exporter = provider, exporter

    async def stop(self) -> None:
        """Hand over the last spans, for `FLUSH_S` at most, and stop recording."""
        provider, self._provider = self._provider, None
        _export.tracer = None
        if provider is None or self._exporter is None:
            return
        loop = asyncio.get_running_loop()
        flushed = asyncio.Event()

        def flush() -> None:
            provider.shutdown()
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(flushed.set)

        # Not `to_thread`: the loop waits for those at its end, and the SDK heeds no time limit of ours.
        Thread(target=flush, name="last spans", daemon=True).start()
        try:
            async with asyncio.timeout(FLUSH_S):
                await flushed.wait()
        except TimeoutError:
            _log.warning("the last spans were not taken within %.0f s", FLUSH_S)
            self._exporter.shutdown()  # ends its waiting for a next try


def set_up(service_name: str, environ: Mapping[str, str], *, exporter: SpanExporter | None = None) -> Telemetry:
    """Export spans to where `environ` says (the OTEL_… variables), or to `exporter` (in tests: each at once)."""
    endpoint = environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "")
    if not endpoint and (base := environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")):
        endpoint = base.rstrip("/") + "/v1/traces"
    if exporter is None and (not endpoint or environ.get("OTEL_SDK_DISABLED", "").lower() == "true"):
        _export.tracer = None
        return Telemetry()
    provider = TracerProvider(
        sampler=_sampler(environ), resource=Resource.create({SERVICE_NAME: service_name}), shutdown_on_exit=False
    )
    if exporter is None:
        exporter = OTLPSpanExporter(endpoint=endpoint)
        provider.add_span_processor(BatchSpanProcessor(exporter))
    else:
        provider.add_span_processor(SimpleSpanProcessor(exporter))
    # Not the global provider: that one can be set once in a process only, and tests need a fresh one each.
    _export.tracer = provider.get_tracer("huitou")
    return Telemetry(provider, exporter)


class span:  # noqa: N801 - used as a function; a class, since a generator's context costs as much again as the rest
    """Make what runs inside a span: `with span(…) as started`, once.

    Its parent is `parent_traceparent` (W3C; empty or unreadable: none, a new trace begins); when that is None, the
    current span. `links` are traceparents too. An exception marks it as failed, unless it is a business refusal.
    """

    __slots__ = ("_attributes", "_kind", "_links", "_name", "_parent", "_started", "_token")

    def __init__(
        self,
        name: str,
        kind: SpanKind = SpanKind.INTERNAL,
        *,
        parent_traceparent: str | None = None,
        links: Sequence[str] = (),
        attributes: Mapping[str, AttributeValue] | None = None,
    ) -> None:
        self._name, self._kind, self._parent = name, kind, parent_traceparent
        self._links, self._attributes = links, attributes

    def __enter__(self) -> Span:
        """Begin it."""
        above = _here.get() if self._parent is None else _read(self._parent)
        tracer = _export.tracer
        self._started: Span
        if tracer is None:
            here = above if above.is_valid else _new_trace()
            self._started = NonRecordingSpan(here)
        else:
            context = trace.set_span_in_context(NonRecordingSpan(above), _NOWHERE)
            origins = [Link(origin) for link in self._links if (origin := _read(link)).is_valid]
            self._started = tracer.start_span(self._name, context, self._kind, self._attributes, origins)
            here = self._started.get_span_context()
        self._token = _here.set(here)
        return self._started

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """End it."""
        if error is not None:
            _mark(self._started, error)
        _here.reset(self._token)
        self._started.end()


def current_traceparent() -> str:
    """Return the W3C traceparent of the current span; empty outside of any."""
    here = _here.get()
    if not here.is_valid:
        return ""
    return f"00-{here.trace_id:032x}-{here.span_id:016x}-{here.trace_flags:02x}"


def trace_id() -> str:
    """Return the current trace's id, 32 hexadecimal digits; empty outside of any."""
    here = _here.get()
    return f"{here.trace_id:032x}" if here.is_valid else ""


def _read(traceparent: str) -> SpanContext:
    """Return what `traceparent` names (W3C Trace Context, 2020); an invalid context when it is unreadable.

    As OpenTelemetry's propagator, in a twentieth of its time: this happens on every call and for every event.
    """
    parts = _TRACEPARENT.fullmatch(traceparent)
    # Version ff is never one; later ones than 00 may have more at their end.
    if parts is None or parts[1] == "ff" or (parts[1] == "00" and parts[5]):
        return INVALID_SPAN_CONTEXT
    return SpanContext(int(parts[2], 16), int(parts[3], 16), is_remote=True, trace_flags=TraceFlags(int(parts[4], 16)))


def _new_trace() -> SpanContext:
    return SpanContext(_ids.generate_trace_id(), _ids.generate_span_id(), is_remote=False)


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
