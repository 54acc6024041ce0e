"""Ids of traces and spans, derived from the ids of sagas and events. Needs no OpenTelemetry."""

from hashlib import blake2b


def trace_id_of(saga_id: str) -> int:
    """Return the 128-bit trace id of a saga that was started without a trace."""
    return int.from_bytes(blake2b(saga_id.encode(), digest_size=16).digest(), "big")


def span_id_of(name: str) -> int:
    """Return a 64-bit span id for a saga id, or for the event id of an attempt's command."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big")
