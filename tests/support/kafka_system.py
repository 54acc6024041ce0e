"""A whole system on Kafka: topics, a database, and workers in separate processes."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource
from kafka.errors import UnknownTopicOrPartitionError

from order_sagas.actors.messages import LoadStock, Message, OrderCreated, OrderLine
from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.sagas.registry import Registry
from order_sagas.bridges.audit import Violation, examine, ledger_of
from order_sagas.bridges.kafka import KafkaConnection, TopicWriter, create_topics
from order_sagas.bridges.kafka.topic_scan import read_whole
from order_sagas.bridges.records.partitioner import partition_for
from order_sagas.bridges.records.record import Headers, Outgoing, Record
from order_sagas.bridges.storage.queries import reading
from order_sagas.bridges.storage.store import Store
from order_sagas.system.order_app import APP
from tests.support.cli import Started, environment, order_sagas
from tests.support.waiting import TIMEOUT, wait_until

PARTITIONS = 8

_json = msgspec.json.Encoder()


def fresh_topics(servers: str, partitions: int = PARTITIONS) -> None:
    """Delete and create all topics; every test on a broker uses the same names."""
    connection = KafkaConnection(bootstrap_servers=servers)
    admin = KafkaAdminClient(**connection.client_settings())
    with suppress(UnknownTopicOrPartitionError):
        admin.delete_topics(list(APP.topics))
    wait_until(lambda: not set(APP.topics) & set(admin.list_topics()), "the old topics to be gone")
    admin.close()
    create_topics(connection, APP.topics, partitions=partitions)


def orders(count: int, prefix: str = "o", **fields: Any) -> list[OrderCreated]:
    """Return a number of orders, of one pen each by default."""
    pen = (OrderLine(sku="PEN", quantity=1, unit_price=150),)
    fields = {"customer_id": "c-1", "currency": "EUR", "lines": pen, **fields}
    return [OrderCreated(order_id=f"{prefix}-{number}", **fields) for number in range(count)]


def goods(count: int = 1_000_000) -> LoadStock:
    """Return stock for the main warehouse: a number of pens."""
    return LoadStock(order_id="delivery", lines=(OrderLine(sku="PEN", quantity=count),))


class KafkaSystem:
    """A whole system. `settings` are those that differ from the defaults, for every process."""

    def __init__(self, directory: Path, servers: str, database: str, **settings: object) -> None:
        self.directory = directory
        self.database = database
        self.connection = KafkaConnection(bootstrap_servers=servers)
        self.env = environment(
            directory,
            **{
                "kafka": servers,
                "session_timeout": "3s",
                "partitions": PARTITIONS,
                **settings,
            },
            database=database,
            log_dir=directory / "logs",
        )
        self._writer: TopicWriter | None = None
        self.workers: list[Started] = []

    def make_tables(self) -> None:
        """Create the tables, as the first process does."""
        Store(self.database, Registry(()), PARTITIONS).close()

    def start(self, *args: object, **settings: object) -> Started:
        """Start a worker, and wait until it runs; it is stopped at the end of the test."""
        return self._start(*args, wait=True, **settings)

    def begin(self, *args: object, **settings: object) -> Started:
        """Start a worker without waiting until it runs."""
        return self._start(*args, wait=False, **settings)

    def _start(self, *args: object, wait: bool, **settings: object) -> Started:
        named = {f"ORDER_SAGAS_{name.upper()}": str(each) for name, each in settings.items()}
        worker = Started(self.directory, {**self.env, **named}, *args, wait=wait)
        self.workers.append(worker)
        return worker

    def start_special(self, *args: object, wait: bool = True) -> Started:
        """Start a worker of `tests.support.special_worker`."""
        command = (sys.executable, "-m", "tests.support.special_worker")
        worker = Started(self.directory, self.env, *args, wait=wait, command=command)
        self.workers.append(worker)
        return worker

    def log(self, event: str) -> list[dict[str, Any]]:
        """Return the lines of all workers' logs with this event."""
        lines = [
            line
            for file in (self.directory / "logs").glob("*.jsonl")
            for line in file.read_text().splitlines()
            if f'"event":"{event}"' in line
        ]
        return [json.loads(line) for line in lines]

    def run(self, *args: object, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command, and wait for its end."""
        return order_sagas(*args, env=self.env, stdin=stdin)

    def json_of(self, *args: object) -> Any:
        """Return the JSON output of a command."""
        done = self.run(*args, "--json")
        assert "" == done.stderr
        return json.loads(done.stdout)

    def close(self) -> None:
        """Kill all running processes."""
        for worker in self.workers:
            worker.__exit__(None, None, None)
        if self._writer:
            self._writer.close()

    # --- Kafka --------------------------------------------------------------------------------

    def put(
        self,
        topic: str,
        *values: Message | Mapping[str, Any] | bytes | None,
        key: bytes | None = None,
        partition: int | None = None,
        headers: Headers = (),
    ) -> None:
        """Write records; without a partition, the key or the order id decides."""
        records = []
        for value in values:
            raw = value if isinstance(value, bytes) or value is None else _json.encode(value)
            at, own = partition, key
            if at is None:
                own = key or (b"main" if isinstance(value, LoadStock) else _order_id(value))
                at = partition_for(own, PARTITIONS)
            records.append(Outgoing(topic, at, own, raw, headers))
        if self._writer is None:
            self._writer = TopicWriter(self.connection)
            self._writer.start(APP.topics)
        self._writer.publish(records).wait(30)

    def load(self, count: int = 1_000_000) -> None:
        """Add stock."""
        self.put("stock-events", goods(count))

    def limit(self, topic: str, size: int) -> None:
        """Set the maximum size of a batch of a topic, in bytes."""
        admin = KafkaAdminClient(**self.connection.client_settings())
        admin.alter_configs([ConfigResource("TOPIC", topic, {"max.message.bytes": str(size)})])
        admin.close()

    def read(self, topic: str) -> list[Record]:
        """Return all records of a topic."""
        return read_whole(self.connection, topic, PARTITIONS)

    # --- the database -------------------------------------------------------------------------

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Return a connection with a consistent snapshot."""
        with reading(self.database) as db:
            yield db

    def rows(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with self.reading() as db:
            return [tuple(row) for row in db.execute(sa.text(sql), values)]

    def number(self, sql: str, **values: Any) -> int:
        """Return the number that a query finds."""
        return int(self.rows(sql, **values)[0][0])

    def ended(self) -> int:
        """Return the number of sagas that have ended."""
        return self.number("SELECT count(*) FROM sagas WHERE ended_at IS NOT NULL")

    def wait_for_ends(self, count: int, timeout: float = TIMEOUT) -> None:
        """Wait until `count` sagas and orders have ended and customers are notified."""
        wait_until(lambda: self.ended() >= count, f"{count} sagas to end", timeout)
        closed = "SELECT count(*) FROM orders WHERE status IN ('COMPLETED', 'CANCELLED')"
        told = "SELECT count(*) FROM notifications WHERE status IN ('SENT', 'FAILED')"
        wait_until(lambda: self.number(closed) >= count, f"{count} orders to end", timeout)
        wait_until(lambda: self.number(told) >= count, f"{count} customers to be told", timeout)

    def statuses(self) -> dict[str, int]:
        """Return the number of sagas by status."""
        return dict(self.rows("SELECT status, count(*) FROM sagas GROUP BY status"))

    def violations(self, ended: bool = True) -> Sequence[Violation]:
        """Return the violated invariants."""
        with self.reading() as db:
            return examine(ledger_of(db), [PLACE_ORDER], ended=ended).violations


def _order_id(value: Any) -> bytes:
    fields = value if isinstance(value, Mapping) else {"orderId": getattr(value, "order_id", "")}
    return str(fields.get("orderId", "")).encode()
