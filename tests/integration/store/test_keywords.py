"""The index of SKUs: small, and without a SKU missing, on SQLite and PostgreSQL."""

import contextlib
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from order_sagas.actors.entities import Order
from order_sagas.actors.messages import OrderLine
from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.sagas.registry import Registry
from order_sagas.bridges.errors import LostShardError
from order_sagas.bridges.records.partitioner import partition_for
from order_sagas.bridges.storage import keywords, search
from order_sagas.bridges.storage.changes import Changes
from order_sagas.bridges.storage.consumer_offsets import Claim
from order_sagas.bridges.storage.keywords import blocks_of
from order_sagas.bridges.storage.order_retention import Round
from order_sagas.bridges.storage.queries import reading
from order_sagas.bridges.storage.search import Search, search_orders, search_sagas
from order_sagas.bridges.storage.store import Store

PARTITIONS = 4
ALL = [*range(PARTITIONS)]
NOW = 1000.0
DAY = 86_400.0


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'orders.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of three numbers."""
    monkeypatch.setattr(keywords, "BLOCK", 3)


@contextlib.contextmanager
def opened(database: str) -> Iterator[Store]:
    """A worker's store."""
    with contextlib.closing(Store(database, Registry([PLACE_ORDER]), PARTITIONS)) as store:
        yield store


def an_order(order_id: str, *skus: str, status: str = Order.CREATED) -> Order:
    """An order of these SKUs."""
    lines = tuple(OrderLine(sku=sku, quantity=1) for sku in skus)
    return Order(order_id=order_id, status=status, lines=lines)


def put(store: Store, claim: Claim, *orders: Order, now: float = NOW) -> None:
    """Store orders in one batch."""
    store.commit(Changes(entities=orders, epochs=claim.epochs), now)


def forget(store: Store, order_ids: list[str], at: float) -> None:
    """Delete orders as pruning does."""
    with store.db.transaction() as cursor:
        for no in store.orders.of(order_ids).values():
            cursor.execute(f"DELETE FROM orders WHERE no = {no}")
            cursor.execute(f"INSERT INTO pruned VALUES ({no}, 'COMPLETED', '', {at}, {at})")


def prune(store: Store, now: float, epochs: dict[int, int] | None = None) -> None:
    """A round, in which no order has ended long enough ago."""
    done = Round(store, 0.0)
    while not done.done:
        done.step(epochs, now)


def rows(store: Store) -> int:
    """How many rows the index has."""
    ((count,),) = store.db.rows("SELECT count(*) FROM order_keywords", ())
    return int(count)


def found(database: str, sku: str) -> str:
    """The ids of the orders with this SKU."""
    with reading(database) as db:
        return "".join(row["order_id"] for row in search_orders(db, Search(sku=sku), 20).rows)


def test_each_sku_of_a_block_has_one_row(database) -> None:
    """However many orders have it, however often they are stored, and after a restart."""
    count = 0
    for _ in range(2):
        with opened(database) as store:
            claim = store.claim(["log"], ALL)
            for status in (Order.CREATED, Order.COMPLETED):
                for order_id in "ABCDE":  # numbers 1 and 2, and 3 to 5
                    put(store, claim, an_order(order_id, "PEN", "INK", status=status))
            put(store, claim, an_order("F", "PEN\0é\"'"))
            count = rows(store)

    assert 2 * 2 + 1 == count
    assert ("EDCBA", "F", "") == tuple(found(database, sku) for sku in ("INK", "PEN\0é\"'", "pen"))


def test_workers_write_rows_of_their_own(database) -> None:
    """Of the same block and SKU: none waits for the transaction of another."""
    by_shard = {partition_for(str(n).encode(), PARTITIONS): str(n) for n in range(40)}
    with opened(database) as one, opened(database) as other:
        first, second = one.claim(["log"], [0, 1]), other.claim(["log"], [2, 3])
        put(one, first, an_order(by_shard[0], "PEN"), an_order(by_shard[1], "PEN"))
        put(other, second, an_order(by_shard[2], "PEN"), an_order(by_shard[3], "PEN"))
        written = [*one.db.rows("SELECT block, shard FROM order_keywords ORDER BY 1, 2", ())]

    assert {0, 2} == {shard for _, shard in written}
    assert {*"".join(by_shard.values())} == {*found(database, "PEN")}


def test_what_was_rolled_back_is_written_again(database) -> None:
    """A batch that was refused, and one that was only tried."""
    with opened(database) as store:
        stale = store.claim(["log"], ALL)
        claim = store.claim(["log"], ALL)
        with pytest.raises(LostShardError):
            put(store, stale, an_order("A", "PEN"))
        store.try_writes([an_order("A", "PEN")], [])
        before = rows(store)
        put(store, claim, an_order("A", "PEN"))

    assert 0 == before
    assert "A" == found(database, "PEN")


def test_rows_go_a_day_after_the_last_order_of_their_block(database) -> None:
    """Those of a block with an order, or with one that was pruned lately, stay."""
    with opened(database) as store:
        claim = store.claim(["log"], ALL)
        for order_id in "ABCDEFGH":  # numbers 1 and 2, 3 to 5, and 6 to 8
            put(store, claim, an_order(order_id, "PEN"))
        forget(store, ["A", "C", "D", "E"], NOW)
        forget(store, ["F", "G", "H"], NOW + 60)
        prune(store, NOW + DAY - 1)
        before = rows(store)
        prune(store, NOW + DAY + 1, claim.epochs)
        blocks = [block for (block,) in store.db.rows("SELECT block FROM order_keywords", ())]

    assert 3 == before
    assert [0, 2] == sorted(blocks)
    assert "B" == found(database, "PEN")


