"""Pruning on SQLite and PostgreSQL: the same rows are deleted, the same sums stay."""

import json
from pathlib import Path

import pytest

from order_sagas.actors.entities import (
    Notification,
    Order,
    Payment,
    Reservation,
    StockLevel,
    StockLoad,
)
from order_sagas.actors.messages import OrderCreated, OrderLine, PaymentCompleted, StockReserved
from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.sagas.advance import advance
from order_sagas.actors.sagas.registry import Registry
from order_sagas.bridges.audit import examine, ledger_of
from order_sagas.bridges.errors import LostShardError
from order_sagas.bridges.operations.archive import ArchiveFile
from order_sagas.bridges.storage.changes import Changes
from order_sagas.bridges.storage.consumer_offsets import Claim
from order_sagas.bridges.storage.order_retention import Pruned, Round
from order_sagas.bridges.storage.queries import reading
from order_sagas.bridges.storage.store import Store

PARTITIONS = 4
ENDED = 1000.0
LINES = (OrderLine(sku="PEN", quantity=2, unit_price=150),)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'orders.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def store(database: str):
    """The store of a worker."""
    store = Store(database, Registry([PLACE_ORDER]), PARTITIONS)
    yield store
    store.close()


def complete(store: Store, claim: Claim, *order_ids: str) -> None:
    """Store completed orders, with their goods."""
    total = 100
    for count, order_id in enumerate(order_ids, start=1):
        order = OrderCreated(order_id=order_id, customer_id="c", currency="EUR", lines=LINES)
        progress = advance(PLACE_ORDER, None, order, ENDED).progress
        for reply in (PaymentCompleted(order_id=order_id), StockReserved(order_id=order_id)):
            progress = advance(PLACE_ORDER, progress, reply, ENDED).progress
        level = StockLevel(
            warehouse="main", sku="PEN", on_hand=total - 2 * count, reserved=2 * count, loaded=total
        )
        entities = [
            StockLoad(order_id="load", lines=(OrderLine(sku="PEN", quantity=total),)),
            level,
            Order(order_id=order_id, status=Order.COMPLETED, lines=LINES),
            Payment(order_id=order_id, status=Payment.COMPLETED, charges=1),
            Reservation(order_id=order_id, status=Reservation.HELD, lines=LINES),
            Notification(order_id=order_id, status=Notification.SENT, about="completed", sends=1),
        ]
        store.commit(Changes(entities=entities, sagas=[progress], epochs=claim.epochs), ENDED)


def prune(store: Store, epochs: dict[int, int] | None, **options) -> Pruned:
    """Prune a whole round."""
    done = Round(store, ENDED + 1, **options)
    while not done.done:
        done.step(epochs, ENDED + 2)
    return done.pruned


def left(store: Store, table: str) -> int:
    """The number of rows of a table."""
    ((count,),) = store.db.rows(f"SELECT count(*) FROM {table}", ())
    return int(count)


def test_a_worker_prunes_its_own_shards_and_keeps_the_sums(store, database) -> None:
    """The sums contain the sold goods; orders of other shards stay."""
    claim = store.claim(["log"], [*range(PARTITIONS)])
    complete(store, claim, "a", "b", "c", "d", "e", "f")
    ours = {shard: claim.epochs[shard] for shard in (0, 1)}
    some = prune(store, ours).orders
    rest = prune(store, claim.epochs).orders

    assert 0 < some < 6 == some + rest
    assert (0, 0, 6, 1) == tuple(
        left(store, t) for t in ("sagas", "reservations", "pruned", "stock_loads")
    )
    assert [("main", "PEN", 12)] == [*store.db.rows("SELECT * FROM pruned_goods", ())]
    assert {"a"} == store.orders.pruned(["a", "x"])
    with reading(database) as db:
        assert [] == examine(ledger_of(db), [PLACE_ORDER], ended=True).violations


def test_a_worker_that_lost_the_shard_prunes_nothing(store, database) -> None:
    """Nor does it add any goods to the sums."""
    stale = store.claim(["log"], [*range(PARTITIONS)])
    complete(store, stale, "a")
    store.claim(["log"], [*range(PARTITIONS)])

    with pytest.raises(LostShardError):
        prune(store, stale.epochs)

    assert (1, 0) == (left(store, "orders"), left(store, "pruned_goods"))


def test_a_worker_does_not_store_a_pruned_order_again(store, database) -> None:
    """It had read the order before it was pruned by hand, through another connection."""
    claim = store.claim(["log"], [*range(PARTITIONS)])
    complete(store, claim, "a")
    payment = store.load(Payment, [*store.orders.of(["a"]).values()])["a"]
    by_hand = Store(database, Registry([PLACE_ORDER]), PARTITIONS)
    prune(by_hand, None)
    by_hand.close()

    with pytest.raises(LostShardError, match="was pruned"):
        store.commit(Changes(entities=[payment], epochs=claim.epochs), ENDED)

    assert 0 == left(store, "payments")


def test_pruned_orders_are_in_the_archive(store, tmp_path) -> None:
    """Each order once, complete."""
    claim = store.claim(["log"], [*range(PARTITIONS)])
    complete(store, claim, "a", "b")
    with ArchiveFile(tmp_path / "archive", store, Registry([PLACE_ORDER])) as archive:
        prune(store, None, archive=archive.keep)
    orders = [json.loads(line) for line in (tmp_path / "archive").read_text().splitlines()]

    assert ["a", "b"] == sorted(each["order_id"] for each in orders)
    assert {"order_id", "order", "payment", "reservation", "notification", "sagas"} == {*orders[0]}
