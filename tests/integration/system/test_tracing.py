"""A trace is passed through Kafka: from the order to every command."""

from pathlib import Path

import pytest

from tests.integration.system.conftest import MakeSystem
from tests.support.kafka_system import orders
from tests.support.otlp import Collector

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.processes,
    pytest.mark.xdist_group("kafka system"),
]

TRACE = "0af7651916cd43dd8448eb211c80319c"
ELSEWHERE = f"00-{TRACE}-b7ad6b7169203331-01".encode()


def test_services_written_elsewhere_share_the_trace(
    make_system: MakeSystem, tmp_path: Path
) -> None:
    """Each command has the span that waits for its reply as parent."""
    with Collector() as collector:
        database = f"sqlite:///{tmp_path / 'orders.db'}"
        system = make_system(database, otel_endpoint=collector.endpoint)
        worker = system.start()
        system.load()
        system.put("order-events", *orders(1), headers=(("traceparent", ELSEWHERE),))
        system.wait_for_ends(1)
        commands = {
            status: [record for record in system.read(topic) if status in (record.value or b"")]
            for topic, status in (
                ("payment-events", b'"PROCESS_PAYMENT"'),
                ("stock-events", b'"RESERVE_STOCK"'),
            )
        }
        assert 0 == worker.stop()
        spans = {span.name: span for span in collector.spans}

    root = spans["place-order"]
    assert {TRACE} == {span.trace_id.hex() for span in spans.values()}
    assert "b7ad6b7169203331" == root.parent_span_id.hex()
    for status, name in (
        (b'"PROCESS_PAYMENT"', "process payment #1"),
        (b'"RESERVE_STOCK"', "reserve stock #1"),
    ):
        (command,) = commands[status]
        expected = f"00-{TRACE}-{spans[name].span_id.hex()}-01".encode()
        assert (("traceparent", expected),) == command.headers
