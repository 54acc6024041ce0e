"""Ids of traces and spans, made of what they stand for: every worker makes the same ones.

A restart, or another worker, goes on with the same trace, and a service written elsewhere can hang
its spans below one that is exported only when the attempt is over.
"""

from hashlib import blake2b

from opentelemetry.sdk.trace.id_generator import IdGenerator


def trace_id_of(saga_id: str) -> int:
    """Of a saga that was started without a trace."""
    return int.from_bytes(blake2b(saga_id.encode(), digest_size=16).digest(), "big")


def span_id_of(name: str) -> int:
    """Of a saga by its id, of an attempt by the event id of its command."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big")


class GivenIds(IdGenerator):
    """Hands the SDK the ids that are set here, just before a span begins."""

    def __init__(self) -> None:
        self.trace_id = self.span_id = 0

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id
