"""Problems of topics, the affected orders, and the acceptance of a problem by an operator."""

from pathlib import Path

import pytest

from order_sagas.actors.messages import OrderCreated
from order_sagas.actors.participants import ORDERS
from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.sagas.registry import Registry
from order_sagas.bridges.intake.intake import Intake, Verdict
from order_sagas.bridges.kafka.consumer_listener import Extent
from order_sagas.bridges.logs.embedded import EmbeddedLog
from order_sagas.bridges.operations.topics import accept, affected_orders, problems
from order_sagas.bridges.storage.connection import connect
from order_sagas.bridges.storage.lost_orders import any_waiting, lost_orders, waiting_orders
from order_sagas.bridges.storage.queries import reading
from order_sagas.bridges.storage.store import Store
from tests.support.embedded import BEGAN, EmbeddedSystem, an_order

GROUP = "order-sagas"
PARTITIONS = 4
REGISTRY = Registry([PLACE_ORDER])


class Shop:
    """A database with offsets of two roles, and the topics that they are of."""

    def __init__(self, directory: Path) -> None:
        self.url = f"sqlite:///{directory / 'orders.db'}"
        Store(self.url, REGISTRY, PARTITIONS).close()
        self.db = connect(self.url)
        self.db_topics: dict[str, str] = dict.fromkeys(("order-events", "payment-events"), "first")
        self.extents = {
            (topic, partition): Extent(0, 10, "first")
            for topic in self.db_topics
            for partition in range(PARTITIONS)
        }
        with self.db.transaction() as cursor:
            for role, position in (("orchestrator", 7), ("orders", 5)):
                cursor.executemany(
                    "INSERT INTO offsets (topic, partition, consumer, position) "
                    "VALUES (?, ?, ?, ?)",
                    [(*place, f"{GROUP}.{role}", position) for place in self.extents],
                )
        Store(self.url, REGISTRY, PARTITIONS).topic_ids.known(self.db_topics, BEGAN)

    def problems(self) -> list[str]:
        with reading(self.url) as db:
            return [str(each) for each in problems(db, GROUP, self.extents)]

    def accept(self, *, from_end: bool = False) -> None:
        with reading(self.url) as db:
            found = problems(db, GROUP, self.extents)
            accept(self.db, db, GROUP, found, BEGAN + 1, by="ada", from_end=from_end)

    def positions(self, topic: str) -> dict[str, set[int]]:
        rows = self.db.rows("SELECT consumer, position FROM offsets WHERE topic = ?", (topic,))
        found: dict[str, set[int]] = {}
        for consumer, position in rows:
            found.setdefault(consumer.removeprefix(f"{GROUP}."), set()).add(position)
        return found


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_unchanged_topics_have_no_problem(shop: Shop) -> None:
    """Nor does a broker without topic ids, or retention that deleted handled records."""
    assert [] == shop.problems()
    shop.extents = {place: Extent(6, 10, "") for place in shop.extents}
    assert [] == shop.problems()


@pytest.mark.parametrize(("from_end", "position"), [(False, 2), (True, 40)])
def test_a_topic_with_another_id_is_read_from_where_the_operator_says(
    shop: Shop, from_end: bool, position: int
) -> None:
    """By every role; other topics are not affected."""
    for partition in range(PARTITIONS):
        shop.extents["order-events", partition] = Extent(2, 40, "second")
    found = shop.problems()
    shop.accept(from_end=from_end)

    assert PARTITIONS == len(found)
    assert (
        "order-events, partition 0, is not read: handled up to offset 7 of the topic first"
        in found[0]
    )
    assert "it holds offsets 2 to 40 now" in found[0]
    assert [] == shop.problems()
    assert {"orchestrator": {position}, "orders": {position}} == shop.positions("order-events")
    assert {"orchestrator": {7}, "orders": {5}} == shop.positions("payment-events")
    noted = shop.db.rows('SELECT action, target, "by", detail FROM operator_actions', ())
    place = "end" if from_end else "beginning"
    assert [("accept reset", "order-events", "ada", f"read from the {place}")] == [*noted]


