"""What was told of traces, in the test's own process."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from mouthpiece.rpc import tracing


@dataclass
class Told:
    """All spans, once the context of `traced` was left."""

    exporter: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        return self.exporter.get_finished_spans()

    @property
    def traces(self) -> set[str]:
        return {f"{span.context.trace_id:032x}" for span in self.spans if span.context}

    @property
    def paths(self) -> list[str]:
        """Every span as the names from the root to it; `?` stands for a parent that nobody told of."""
        return sorted(" > ".join(self._path(span)) for span in self.spans)

    def named(self, name: str) -> list[ReadableSpan]:
        """Spans of a name, by their start."""
        found = [span for span in self.spans if span.name == name]
        return sorted(found, key=lambda span: span.start_time or 0)

    def said(self, name: str, attribute: str) -> list[object]:
        return [(span.attributes or {}).get(f"mouthpiece.{attribute}") for span in self.named(name)]

    def _path(self, span: ReadableSpan) -> list[str]:
        name = span.name.removeprefix("mouthpiece.v1.")
        if span.parent is None:
            return [name]
        wanted = span.parent.span_id
        parent = next((one for one in self.spans if one.context and one.context.span_id == wanted), None)
        return [*(self._path(parent) if parent is not None else ["?"]), name]


@contextmanager
def traced() -> Generator[Told]:
    """Trace what happens inside."""
    told = Told()
    tracing.switch_on("test", [told.exporter])
    try:
        yield told
    finally:
        tracing.switch_off()
