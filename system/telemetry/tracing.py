"""Exports sagas as OpenTelemetry traces after their commit, on a thread of the SDK."""

import os
from collections.abc import Mapping

from msgspec.structs import replace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

from order_sagas.actors.messages import Message
from order_sagas.actors.sagas.child_messages import command_of
from order_sagas.actors.sagas.state import SagaState
from order_sagas.bridges.processor.batch import Batch
from order_sagas.bridges.processor.observers import ObservedContext, Tracing
from order_sagas.bridges.redaction import redacted
from order_sagas.system.logs.redact import redact
from order_sagas.system.telemetry.context import SagaTrace, Traces, read_traceparent
from order_sagas.system.telemetry.derived_ids import span_id_of
from order_sagas.system.telemetry.ids import GivenIds
from order_sagas.system.telemetry.messaging import Consumed, KafkaMessaging
from order_sagas.system.telemetry.spans import SpanOver, Spans

PREFIX = "order_sagas."
"""Prefix of attribute names."""
QUEUE = 65_536
"""Maximum number of spans waiting for export, unless OTEL_BSP_MAX_QUEUE_SIZE is set.

A batch of 500 orders creates thousands of spans at once; spans that do not fit are dropped.
"""
IMPLIED = frozenset({"saga.started", "saga.completed", "saga.cancelled"})
"""History events that are not added to the span of a saga, as its start and end represent them."""


class SagaTracing(Tracing):
    """Creates spans with the OpenTelemetry SDK, whose sampler (OTEL_TRACES_SAMPLER) applies.

    With `messaging`, for sagas on Kafka, spans of commands have the attributes of messaging, and
    each record that moved a saga has a span, below the one of the record that it answers.
    """

    def __init__(self, processor: SpanProcessor, messaging: KafkaMessaging | None = None) -> None:
        self._ids = GivenIds()
        self.messaging = messaging
        name = os.environ.get("OTEL_SERVICE_NAME", "order-sagas")
        resource = Resource.create({"service.name": name})
        self._provider = TracerProvider(
            resource=resource, id_generator=self._ids, shutdown_on_exit=False
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("order-sagas")
        self._traces = Traces(self._provider.sampler)

    def close(self) -> None:
        """Export pending spans, and stop."""
        self._provider.shutdown()

    def stamped(self, message: Message, sagas: Mapping[str, SagaState]) -> Message:
        """Add the trace context of its saga to an outgoing message that has none."""
        if message.traceparent:
            return message  # a reply: it has the traceparent of its command
        progress = sagas.get(message.saga_id)
        if progress is None:
            return message
        span = span_id_of(command_of(message.event_id) if message.step else progress.saga_id)
        return replace(
            message,
            traceparent=self._trace_of(progress).traceparent(span),
            tracestate=progress.start.tracestate,
        )

    def committed(self, batch: Batch, context: ObservedContext, seconds: float) -> None:
        """Export the spans that a committed batch finished, if their trace is sampled."""
        for handled in batch.moved:
            progress: SagaState = handled.writes[0]  # type: ignore[assignment]
            trace = self._trace_of(progress)
            if not trace.sampled:
                continue
            saga = context.registry.get(progress.saga, progress.version)
            if self.messaging:
                consumed = self.messaging.consumed(batch, handled)
                if consumed:
                    ended = context.clock.now()
                    self._export_consumed(trace, consumed, progress.history[-1].at, ended)
            for span in Spans(saga, progress, list(handled.notes)).over():
                self._export(trace, span)

    def _trace_of(self, progress: SagaState) -> SagaTrace:
        start = progress.start
        return self._traces.of(progress.saga_id, start.traceparent, start.tracestate)

    def _export_consumed(
        self, trace: SagaTrace, consumed: Consumed, began: float, ended: float
    ) -> None:
        """Export the span of a record that moved a saga, from the decision to the commit.

        Its parent is the span that the record names: for a reply, the one of the command.
        """
        named = read_traceparent(consumed.message.traceparent.encode())
        ours = named is not None and named.trace_id == trace.trace_id
        self._ids.trace_id, self._ids.span_id = trace.trace_id, span_id_of(consumed.id)
        span = self._tracer.start_span(
            consumed.name,
            context=trace.below(named.span_id) if named and ours else trace.root,
            kind=SpanKind.CONSUMER,
            attributes={f"{PREFIX}order_id": consumed.message.order_id, **consumed.attributes},
            start_time=_nanoseconds(began),
        )
        span.end(_nanoseconds(max(began, ended)))

    def _export(self, trace: SagaTrace, over: SpanOver) -> None:
        attributes = dict(over.attributes)
        redact(attributes)
        sent = self.messaging.sent(over.topic, over.id) if self.messaging and over.topic else {}
        self._ids.trace_id, self._ids.span_id = trace.trace_id, span_id_of(over.id)
        span = self._tracer.start_span(
            over.name,
            context=trace.below(span_id_of(over.parent)) if over.parent else trace.root,
            kind=SpanKind.PRODUCER if over.topic else SpanKind.INTERNAL,
            attributes={**{PREFIX + name: value for name, value in attributes.items()}, **sent},
            start_time=_nanoseconds(over.began),
        )
        for entry in over.events:
            if entry.event not in IMPLIED:
                span.add_event(
                    entry.event,
                    {f"{PREFIX}step": entry.step, f"{PREFIX}note": redacted(entry.note)},
                    _nanoseconds(entry.at),
                )
        span.set_status(
            Status(StatusCode.ERROR, redacted(over.error)) if over.error else StatusCode.OK
        )
        span.end(_nanoseconds(over.ended))


def otlp_processor(endpoint: str) -> SpanProcessor:
    """Return a processor that exports over HTTP to `endpoint`, or as OTEL_EXPORTER_OTLP_* say."""
    path = "/v1/traces"
    url = endpoint if endpoint.endswith(path) else f"{endpoint.rstrip('/')}{path}"
    exporter = OTLPSpanExporter(endpoint=url if endpoint else None)
    queue = int(os.environ.get("OTEL_BSP_MAX_QUEUE_SIZE", QUEUE))
    return BatchSpanProcessor(exporter, max_queue_size=queue)


def _nanoseconds(at: float) -> int:
    return round(at * 1_000_000) * 1000
