"""Workers of overlapping sets of roles and their offsets: on SQLite and on PostgreSQL."""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.sagas.registry import Registry
from order_sagas.bridges.errors import LostShardError
from order_sagas.bridges.records.record import Outgoing
from order_sagas.bridges.storage.changes import Changes
from order_sagas.bridges.storage.consumers import consumer_of_set
from order_sagas.bridges.storage.role_offsets import RoleClaim, RoleOffsets
from order_sagas.bridges.storage.store import Store
from order_sagas.system.order_app import APP

TOPIC = "payment-events"
ALL = (*APP.topics_of_roles,)


class Worker:
    """A store with a set of roles."""

    def __init__(self, store: Store, roles: tuple[str, ...]) -> None:
        self.store = store
        topics = {role: APP.topics_of_roles[role] for role in roles}
        self.offsets = RoleOffsets(store.db, store.consumer, "g", topics)

    def claim(self, *shards: int) -> RoleClaim:
        return self.store.claim_for_roles(self.offsets, shards)

    def handle(self, claim: RoleClaim, up_to: int, outgoing: int = 0) -> list[int]:
        """Handle shard 0 of the topic up to an offset."""
        moves = [
            (TOPIC, 0, self.offsets.name[role], at, up_to)
            for role, at in claim.offsets[TOPIC, 0].items()
        ]
        outbox = [(0, Outgoing(TOPIC, 0, b"k", b"%d" % n)) for n in range(outgoing)]
        return self.store.commit(Changes(moves=moves, outbox=outbox, epochs=claim.epochs), 0.0)


Open = Callable[..., Worker]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of each kind."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path / 'orders.db'}"


@pytest.fixture
def worker(database: str) -> Iterator[Open]:
    """Open the database once more, as a worker with some roles."""
    with contextlib.ExitStack() as stores:

        def opened(*roles: str) -> Worker:
            consumer = consumer_of_set("g", roles, ALL)
            store = Store(database, Registry([PLACE_ORDER]), 4, consumer, group="g")
            stores.callback(store.close)
            return Worker(store, roles)

        yield opened


def test_a_role_continues_at_its_offset_in_any_set(worker: Open) -> None:
    """In sets with this role alone, with others, or with all."""
    some = worker("orchestrator", "stock")
    some.handle(some.claim(0), 9)
    every = worker(*ALL)
    first = every.claim(0).offsets[TOPIC, 0]
    alone = worker("payment")
    alone.handle(alone.claim(0), 4)
    second = every.claim(0).offsets[TOPIC, 0]

    assert {"orchestrator": 9, "payment": 0} == first
    assert {"orchestrator": 9, "payment": 4} == second


def test_offsets_are_kept_only_for_topics_that_a_role_reads(worker: Open) -> None:
    """A worker does not read the other topics."""
    claim = worker("payment", "stock").claim(0, 1)

    assert {(t, s) for t in ("payment-events", "stock-events") for s in (0, 1)} == {*claim.offsets}


@pytest.mark.parametrize("moves", [True, False], ids=["a batch of records", "a batch of timers"])
def test_a_worker_whose_role_was_claimed_in_another_set_stores_nothing(
    worker: Open, moves: bool
) -> None:
    """As after it was frozen and replaced by workers with other sets."""
    frozen, other = worker(*ALL), worker("payment")
    claim = frozen.claim(0, 1)
    taken = other.claim(0)

    store = partial(frozen.handle, claim, 7)
    if not moves:
        store = partial(frozen.store.commit, Changes(epochs=claim.epochs), 0.0)
    with pytest.raises(LostShardError, match="shard 0"):
        store()
    assert ("g",) == taken.rivals
    other.handle(taken, 7)


def test_workers_of_disjoint_roles_do_not_fence_each_other(worker: Open) -> None:
    """They share shards, but no roles."""
    one, other = worker("payment"), worker("orchestrator", "orders", "stock", "notification")
    claim, others = one.claim(0), other.claim(0)

    one.handle(claim, 5)
    other.handle(others, 7)
    assert ((), ()) == (others.rivals, one.claim(0).rivals)


def test_unpublished_records_of_a_set_are_found_by_the_next(worker: Open) -> None:
    """If they have a role in common; otherwise its own worker may be publishing them."""
    died = worker("orchestrator", "payment")
    ids = died.handle(died.claim(0), 5, outgoing=2)
    heir, stranger = worker("payment", "stock"), worker("notification")
    rivals = heir.claim(0).rivals
    none = stranger.claim(0).rivals

    found = heir.store.outbox.unpublished([0], heir.store.consumer, *rivals)
    assert ids == [number for number, _ in found]
    assert [] == heir.store.outbox.unpublished([0], stranger.store.consumer, *none)


FORMER = [
    ("#epochs", 0, "acme.eu", 3),
    ("payment-events", 0, "acme.eu", 10),
    ("payment-events", 0, "acme.eu.payment", 4),
    ("payment-events", 0, "acme.eu.orchestrator+orders", 30),
    ("order-events", 1, "acme.eu.orchestrator+orders", 7),
]
"""The table of offsets when each set of roles had its own."""


LATER = (
    "saga_versions", "early_replies", "schedules", "topic_ids", "saga_starts", "operator_actions",
    "history", "audits", "outbox_events", "order_keywords",
)  # fmt: skip
"""The tables that migrations after version 4 create."""
LATER_INDEXES = (
    "log_of_roles", "orders_by_customer", "orders_by_amount", "sagas_by_version", "sagas_by_end",
    "sagas_by_code", "sagas_failed",
)  # fmt: skip
"""The indexes that they add to tables of version 4."""


def test_a_role_takes_over_the_largest_offset_of_its_sets(database: str) -> None:
    """On its topics. Deferred messages are found by every set."""
    with (
        contextlib.closing(Store(database, Registry(()), 4)) as store,
        store.db.transaction() as cursor,
    ):
        for index in LATER_INDEXES:
            cursor.execute(f"DROP INDEX {index}")
        cursor.execute("ALTER TABLE log DROP COLUMN role")
        cursor.execute("ALTER TABLE order_keys DROP COLUMN submitter")
        for table in LATER:
            cursor.execute(f"DROP TABLE {table}")
        cursor.execute("UPDATE meta SET value = '4' WHERE name = 'schema'")
        for topic, partition, consumer, position in FORMER:
            cursor.execute(
                "INSERT INTO offsets (topic, partition, consumer, position) "
                f"VALUES ('{topic}', {partition}, '{consumer}', {position})"
            )
        cursor.execute(
            "INSERT INTO parked (target, consumer, shard, receiver, order_id, topic, "
            "partition, position, at) "
            "VALUES ('stock', 'acme.eu.stock', 0, 'stock', 'o', 't', 0, 1, 0.0)"
        )
    with contextlib.closing(Store(database, Registry(()), 4, migrating=True)) as store:
        rows = {*store.db.rows("SELECT topic, partition, consumer, position FROM offsets", ())}
        parked = [*store.db.rows("SELECT consumer FROM parked", ())]

    assert {
        *(row for row in FORMER if row[2] != "acme.eu.payment"),
        ("payment-events", 0, "acme.eu.orchestrator", 30),
        ("payment-events", 0, "acme.eu.payment", 10),
        ("order-events", 1, "acme.eu.orchestrator", 7),
        ("order-events", 1, "acme.eu.orders", 7),
    } == rows
    assert [("acme.eu",)] == parked