def test_an_order_that_is_stored_late_in_a_pruned_block_is_found(database) -> None:
    """Its number was given when it was submitted; the worker ran all the time."""
    with opened(database) as store, opened(database) as by_hand:
        claim = store.claim(["log"], ALL)
        with store.db.transaction() as cursor:
            for no, order_id in ((3, "late"), (4, "A"), (9, "B")):
                cursor.execute(f"INSERT INTO order_keys VALUES ({no}, '{order_id}', 0, NULL, NULL)")
        put(store, claim, an_order("A", "PEN"))
        forget(by_hand, ["A"], NOW)
        prune(by_hand, NOW + 2 * DAY)
        before = rows(store)
        put(store, claim, an_order("late", "PEN"), now=NOW + 2 * DAY)

    assert 0 == before
    assert "late" == found(database, "PEN")


def test_a_sku_of_few_orders_is_found_at_once_however_long_the_history(
    database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No window is read but those of blocks that have it; a SKU that no order has reads none."""
    monkeypatch.setattr(search, "BUDGET", -1.0)
    monkeypatch.setattr(search, "FEW", -1)
    monkeypatch.setattr(search, "WINDOW", 3)
    with opened(database) as store:
        claim = store.claim(["log"], ALL)
        put(store, claim, an_order("rare", "RARE", "PEN"))
        for n in range(30):
            put(store, claim, an_order(f"o-{n}", "PEN"))
    with reading(database) as db:
        rare = search_orders(db, Search(sku="RARE"), 20)
        none = search_orders(db, Search(sku="NONE", amount_from=0), 20)
        of_saga = search_sagas(db, Search(sku="NONE"), 20)
        many = search_orders(db, Search(sku="PEN"), 3)
        broken_off = search_orders(db, Search(sku="PEN", amount_from=5), 3)

    assert (["rare"], None) == ([row["order_id"] for row in rare.rows], rare.after)
    assert ([], None, [], None) == (none.rows, none.after, of_saga.rows, of_saga.after)
    assert ["o-29", "o-28", "o-27"] == [row["order_id"] for row in many.rows]
    assert broken_off.after is not None


@pytest.mark.parametrize("seed", range(3))
def test_no_order_is_ever_missed(seed, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers, rollbacks, restarts, orders stored late, pruning: as if all had been read."""
    monkeypatch.setattr(keywords, "KNOWN", 20)
    rng = random.Random(seed)
    database, now = f"sqlite:///{tmp_path / 'orders.db'}", NOW
    stored: dict[str, set[str]] = {}
    seen: set[int] = set()
    submitted = {f"o-{n}": partition_for(f"o-{n}".encode(), PARTITIONS) for n in range(90)}
    with contextlib.ExitStack() as stack:
        workers: list[tuple[Store, Claim, set[int]]] = []

        def start() -> None:
            for store, _, _ in workers:
                store.close()
            border = rng.randrange(1, PARTITIONS)
            workers.clear()
            for shards in (ALL[:border], ALL[border:]):
                store = Store(database, Registry([PLACE_ORDER]), PARTITIONS)
                stack.callback(store.close)
                workers.append((store, store.claim(["log"], shards), {*shards}))

        start()
        with workers[0][0].db.transaction() as cursor:
            for order_id, shard in submitted.items():
                cursor.execute(
                    f"INSERT INTO order_keys (order_id, shard) VALUES ('{order_id}', {shard})"
                )
        for _ in range(80):
            store, claim, shards = rng.choice(workers)
            ours = [each for each, shard in submitted.items() if shard in shards]
            now += rng.choice([1.0, 600.0, DAY / 3])
            action = rng.randrange(10)
            if action == 0:
                start()
            elif action == 1:
                gone = [each for each in ours if each in stored and rng.random() < 0.7]
                forget(store, gone, now)
                for each in gone:
                    del stored[each], submitted[each]
            elif action == 2:
                prune(store, now, claim.epochs)
            else:
                orders = {
                    each: {rng.choice("PQRSTU")} for each in rng.sample(ours, min(4, len(ours)))
                }
                orders = {each: stored.get(each, skus) for each, skus in orders.items()}
                batch = [an_order(each, *skus) for each, skus in orders.items()]
                if rng.random() < 0.2:
                    with pytest.raises(LostShardError):
                        put(store, Claim(dict.fromkeys(claim.epochs, 0), {}), *batch, now=now)
                else:
                    put(store, claim, *batch, now=now)
                    stored |= orders
            numbers = workers[0][0].orders.of(stored)
            with reading(database) as db:
                for sku in "PQRSTU":
                    ranges = blocks_of(db, sku, 0, 1000)
                    for each in (each for each, skus in stored.items() if sku in skus):
                        assert any(first <= numbers[each] < end for first, end in ranges)
                seen.add(len(blocks_of(db, "P", 0, 1000)))
    assert len(seen) > 3  # it is not all blocks all the time
