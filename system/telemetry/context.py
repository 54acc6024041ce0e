"""The trace context of a saga: the trace it was started in, or one derived from its id."""

from functools import lru_cache

import attrs
from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import Sampler
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    TraceFlags,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from order_sagas.bridges.records.trace_context import TRACEPARENT, TRACESTATE
from order_sagas.system.telemetry.derived_ids import trace_id_of

_w3c = TraceContextTextMapPropagator()


@attrs.frozen
class SagaTrace:
    """The trace of a saga. `parent` is the remote span that started it; None if there is none."""

    trace_id: int
    parent: SpanContext | None
    sampled: bool

    def below(self, span_id: int) -> Context:
        """Return the context of children of a span of the trace."""
        return set_span_in_context(NonRecordingSpan(self._span(span_id)))

    @property
    def root(self) -> Context:
        """The context in which the span of the saga itself is created."""
        return set_span_in_context(NonRecordingSpan(self.parent)) if self.parent else Context()

    def traceparent(self, span_id: int) -> str:
        """Return the `traceparent` header of records sent within a span of the trace."""
        carrier: dict[str, str] = {}
        _w3c.inject(carrier, self.below(span_id))
        return carrier[TRACEPARENT]

    def _span(self, span_id: int) -> SpanContext:
        flags = TraceFlags(TraceFlags.SAMPLED if self.sampled else TraceFlags.DEFAULT)
        state = self.parent.trace_state if self.parent else None
        return SpanContext(
            self.trace_id, span_id, is_remote=False, trace_flags=flags, trace_state=state
        )


def read_traceparent(header: bytes, state: str = "") -> SpanContext | None:
    """Return the span context in a `traceparent` header, or None if it is malformed.

    `state` is the `tracestate` that came with it; a malformed one is ignored.
    """
    try:
        text = header.decode("ascii")
    except UnicodeDecodeError:
        return None
    carrier = {TRACEPARENT: text, TRACESTATE: state}
    span = get_current_span(_w3c.extract(carrier, Context())).get_span_context()
    return span if span.is_valid else None


class Traces:
    """Determines the trace of a saga; every worker gets the same result."""

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler
        self.of = lru_cache(maxsize=10_000)(self._of)
        """Cached function: (saga id, `traceparent` and `tracestate` that it was started with, "" if
        there is none) -> trace."""

    def _of(self, saga_id: str, traceparent: str, tracestate: str) -> SagaTrace:
        parent = read_traceparent(traceparent.encode(), tracestate) if traceparent else None
        trace_id = parent.trace_id if parent else trace_id_of(saga_id)
        unsampled = SagaTrace(trace_id, parent, False)
        decision = self._sampler.should_sample(unsampled.root, trace_id, saga_id).decision
        return attrs.evolve(unsampled, sampled=decision.is_sampled())  # type: ignore[no-untyped-call]
