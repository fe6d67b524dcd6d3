"""Spans as OpenTelemetry has them; its OTEL_* variables set sampling, limits, names and exporters."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.metadata import entry_points

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from mouthpiece import __version__
from mouthpiece.errors import BadInput
from mouthpiece.rpc.tracing import Headers, Value

ROOT = "job"
"""Key of the span that holds all others of a job."""

_W3C = TraceContextTextMapPropagator()
_wanted: ContextVar[int] = ContextVar("wanted_span_id", default=0)


def named_exporters() -> list[SpanExporter]:
    """The exporters that OTEL_TRACES_EXPORTER names: `otlp` by default, `console`, `none`, or any that is
    installed under a name. Raises `BadInput`."""
    names = os.environ.get("OTEL_TRACES_EXPORTER", "otlp").split(",")
    return [_exporter(name.strip()) for name in names if name.strip() not in ("", "none")]


def _exporter(name: str) -> SpanExporter:
    protocol = os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    protocol = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", protocol)
    installed = f"otlp_proto_{protocol.partition('/')[0]}" if name == "otlp" else name
    for entry in entry_points(group="opentelemetry_traces_exporter", name=installed):
        exporter: SpanExporter = entry.load()()
        return exporter
    raise BadInput("OTEL_TRACES_EXPORTER", f"no exporter {installed!r} is installed: see docs/operations.md")


class _Ids(RandomIdGenerator):
    """Random, except where a span is to have a certain one."""

    def generate_span_id(self) -> int:
        """The wanted id, or any."""
        return _wanted.get() or super().generate_span_id()


class _Told:
    """A span that can be told more of, and ended."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def note(self, **attributes: Value) -> None:
        """Add attributes."""
        self._span.set_attributes(_named(attributes))

    def end(self, problem: str = "") -> None:
        """End it."""
        if problem:
            self._span.set_status(Status(StatusCode.ERROR, problem))
        self._span.end()


class Spans:
    """What a service tells of its work."""

    def __init__(self, service: str, exporters: Sequence[SpanExporter]) -> None:
        own = Resource.create({"service.name": service, "service.version": __version__})
        # What the operator says of the service goes before what we call it.
        resource = own.merge(OTELResourceDetector().detect())
        self._provider = TracerProvider(resource=resource, id_generator=_Ids(), shutdown_on_exit=False)
        for exporter in exporters:
            self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("mouthpiece", __version__)

    def close(self) -> None:
        """Export what is left. Waits as long as the exporter's own limit says."""
        self._provider.shutdown()

    @contextmanager
    def doing(self, name: str) -> Generator[_Told]:
        """A span around what happens in the context; an exception is its problem."""
        with self._tracer.start_as_current_span(name) as span:
            yield _Told(span)

    def answer(self, name: str, headers: Headers, attributes: Mapping[str, Value]) -> _Told:
        """A call of a traced caller."""
        caller = _W3C.extract(headers)
        span = self._tracer.start_span(name, caller, SpanKind.SERVER, attributes)
        # Never detached: each call has a task, and a stream may be closed from another one.
        contexts.attach(trace.set_span_in_context(span))
        return _Told(span)

    def note(self, attributes: Mapping[str, Value]) -> None:
        """Add attributes to the current span."""
        trace.get_current_span().set_attributes(_named(attributes))

    def happened(self, name: str, start: int, attributes: Mapping[str, Value]) -> None:
        """A span of the past within the current one; without one it is not worth telling."""
        if trace.get_current_span().get_span_context().is_valid:
            self._tracer.start_span(name, attributes=_named(attributes), start_time=start).end()

    def headers(self, context: Context | None = None) -> dict[str, str]:
        """The current span, or that of a context, for others."""
        carrier: dict[str, str] = {}
        _W3C.inject(carrier, context)
        return carrier

    def log_fields(self) -> dict[str, str]:
        """The current span for log lines."""
        current = trace.get_current_span().get_span_context()
        if not current.is_valid:
            return {}
        return {
            "trace_id": trace.format_trace_id(current.trace_id),
            "span_id": trace.format_span_id(current.span_id),
        }

    # ------------------------------------------------------------ spans of jobs

    def enter(self, job: str, submitted: Headers, key: str) -> None:
        """Make a span of a job the current one of this task."""
        contexts.attach(_context(job, submitted, key))

    def headers_of(self, job: str, submitted: Headers) -> dict[str, str]:
        """A job for others."""
        return self.headers(_context(job, submitted, ROOT))

    def write(
        self,
        job: str,
        submitted: Headers,
        key: str,
        times: tuple[int, int],
        problem: str,
        links: Sequence[str],
        attributes: Mapping[str, Value],
    ) -> None:
        """Tell of a span that is over."""
        parent = _W3C.extract(submitted) if key == ROOT else _context(job, submitted, ROOT)
        start, end = times
        wanted = _wanted.set(_span_id(job, key))
        try:
            span = self._tracer.start_span(
                key.partition("/")[0],
                parent,
                attributes=_named(attributes),
                links=[Link(_span_context(job, submitted, other)) for other in links],
                start_time=start,
            )
        finally:
            _wanted.reset(wanted)
        if problem:
            span.set_status(Status(StatusCode.ERROR, problem))
        span.end(end)


def _context(job: str, submitted: Headers, key: str) -> Context:
    return trace.set_span_in_context(NonRecordingSpan(_span_context(job, submitted, key)))


def _span_context(job: str, submitted: Headers, key: str) -> SpanContext:
    """A span of a job in the trace that the job was submitted in."""
    parent = trace.get_current_span(_W3C.extract(submitted)).get_span_context()
    return SpanContext(
        parent.trace_id,
        _span_id(job, key),
        is_remote=False,
        trace_flags=parent.trace_flags,
        trace_state=parent.trace_state,
    )


def _span_id(job: str, key: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{job}/{key}".encode()).digest()[:8]) or 1


def _named(attributes: Mapping[str, Value]) -> dict[str, Value]:
    return {name if "." in name else f"mouthpiece.{name}": value for name, value in attributes.items()}
