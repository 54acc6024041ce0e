"""Records are read from the embedded log as they were appended."""

import pytest

from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.sagas.registry import Registry
from order_sagas.bridges.records.record import Outgoing
from order_sagas.bridges.storage.bulk_insert import AT_ONCE
from order_sagas.bridges.storage.log_queues import HANDLED, TO_READ
from order_sagas.bridges.storage.log_table import append
from order_sagas.bridges.storage.store import Store

TRACED = (("traceparent", b"00-1-2-01"), ("raw", b"\x00\xff"))


@pytest.fixture
def store(tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'log.db'}", Registry([PLACE_ORDER]), 4)
    yield store
    store.close()


@pytest.mark.parametrize("count", [1, AT_ONCE[0] + 3])
@pytest.mark.parametrize("headers", [(), TRACED], ids=["bare", "with headers"])
def test_records_with_any_bytes_and_without_parts(store, count, headers):
    """Records without a key, without a value, with bytes that are no text, alone or many."""
    kinds = [(b"o-1", b"{}"), (None, b"\x00\xff"), (b"\xfe", None), (b"", b"")]
    sent = [Outgoing("order-events", i % 4, *kinds[i % 4], ()) for i in range(count)]
    sent.append(Outgoing("stock-events", 2, b"o-2", b"{}", headers))

    with store.db.transaction() as cursor:
        append(store.db, cursor, [(record, TO_READ) for record in sent], 7.0)

    read = store.read_log(0, count + 5)
    assert [Outgoing(r.topic, r.partition, r.key, r.value, r.headers) for r in read] == sent
    assert [(r.offset, r.timestamp) for r in read] == [(i + 1, 7.0) for i in range(count + 1)]
    assert {type(r.value) for r in read if r.value is not None} == {bytes}


def test_handled_records_are_not_read(store):
    """They are stored, but no batch reads them."""
    record = Outgoing("order-events", 0, b"o-1", b"{}")

    with store.db.transaction() as cursor:
        append(store.db, cursor, [(record, HANDLED), (record, TO_READ)], 7.0)

    assert [r.offset for r in store.read_log(0, 10)] == [2]