def test_a_partition_that_ends_before_an_offset_is_a_problem(shop: Shop) -> None:
    """The largest offset of all roles counts."""
    shop.extents["payment-events", 1] = Extent(0, 6, "first")
    found = shop.problems()
    shop.accept()

    where = "payment-events, partition 1, is not read"
    assert [f"{where}: handled up to offset 7; it holds offsets 0 to 6 now"] == found
    assert {"orchestrator": {0, 7}, "orders": {0, 5}} == shop.positions("payment-events")


def test_the_orders_that_wait_for_a_topic_are_listed(tmp_path: Path) -> None:
    """Only those that wait for this topic, in these partitions."""
    with EmbeddedSystem(tmp_path, settings={"roles": ("orchestrator", "orders")}) as system:
        system.put(*(an_order(f"o-{number}") for number in range(12)))
        database = system.settings.database
        places = {
            (topic, partition): Extent(0, 0, "second")
            for topic in ("payment-events", "stock-events")
            for partition in range(2)
        }
        with system.log.db.transaction() as cursor:
            for topic, partition in places:
                cursor.execute(
                    "INSERT INTO offsets (topic, partition, consumer, position) "
                    "VALUES (?, ?, 'order-sagas.orchestrator', 9)",
                    (topic, partition),
                )
        with reading(database) as db:
            found = problems(db, GROUP, places)
            of_payments = [each for each in found if each.topic == "payment-events"]
            of_stock = [each for each in found if each.topic == "stock-events"]
            waiting = affected_orders(db, REGISTRY, of_payments)

            assert 0 < len(waiting) < 12
            assert [] == affected_orders(db, REGISTRY, of_stock)


def take(url: str, order: OrderCreated, lost: list[str]) -> Verdict:
    """Take in an order; return the verdict."""
    with EmbeddedLog(url, PARTITIONS) as log:
        (verdict,) = Intake(log, lost=lost).take([order])
    return verdict


def test_an_order_whose_record_was_deleted_is_found_once_its_partition_is_handled(
    shop: Shop,
) -> None:
    """Not before, because its record may still be unread."""
    with reading(shop.url) as db:
        assert not any_waiting(db)
    assert Verdict.ACCEPTED == take(shop.url, an_order("gone"), [])
    with reading(shop.url) as db:
        every = range(PARTITIONS)
        waiting = waiting_orders(db, ORDERS.topic, every)
        assert ["gone"] == [*waiting]
        unread = lost_orders(db, waiting, ORDERS.topic, GROUP, dict.fromkeys(every, (0, 6)))
        read = lost_orders(db, waiting, ORDERS.topic, GROUP, dict.fromkeys(every, (0, 5)))
        deleted = lost_orders(db, waiting, ORDERS.topic, GROUP, dict.fromkeys(every, (9, 9)))

    assert ([], ["gone"], ["gone"]) == (unread, read, deleted)


def test_an_order_whose_record_is_in_the_outbox_is_not_lost(shop: Shop) -> None:
    """A worker is about to publish it."""
    take(shop.url, an_order("there"), [])
    with shop.db.transaction() as cursor:
        cursor.execute(
            "INSERT INTO outbox (consumer, shard, topic, partition, key) "
            "VALUES ('#submitted', 0, ?, 0, ?)",
            (ORDERS.topic, b"there"),
        )
    with reading(shop.url) as db:
        assert any_waiting(db)
        assert {} == waiting_orders(db, ORDERS.topic, range(PARTITIONS))


def test_a_lost_order_is_accepted_again(shop: Shop) -> None:
    """With the same content only."""
    take(shop.url, an_order("gone"), [])

    assert Verdict.DUPLICATE == take(shop.url, an_order("gone"), [])
    assert Verdict.CONFLICT == take(shop.url, an_order("gone", customer_id="other"), ["gone"])
    assert Verdict.ACCEPTED == take(shop.url, an_order("gone"), ["gone"])
    ((count,),) = shop.db.rows("SELECT count(*) FROM log", ())
    assert 2 == count
