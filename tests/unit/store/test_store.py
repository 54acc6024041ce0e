"""The transaction of a batch: all or nothing, and only for the owner of its shards."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from order_sagas.actors.entities import ENTITIES, Entity, Payment, StockLevel
from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.sagas.registry import Registry
from order_sagas.bridges.errors import LostShardError, StoreError
from order_sagas.bridges.records.record import Outgoing
from order_sagas.bridges.storage.changes import Changes
from order_sagas.bridges.storage.log_queues import HANDLED, TO_READ
from order_sagas.bridges.storage.store import Store


@pytest.fixture
def url(tmp_path) -> str:
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def store(url):
    """A store of four partitions."""
    store = Store(url, Registry([PLACE_ORDER]), 4)
    yield store
    store.close()


def a_payment(order_id: str = "o-1", amount: int = 5) -> Payment:
    return Payment(order_id=order_id, status=Payment.COMPLETED, amount=amount)


def test_a_commit_that_lost_its_shard_leaves_nothing_behind(store) -> None:
    """Neither entities nor records; the number of a rolled back order is dropped."""
    store.claim(["log"], [0])
    store.commit(Changes(offsets={("log", 0): (0, 7)}), 1.0)
    stale = Changes(
        entities=[a_payment()],
        appended=[(Outgoing("order-events", 0, b"o-1", b"{}"), TO_READ)],
        offsets={("log", 0): (0, 9)},
    )

    with pytest.raises(LostShardError, match="moved by another worker"):
        store.commit(stale, 2.0)

    assert ({}, [], []) == (
        store.orders.of(["o-1"]), [*store.all_of(Payment)], store.read_log(0, 10),
    )  # fmt: skip


def test_a_claim_fences_off_the_former_owner(url, store) -> None:
    """Even a batch of timers, which moves no offset."""
    ours = store.claim(["log"], [0, 1])
    other = Store(url, Registry([PLACE_ORDER]), 4)
    other.claim(["log"], [1])
    other.close()

    store.commit(Changes(entities=[a_payment("kept")], epochs={0: ours.epochs[0]}), 1.0)
    with pytest.raises(LostShardError, match="shard 1 was claimed"):
        store.commit(Changes(entities=[a_payment("lost")], epochs=ours.epochs), 1.0)

    assert ["kept"] == [payment.order_id for payment in store.all_of(Payment)]


def test_a_shard_without_an_epoch_row_cannot_be_committed(store) -> None:
    """A deleted row does not prove that the shard is still owned."""
    claim = store.claim(["log"], [0, 1])
    with store.db.transaction() as cursor:
        cursor.execute("DELETE FROM offsets WHERE topic = '#epochs' AND partition = 1")

    with pytest.raises(LostShardError, match="shard 1 has no epoch"):
        store.commit(Changes(entities=[a_payment()], epochs=claim.epochs), 1.0)

    assert [] == [*store.all_of(Payment)]


def test_a_claim_continues_at_the_offsets_of_the_last_owner(store) -> None:
    """Offsets are kept; epochs grow."""
    first = store.claim(["log"], [2])
    store.commit(Changes(offsets={("log", 2): (0, 40)}), 1.0)
    second = store.claim(["log"], [2])

    assert ({("log", 2): 0}, {("log", 2): 40}) == (first.offsets, second.offsets)
    assert second.epochs[2] == first.epochs[2] + 1


@pytest.mark.parametrize("kind", ENTITIES, ids=lambda kind: kind.__name__)
def test_an_entity_is_loaded_as_it_was_stored(store, kind) -> None:
    """With unusual texts and numbers."""
    strange: dict[type, object] = {str: "'; DROP \u00e9\U0001f600", int: 2**62, float: 1.7e9 + 0.1}
    annotations = {f: t for k in (Entity, kind) for f, t in k.__annotations__.items()}
    values = {
        field: strange[annotations[field]]
        for field in kind.__struct_fields__
        if annotations[field] in strange
    }
    entity = kind(**values)
    store.commit(Changes(entities=[entity]), 1.0)

    assert [entity] == [*store.all_of(kind)]


def test_the_last_write_of_an_entity_counts(store) -> None:
    """By its key: of an order, or of a SKU in a warehouse."""
    for amount in (1, 2):
        level = StockLevel(warehouse="main", sku="PEN", on_hand=amount)
        store.commit(Changes(entities=[a_payment(amount=amount), level]), 1.0)

    assert [2] == [payment.amount for payment in store.all_of(Payment)]
    assert [2] == [level.on_hand for level in store.all_of(StockLevel)]


def test_the_number_of_partitions_of_a_database_is_fixed(url, store) -> None:
    """Another number would look for an order's records where they are not."""
    with pytest.raises(StoreError, match="made with partitions = 4, and 8 is wanted"):
        Store(url, Registry([PLACE_ORDER]), 8)


def test_records_of_the_log_are_read_in_order_and_once_if_they_were_handled(store) -> None:
    """With unchanged key, value and headers; handled ones are not read."""
    headers = (("a", b"\x00\xff"), ("a", b""))
    records = [Outgoing("order-events", 1, None, None, headers), Outgoing("x", 2, b"k", b"\xff")]
    store.commit(Changes(appended=[(r, TO_READ) for r in records]), 1.0)
    store.commit(Changes(appended=[(records[1], HANDLED)]), 2.0)

    found = store.read_log(0, 10)

    assert [(1, None, None, headers), (2, b"k", b"\xff", ())] == [
        (r.partition, r.key, r.value, r.headers) for r in found
    ]
    assert [] == store.read_log(found[-1].offset, 10)


def test_many_may_open_a_new_database_at_once(url) -> None:
    """Like workers and submitters that start together; each table is created once."""
    together = threading.Barrier(4)

    def open_it(_: int) -> int:
        together.wait()
        store = Store(url, Registry([PLACE_ORDER]), 4)
        store.close()
        return store.partitions

    with ThreadPoolExecutor(4) as threads:
        assert [4] * 4 == list(threads.map(open_it, range(4)))
