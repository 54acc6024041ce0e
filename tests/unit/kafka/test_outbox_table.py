"""Records that are left in a table for change data capture: the setting `publish`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from order_sagas.bridges.errors import StoreError
from order_sagas.bridges.processor.pruner import Pruner
from order_sagas.bridges.records.partitioner import partition_for
from order_sagas.bridges.records.record import Outgoing
from order_sagas.bridges.storage.lost_orders import waiting_orders
from order_sagas.bridges.storage.outbox_events import CHUNK, fits
from order_sagas.bridges.storage.queries import reading
from order_sagas.system.log_client import check_log
from order_sagas.system.settings import Settings
from tests.support.embedded import BEGAN, an_order
from tests.support.virtual_kafka import DEAD_LETTERS, VirtualKafkaSystem

CAPTURED = {"kafka": "localhost:9092", "publish": "outbox-table", "keep_outbox_events": 3600.0}
COLUMNS = (
    "no", "id", "aggregatetype", "aggregateid", "type", "payload", "timestamp", "partition",
    "traceparent", "tracestate", "headers",
)  # fmt: skip


class Captured(VirtualKafkaSystem):
    """A system whose records are published by a reader of the table, when the test lets it."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        super().__init__(directory, settings={**CAPTURED, **settings})
        self.seen = 0

    def __enter__(self) -> "Captured":
        super().__enter__()
        return self

    def events(self) -> list[dict[str, Any]]:
        """Return all rows of the table, oldest first."""
        sql = f"SELECT {', '.join(COLUMNS)} FROM outbox_events ORDER BY no"
        return [dict(zip(COLUMNS, row, strict=True)) for row in self.store.db.rows(sql, ())]

    def capture(self) -> int:
        """Publish the rows behind the last one that was seen; return their number."""
        new = [row for row in self.events() if row["no"] > self.seen]
        for row in new:
            key, value = row["aggregateid"].encode(), row["payload"].encode()
            partition = partition_for(key, self.settings.partitions)
            self.broker.append(Outgoing(row["aggregatetype"], partition, key, value))
            self.seen = row["no"]
        self.run()
        return len(new)


@pytest.fixture
def system(tmp_path: Path) -> Iterator[Captured]:
    """A system with goods in stock."""
    with Captured(tmp_path) as system:
        system.load({"PEN": 10})
        yield system


def test_nothing_is_published_but_by_the_capture(system: Captured) -> None:
    """What would be sent is in the table, and drives the saga once it is published."""
    system.put(an_order("o-1"))

    assert "RUNNING" == system.status("o-1")
    assert [] == system.broker.attempts
    while system.capture():
        pass
    system.advance(5)
    system.capture()
    assert "COMPLETED" == system.status("o-1")
    assert [] == system.broker.attempts
    assert [] == system.outbox()


def test_a_row_has_the_columns_of_the_outbox_event_router(system: Captured) -> None:
    """Ids are the event ids, so that a row that is stored twice is recognised."""
    system.put(an_order("o-1"))
    (row,) = system.events()

    assert {
        "id": "place-order/o-1/process payment/1",
        "aggregatetype": "payment-events",
        "aggregateid": "o-1",
        "type": "PROCESS_PAYMENT",
        "timestamp": "2023-11-14 22:13:20.000000",
        "partition": partition_for(b"o-1", system.settings.partitions),
        "traceparent": None,
        "tracestate": None,
        "headers": None,
    } == {name: row[name] for name in COLUMNS if name not in ("no", "payload")}
    assert "PROCESS_PAYMENT" == json.loads(row["payload"])["status"]


def test_headers_and_wire_forms_are_in_the_row(tmp_path: Path) -> None:
    """The payload is what the topic would have; the type is that of the message inside."""
    forms = (("payment-events", "spring-json-string"),)
    more = {"wire_forms": forms, "cloud_events": ("payment-events",)}
    with Captured(tmp_path, **more) as system:
        system.put(an_order("o-1"))
        (row,) = system.events()

    assert "PROCESS_PAYMENT" == row["type"] == json.loads(json.loads(row["payload"]))["status"]
    headers = json.loads(row["headers"])
    assert "java.lang.String" == headers["__TypeId__"]
    assert row["id"] == headers["ce_id"]


def test_dead_letters_are_published_by_the_worker(system: Captured) -> None:
    """Their bytes, and the headers that say where they come from, fit in no column."""
    system.broker.append(Outgoing("payment-events", 0, b"\xff", b"hello", ()))
    system.run()

    assert [b"hello"] == [letter.value for letter in system.broker.of(DEAD_LETTERS)]
    assert [] == system.events()


@pytest.mark.parametrize(
    ("key", "value", "headers", "whole"),
    [
        (b"o-1", b"{}", (("traceparent", b"00-1"),), True),
        (None, b"{}", (), False),
        (b"o-1", None, (), False),
        (b"o\0", b"{}", (), False),
        (b"\xff", b"{}", (), False),
        (b"o-1", b"\xff", (), False),
        (b"o-1", b"{}", (("raw", b"\xff"),), False),
    ],
)
def test_what_is_no_text_is_not_left_in_the_table(
    key: bytes | None, value: bytes | None, headers: Any, whole: bool
) -> None:
    """It would come out changed; replayed records may be anything."""
    assert whole is fits(Outgoing("payment-events", 0, key, value, headers))


def test_old_rows_are_deleted(system: Captured) -> None:
    """A chunk at a time, by the owner of shard 0 alone."""
    table, now = system.store.outbox_events, BEGAN
    old = [Outgoing("payment-events", 0, b"o", b"{}") for _ in range(CHUNK + 1)]
    with system.store.db.transaction() as cursor:
        table.add(cursor, old, now - 3601)
        table.add(cursor, old[:3], now - 3000)
    pruner = Pruner(system.store, system.clock, None, None, 3600.0)
    pruner.work({1: 1})
    assert CHUNK + 4 == len(system.events())

    system.advance(61)

    assert [] == [row for row in system.events() if row["timestamp"] < "2023-11-14 21:13:21"]
    assert 3 == len(system.events())


def test_an_order_that_waits_for_the_capture_is_not_lost(system: Captured) -> None:
    """Its start is in the table, although no partition holds it."""
    with system.store.db.transaction() as cursor:
        for order_id in ("o-1", "o-2"):
            shard = partition_for(order_id.encode(), system.settings.partitions)
            cursor.execute(
                "INSERT INTO order_keys (order_id, shard, fingerprint) VALUES (?, ?, ?)",
                (order_id, shard, b"print"),
            )
        start = Outgoing("order-events", 0, b"o-1", b"{}")
        system.store.outbox_events.add(cursor, [start], BEGAN)
    with reading(system.settings.database) as db:
        shards = range(system.settings.partitions)
        assert ["o-2"] == [*waiting_orders(db, "order-events", shards)]


def test_the_embedded_log_has_no_capture() -> None:
    """The setting without a Kafka is refused, instead of orders waiting for ever."""
    with pytest.raises(StoreError, match=r"publish = outbox-table.*--kafka"):
        check_log(Settings(publish="outbox-table"))
