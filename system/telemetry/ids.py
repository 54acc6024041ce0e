"""Deterministic ids of traces and spans, derived from the ids of sagas and events.

After a restart, or on another worker, a saga keeps its trace, and an external service can attach
its spans to a parent span that is exported only later, when the attempt has ended.
"""

from opentelemetry.sdk.trace.id_generator import IdGenerator


class GivenIds(IdGenerator):
    """An id generator of the SDK that returns ids set by the caller before each span."""

    def __init__(self) -> None:
        self.trace_id = self.span_id = 0

    def generate_trace_id(self) -> int:
        """Return the trace id that was set."""
        return self.trace_id

    def generate_span_id(self) -> int:
        """Return the span id that was set."""
        return self.span_id
