"""A system on virtual time that keeps its spans in memory."""

from pathlib import Path
from typing import Any

import attrs
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import format_trace_id

from order_sagas.system.telemetry.tracing import SagaTracing
from tests.support.embedded import BEGAN, EmbeddedSystem

ELSEWHERE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
"""The example of the W3C recommendation."""


class Traced(EmbeddedSystem):
    """An `EmbeddedSystem` that keeps its spans."""

    def __init__(self, directory: Path, **more: Any) -> None:
        super().__init__(directory, **more)
        self.exported = InMemorySpanExporter()
        tracing = SagaTracing(SimpleSpanProcessor(self.exported))
        self.parts = attrs.evolve(self.parts, observers=(tracing,), tracing=tracing)

    def __enter__(self) -> "Traced":
        super().__enter__()
        return self

    def spans(self) -> dict[str, ReadableSpan]:
        """Return the spans by name; fails the test if a name or an id is repeated."""
        spans = self.exported.get_finished_spans()
        assert len({span.context.span_id for span in spans if span.context}) == len(spans)
        assert len({span.name for span in spans}) == len(spans)
        return {span.name: span for span in spans}

    def tree(self) -> dict[str, tuple[Any, ...]]:
        """Return, by name: the parent's name, start and end in seconds since the system's start."""
        spans = self.spans()
        names = {span.context.span_id: name for name, span in spans.items() if span.context}
        return {
            name: (
                names.get(span.parent.span_id, "elsewhere") if span.parent else "",
                seconds(span.start_time),
                seconds(span.end_time),
            )
            for name, span in spans.items()
        }

    def traces(self) -> set[str]:
        """Return the ids of all traces."""
        return {format_trace_id(s.context.trace_id) for s in self.spans().values() if s.context}


def seconds(at: int | None) -> float:
    """Convert a time to seconds since the start of the system."""
    assert at is not None
    return round(at / 1e9 - BEGAN, 3)
