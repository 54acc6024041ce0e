"""Deterministic ids of traces and spans, derived from the ids of sagas and events.

After a restart, or on another worker, a saga keeps its trace, and an external service can attach
its spans to a parent span that is exported only later, when the attempt has ended.
"""

from hashlib import blake2b

from opentelemetry.sdk.trace.id_generator import IdGenerator


def trace_id_of(saga_id: str) -> int:
    """Return the 128-bit trace id of a saga that was started without a trace."""
    return int.from_bytes(blake2b(saga_id.encode(), digest_size=16).digest(), "big")


def span_id_of(name: str) -> int:
    """Return a 64-bit span id for a saga id, or for the event id of an attempt's command."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big")


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
