"""Spans and attributes of messaging, by OpenTelemetry's conventions, of a system on Kafka."""

from pathlib import Path
from typing import Any

import attrs
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, format_span_id

from order_sagas.bridges.records.record import Outgoing
from order_sagas.system.settings import Settings
from order_sagas.system.telemetry.messaging import KafkaMessaging
from order_sagas.system.telemetry.setup import telemetry_of
from order_sagas.system.telemetry.tracing import SagaTracing
from tests.support.embedded import an_order
from tests.support.traced import ELSEWHERE, Traced
from tests.support.virtual_kafka import VirtualKafkaSystem

ORDER = b'{"orderId":"o-1","status":"ORDER_CREATED","lines":[{"sku":"PEN","quantity":1}]}'


def run(directory: Path) -> list[ReadableSpan]:
    """Return the spans of an order on Kafka that was started within a trace."""
    exported = InMemorySpanExporter()
    tracing = SagaTracing(SimpleSpanProcessor(exported), KafkaMessaging("order-sagas"))
    system = VirtualKafkaSystem(directory)
    system.parts = attrs.evolve(system.parts, observers=(tracing,), tracing=tracing)
    with system:
        system.load({"PEN": 10})
        traced = (("traceparent", ELSEWHERE.encode()),)
        system.broker.append(Outgoing("order-events", 3, b"o-1", ORDER, traced))
        system.run()
        system.advance(5)
        assert "COMPLETED" == system.status("o-1")
    return list(exported.get_finished_spans())


def named(spans: list[ReadableSpan], name: str) -> ReadableSpan:
    """Return the only span of a name."""
    (found,) = [span for span in spans if span.name == name]
    return found


def test_a_command_has_the_attributes_of_what_is_sent(tmp_path: Path) -> None:
    """Its message id is the event id of the record; steps and sagas are no messages."""
    spans = run(tmp_path)
    sent = named(spans, "reserve stock #1")

    assert SpanKind.PRODUCER == sent.kind
    assert {
        "messaging.system": "kafka",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": "stock-events",
        "messaging.message.id": "place-order/o-1/reserve stock/1",
    } == messaging(sent)
    assert {} == messaging(named(spans, "reserve stock")) == messaging(named(spans, "place-order"))


def test_a_record_that_moves_a_saga_has_a_span(tmp_path: Path) -> None:
    """With its place in Kafka, below the span of the command that it answers."""
    spans = run(tmp_path)
    reply, command = named(spans, "process payment-events"), named(spans, "process payment #1")
    start = named(spans, "process order-events")

    assert SpanKind.CONSUMER == reply.kind
    assert start.parent
    assert "b7ad6b7169203331" == format_span_id(start.parent.span_id)
    assert command.context
    assert reply.parent
    assert command.context.span_id == reply.parent.span_id
    assert 1 == len({span.context.trace_id for span in spans if span.context})
    about = messaging(start)
    assert 1 <= about.pop("messaging.batch.message_count")
    assert about.pop("messaging.message.id")
    assert {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "order-events",
        "messaging.destination.partition.id": "3",
        "messaging.kafka.offset": 0,
        "messaging.kafka.message.key": "o-1",
        "messaging.consumer.group.name": "order-sagas",
    } == about


def test_on_the_embedded_log_spans_have_none_of_it(tmp_path: Path) -> None:
    """There are no messages that another system could see."""
    with Traced(tmp_path) as system:
        system.load({"PEN": 10})
        system.put(an_order("o-1"))

    assert [] == [span for span in system.spans().values() if messaging(span)]


def test_the_group_is_the_one_of_the_workers_roles() -> None:
    """Workers with other roles are another consumer group."""
    kafka = Settings(kafka="k:9092", otel_endpoint="http://localhost:1", roles=("orchestrator",))
    telemetry = telemetry_of(kafka)
    telemetry.close()

    assert isinstance(telemetry.tracing, SagaTracing)
    assert telemetry.tracing.messaging
    assert telemetry.tracing.messaging.group.startswith("order-sagas")
    assert "order-sagas" != telemetry.tracing.messaging.group


def messaging(span: ReadableSpan) -> dict[str, Any]:
    """Return the attributes of messaging."""
    given = dict(span.attributes or {})
    return {name: value for name, value in given.items() if name.startswith("messaging.")}
