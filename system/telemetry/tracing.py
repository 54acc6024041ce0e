"""Sagas as traces of OpenTelemetry: exported by the SDK's own thread, after their commit."""

import os
from collections.abc import Mapping

from msgspec.structs import replace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

from order_sagas.actors.messages import Message
from order_sagas.actors.sagas.state import SagaState
from order_sagas.bridges.processor.batch import Batch
from order_sagas.bridges.processor.context import ProcessorContext
from order_sagas.bridges.processor.observers import TRACEPARENT, Tracing
from order_sagas.bridges.records.record import Headers
from order_sagas.system.telemetry.context import SagaTrace, Traces, read_traceparent
from order_sagas.system.telemetry.ids import GivenIds, span_id_of
from order_sagas.system.telemetry.spans import SpanOver, Spans

PREFIX = "order_sagas."
"""How the names of attributes begin."""
QUEUE = 65_536
"""Spans that wait to be exported, at most, unless OTEL_BSP_MAX_QUEUE_SIZE says otherwise: one
batch of 500 orders makes some thousands of them at once, and what does not fit is dropped."""
TOLD_ALREADY = frozenset({"saga.started", "saga.completed", "saga.cancelled"})
"""What the span of a saga says by itself."""


class SagaTracing(Tracing):
    """The SDK decides what is sampled (OTEL_TRACES_SAMPLER), and exports it."""

    def __init__(self, processor: SpanProcessor) -> None:
        self._ids = GivenIds()
        name = os.environ.get("OTEL_SERVICE_NAME", "order-sagas")
        resource = Resource.create({"service.name": name})
        self._provider = TracerProvider(
            resource=resource, id_generator=self._ids, shutdown_on_exit=False
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("order-sagas")
        self._traces = Traces(self._provider.sampler)

    def close(self) -> None:
        """Export what waits, and stop."""
        self._provider.shutdown()

    def received(self, message: Message, headers: Headers) -> Message:
        for name, value in headers:
            if name == TRACEPARENT and read_traceparent(value):
                return replace(message, traceparent=value.decode())
        return message

    def stamped(self, message: Message, sagas: Mapping[str, SagaState]) -> Message:
        if message.traceparent:
            return message  # an answer: it has its command's
        progress = sagas.get(message.saga_id)
        if progress is None:
            return message
        span = span_id_of(message.event_id if message.step else progress.saga_id)
        return replace(message, traceparent=self._trace_of(progress).traceparent(span))

    def committed(self, batch: Batch, world: ProcessorContext, seconds: float) -> None:
        for handled in batch.moved:
            progress: SagaState = handled.writes[0]  # type: ignore[assignment]
            trace = self._trace_of(progress)
            if not trace.sampled:
                continue
            saga = world.registry.get(progress.saga, progress.version)
            for span in Spans(saga, progress, list(handled.notes)).over():
                self._export(trace, span)

    def _trace_of(self, progress: SagaState) -> SagaTrace:
        return self._traces.of(progress.saga_id, progress.start.traceparent)

    def _export(self, trace: SagaTrace, over: SpanOver) -> None:
        self._ids.trace_id, self._ids.span_id = trace.trace_id, span_id_of(over.id)
        span = self._tracer.start_span(
            over.name,
            context=trace.below(span_id_of(over.parent)) if over.parent else trace.root,
            kind=SpanKind.PRODUCER if over.is_command else SpanKind.INTERNAL,
            attributes={PREFIX + name: value for name, value in over.attributes.items()},
            start_time=_nanoseconds(over.began),
        )
        for entry in over.events:
            if entry.event not in TOLD_ALREADY:
                span.add_event(
                    entry.event,
                    {f"{PREFIX}step": entry.step, f"{PREFIX}note": entry.note},
                    _nanoseconds(entry.at),
                )
        span.set_status(Status(StatusCode.ERROR, over.error) if over.error else StatusCode.OK)
        span.end(_nanoseconds(over.ended))


def otlp_processor(endpoint: str) -> SpanProcessor:
    """Exports over HTTP, to this endpoint or to what OTEL_EXPORTER_OTLP_* name."""
    path = "/v1/traces"
    url = endpoint if endpoint.endswith(path) else f"{endpoint.rstrip('/')}{path}"
    exporter = OTLPSpanExporter(endpoint=url if endpoint else None)
    queue = int(os.environ.get("OTEL_BSP_MAX_QUEUE_SIZE", QUEUE))
    return BatchSpanProcessor(exporter, max_queue_size=queue)


def _nanoseconds(at: float) -> int:
    return round(at * 1_000_000) * 1000
