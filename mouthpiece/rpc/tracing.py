"""One trace for a job, through all services: with OpenTelemetry, which is imported only when asked for.

    [call of a client that is traced]
    └─ submit                            until the job is stored
       └─ job                            as long as it lives
          ├─ queue                       until it is begun
          ├─ speech
          │  └─ …SpeechService/Synthesize
          │     └─ sentence              each one that was spoken
          ├─ attempt                     at a chunk; linked to the attempts that it repeats
          │  └─ …LipSyncService/RenderChunk
          │     ├─ prepare               the avatar
          │     └─ render
          └─ merge
             └─ …MergerService/Merge

A span is told of when it ends, and the process that began a job may be gone by then. So spans of a job are
written from what is stored of it, once they are over, under ids that follow from the job's id: whichever
gateway writes them, what other services did meanwhile finds its parent. Contexts travel as W3C `traceparent`
and `tracestate`, in gRPC metadata and HTTP headers.

While tracing is off, every function here returns at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from mouthpiece.errors import BadInput

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

    from mouthpiece.rpc._spans import Spans

Value = str | int | float | bool
Headers = Mapping[str, str]

NOTHING: Mapping[str, Value] = MappingProxyType({})
"""No attributes."""


class Span(Protocol):
    """Something that is being done, and takes a while."""

    def note(self, **attributes: Value) -> None:
        """Say more of it. Names without a dot are ours: `mouthpiece.` goes in front."""
        ...

    def end(self, problem: str = "") -> None:
        """It is over, and went wrong if there is a problem."""
        ...


class _Untold:
    def note(self, **attributes: Value) -> None:
        pass

    def end(self, problem: str = "") -> None:
        pass


_UNTOLD = _Untold()


class _Switch:
    spans: Spans | None = None


def switch_on(service: str, exporters: Sequence[SpanExporter] | None = None) -> None:
    """Trace what this process does as `service`; to the exporters that OTEL_TRACES_EXPORTER names by default.

    Raises `BadInput` when OpenTelemetry or an exporter is not installed.
    """
    try:
        from mouthpiece.rpc import _spans
    except ModuleNotFoundError as error:
        raise BadInput("MOUTHPIECE_TRACING", f"needs the extra `tracing`: {error}") from None
    told = _spans.named_exporters() if exporters is None else exporters
    _Switch.spans = _spans.Spans(service, told)


def switch_off() -> None:
    """Export what is left, and trace no more."""
    spans, _Switch.spans = _Switch.spans, None
    if spans is not None:
        spans.close()


def doing(name: str) -> AbstractContextManager[Span]:
    """A span within the current one, if there is any; the current one inside the context."""
    return _Switch.spans.doing(name) if _Switch.spans is not None else nullcontext(_UNTOLD)


def answer(name: str, headers: Headers, attributes: Mapping[str, Value]) -> Span:
    """A call is answered: a span if its caller is traced, and then the current one of this task."""
    if _Switch.spans is None or "traceparent" not in headers:
        return _UNTOLD
    return _Switch.spans.answer(name, headers, attributes)


def note(**attributes: Value) -> None:
    """Say more of the current span."""
    if _Switch.spans is not None:
        _Switch.spans.note(attributes)


def happened(name: str, start: int, **attributes: Value) -> None:
    """Something within the current span lasted from `start`, in nanoseconds since 1970, until now."""
    if _Switch.spans is not None:
        _Switch.spans.happened(name, start, attributes)


def headers() -> dict[str, str]:
    """What tells others of the current span; empty without one."""
    return _Switch.spans.headers() if _Switch.spans is not None else {}


def metadata() -> tuple[tuple[str, str], ...] | None:
    """The same for a gRPC call."""
    return tuple(headers().items()) or None


def log_fields() -> Mapping[str, str]:
    """`trace_id` and `span_id` of the current span, for log lines; empty without one."""
    return _Switch.spans.log_fields() if _Switch.spans is not None else {}


def context() -> str:
    """The current span as text that can be stored, for `JobTrace`; empty without one."""
    found = headers()
    return json.dumps(found) if found else ""


@dataclass(frozen=True, slots=True)
class JobTrace:
    """The trace of a job: the job's id, and the `context` that it was submitted in; "" for none.

    Spans have keys, unique within the job: `merge`, `attempt/a3`. What is before the slash is the name.
    """

    job: str = ""
    context: str = ""

    def enter(self, key: str) -> None:
        """What the current task does from here on belongs to a span, which may be written later."""
        if _Switch.spans is not None and self.context:
            _Switch.spans.enter(self.job, self._headers, key)

    def write(
        self,
        key: str,
        start: int,
        end: int,
        *,
        problem: str = "",
        links: Sequence[str] = (),
        attributes: Mapping[str, Value] = NOTHING,
    ) -> None:
        """A span is over; times in nanoseconds since 1970. `links` are keys of other spans of the job."""
        if _Switch.spans is not None and self.context:
            _Switch.spans.write(self.job, self._headers, key, (start, end), problem, links, attributes)

    def headers(self) -> dict[str, str]:
        """What tells others of the job's span."""
        if _Switch.spans is None or not self.context:
            return {}
        return _Switch.spans.headers_of(self.job, self._headers)

    @property
    def _headers(self) -> dict[str, str]:
        return dict(json.loads(self.context))
