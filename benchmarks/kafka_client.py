"""Measures the cost of a record in the Kafka client, step by step.

    python -m benchmarks.kafka_client [--records 20000] [--servers HOST:PORT]

CPU of this process (all threads of the client, not the broker), in microseconds per record of 290
bytes. Without `--servers`, a broker is started. The figures are not scaled, so compare lines of one
run only.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from uuid import uuid4

from kafka import KafkaConsumer, KafkaProducer
from kafka.structs import TopicPartition
from rich.console import Console
from rich.table import Table

from order_sagas.bridges.kafka import KafkaConnection, TopicWriter, create_topics
from order_sagas.bridges.kafka.fast_fetch import convert, unpack_whole_batches
from order_sagas.bridges.records.record import Outgoing
from tests.support.kafka_broker import KafkaBroker

TOPICS = 4
PARTITIONS = 12
VALUE = (
    b'{"orderId":"order-12345678","status":"PROCESS_PAYMENT","eventId":"0123456789abcdef01234567'
    b'89abcdef","sagaId":"order-12345678","step":"process payment","attempt":1,"causationId":"01'
    b'23456789abcdef","occurredAt":"2026-01-01T00:00:00Z","schemaVersion":1,"amount":{"minor":19'
    b'99,"currency":"EUR"}}'
)

Publish = Callable[[Sequence[Outgoing]], None]


def main() -> None:
    """Run the benchmark, and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kafka_client", description=__doc__)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--servers")
    options = parser.parse_args()
    with _servers(options.servers) as servers:
        connection = KafkaConnection(bootstrap_servers=servers)
        topics = [f"bench-{uuid4().hex[:8]}-{number}" for number in range(TOPICS)]
        create_topics(connection, topics, partitions=PARTITIONS)
        console = Console()
        console.print(_producing(connection, topics, options.records))
        console.print(_consuming(connection, topics, options.records))


def _producing(connection: KafkaConnection, topics: list[str], count: int) -> Table:
    table = Table(title=f"Producing, to {TOPICS} topics of {PARTITIONS} partitions")
    for column in ("how", "at once", "CPU µs/record", "ms till acked"):
        table.add_column(column, justify="left" if column == "how" else "right")
    for size in (20, 100, 500):
        records = [
            Outgoing(topics[n % TOPICS], n // TOPICS % PARTITIONS, b"order-%d" % n, VALUE)
            for n in range(size)
        ]
        for how, way in _ways_to_produce(connection, topics):
            with way as publish:
                publish(records)  # connections, metadata, producer id
                rounds = max(count // size // 4, 5)
                cpu, wall = time.process_time(), time.monotonic()
                for _ in range(rounds):
                    publish(records)
                cpu, wall = time.process_time() - cpu, time.monotonic() - wall
            per_record = f"{cpu / rounds / size * 1e6:.1f}"
            table.add_row(how, str(size), per_record, f"{wall / rounds * 1e3:.1f}")
        table.add_section()
    return table


def _ways_to_produce(
    connection: KafkaConnection, topics: list[str]
) -> Iterator[tuple[str, AbstractContextManager[Publish]]]:
    yield "send, partitioner, linger 20", _sending(connection, topics, 20, explicit=False)
    yield "send, partition given, linger 20", _sending(connection, topics, 20, explicit=True)
    yield "send, partition given, no linger", _sending(connection, topics, 0, explicit=True)
    yield "whole batches (TopicWriter)", _whole_batches(connection, topics)


@contextmanager
def _sending(
    connection: KafkaConnection, topics: list[str], linger_ms: int, *, explicit: bool
) -> Iterator[Publish]:
    producer = KafkaProducer(
        **connection.client_settings(),
        acks="all",
        enable_idempotence=True,
        linger_ms=linger_ms,
        batch_size=256 * 1024,
    )
    for topic in topics:
        producer.partitions_for(topic)

    def publish(records: Sequence[Outgoing]) -> None:
        futures = [
            producer.send(
                record.topic,
                record.value,
                key=record.key,
                partition=record.partition if explicit else None,
            )
            for record in records
        ]
        for future in futures:
            future.get(30)

    yield publish
    producer.close()


@contextmanager
def _whole_batches(connection: KafkaConnection, topics: list[str]) -> Iterator[Publish]:
    writer = TopicWriter(connection)
    writer.start(topics)
    yield lambda records: writer.publish(records).wait(30)
    writer.close()


def _consuming(connection: KafkaConnection, topics: list[str], count: int) -> Table:
    writer = TopicWriter(connection)
    writer.start(topics)
    for start in range(0, count, 1000):
        writer.publish(
            [
                Outgoing(topics[0], n % PARTITIONS, b"order-%d" % n, VALUE)
                for n in range(start, start + 1000)
            ]
        ).wait(30)
    writer.close()
    table = Table(title=f"Consuming, from {PARTITIONS} partitions")
    table.add_column("how")
    table.add_column("records a poll, at most", justify="right")
    table.add_column("CPU µs/record", justify="right")
    for most in (50, 500):
        for how, whole in (("poll, then converted", False), ("whole batches (TopicReader)", True)):
            table.add_row(
                how, str(most), f"{_consume(connection, topics[0], count, most, whole):.1f}"
            )
        table.add_section()
    return table


def _consume(
    connection: KafkaConnection, topic: str, count: int, most: int, whole_batches: bool
) -> float:
    consumer = KafkaConsumer(
        **connection.client_settings(), auto_offset_reset="earliest", metrics_enabled=False
    )
    if whole_batches:
        assert unpack_whole_batches(consumer)
    consumer.assign([TopicPartition(topic, partition) for partition in range(PARTITIONS)])
    read = 0
    cpu = time.process_time()
    while read < count:
        for records in consumer.poll(1000, max_records=most).values():
            read += len([convert(record) for record in records])
    cpu = time.process_time() - cpu
    consumer.close()
    return cpu / read * 1e6


@contextmanager
def _servers(given: str | None) -> Iterator[str]:
    if given:
        yield given
        return
    with tempfile.TemporaryDirectory() as home:
        broker = KafkaBroker(Path(home) / "kafka")
        broker.start()
        try:
            yield broker.bootstrap_servers
        finally:
            broker.kill()


if __name__ == "__main__":
    main()
