"""A database in which each set of roles had offsets of its own is taken over by each role."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from bridges.store.schema import metadata
from bridges.store.upgrade_roles import give_roles_their_offsets
from tests.support.role_starts import RoleStarts

DUMP = Path(__file__).parent / "sets_of_roles.sql"
"""All roles completed `full-1` and `full-2`. Then all but payment ran: they read the log from its
beginning, began `part-1`, and passed over a PROCESS_PAYMENT of `outside-1`. `unread-1` waits."""

FULL, PART, UNREAD = "full-2", "part-1", "unread-1"


@pytest.fixture
def starts(tmp_path: Path) -> Iterator[RoleStarts]:
    """On the database as it was."""
    with closing(sqlite3.connect(tmp_path / "orders.db")) as db:
        db.executescript(DUMP.read_text())
    with RoleStarts(tmp_path, partitions=2) as starts:
        yield starts


def about(starts: RoleStarts, order_id: str) -> Counter[str]:
    """How many records about an order each receiver has handled."""
    found: Counter[str] = Counter()
    for (who, name), times in starts.handled.counts.items():
        text = name.decode() if isinstance(name, bytes) else name
        if f"/{order_id}/" in text or f'"{order_id}"' in text:
            found[who] += times
    return found


def test_what_all_roles_had_handled_no_role_handles_again(starts: RoleStarts) -> None:
    """Nor what the roles did that ran last; a dead letter is not made once more."""
    letters = starts.letters()
    starts.start()
    starts.advance(1)

    assert Counter() == about(starts, "full-1") + about(starts, FULL) + about(starts, PART)
    assert letters == starts.letters()
    assert {} == starts.waiting()
    assert {} == starts.handled.repeated


def test_what_only_others_had_read_is_handled_by_the_role_that_wants_it(
    starts: RoleStarts,
) -> None:
    """The command from outside; and what nobody had read, by all. The lost command is retried."""
    starts.start(("payment",))
    outside = about(starts, "outside-1")
    starts.start()
    starts.advance(120)

    assert Counter(payments=1) == outside
    assert ["COMPLETED"] * 4 == [
        starts.first.status(order_id) for order_id in ("full-1", FULL, PART, UNREAD)
    ]
    assert {} == starts.handled.repeated
    assert [] == starts.first.violations()


def test_it_is_taken_over_once(starts: RoleStarts) -> None:
    """Whoever opens it next finds the offsets as they are then."""
    starts.start()
    once = starts.rows("SELECT * FROM offsets WHERE topic <> '#epochs' ORDER BY 1, 2, 3")
    starts.start()

    assert once == starts.rows("SELECT * FROM offsets WHERE topic <> '#epochs' ORDER BY 1, 2, 3")
    assert {"order-sagas"} == {row[2] for row in once}


def test_each_role_takes_over_the_furthest_offset_of_its_sets_on_kafka(tmp_path: Path) -> None:
    """Those of its topics; and what was kept for paused services is found by every set."""
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'orders.db'}")
    insert = sa.text("INSERT INTO offsets VALUES (:topic, :partition, :consumer, :position)")
    former = [
        ("#epochs", 0, "acme.eu", 3),
        ("payment-events", 0, "acme.eu", 10),
        ("payment-events", 0, "acme.eu.payment", 4),
        ("payment-events", 0, "acme.eu.orchestrator+orders", 30),
        ("order-events", 1, "acme.eu.orchestrator+orders", 7),
        ("order-events", 1, "acme.eu.payment", 9),
    ]
    with engine.begin() as db:
        metadata.create_all(db)
        for row in former:
            names = ("topic", "partition", "consumer", "position")
            db.execute(insert, dict(zip(names, row, strict=True)))
        db.exec_driver_sql(
            "INSERT INTO parked (target, consumer, shard, receiver, order_id, topic, partition, "
            "position, at) VALUES ('stock', 'acme.eu.stock', 0, 'stock', 'o', 't', 0, 1, 0.0)"
        )
        give_roles_their_offsets(db)
        found = {
            (topic, partition, consumer.removeprefix("acme.eu.")): position
            for topic, partition, consumer, position in db.execute(sa.text("SELECT * FROM offsets"))
            if "+" not in consumer and consumer != "acme.eu"
        }
        (parked,) = db.execute(sa.text("SELECT consumer FROM parked")).one()
    engine.dispose()

    assert {
        ("payment-events", 0, "orchestrator"): 30,
        ("payment-events", 0, "payment"): 10,
        ("order-events", 1, "orchestrator"): 7,
        ("order-events", 1, "orders"): 7,
        ("order-events", 1, "payment"): 9,  # of a topic that the role does not read any more
    } == found
    assert "acme.eu" == parked
