"""The fencing of shards between two workers, on SQLite and PostgreSQL."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from order_sagas.actors.entities import Order
from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.sagas.registry import Registry
from order_sagas.bridges.errors import LostShardError, StoreUnavailableError
from order_sagas.bridges.records.record import Outgoing
from order_sagas.bridges.storage import postgres_session
from order_sagas.bridges.storage.changes import Changes
from order_sagas.bridges.storage.consumer_offsets import Claim
from order_sagas.bridges.storage.queries import reading
from order_sagas.bridges.storage.store import Store

TOPIC = "order-events"

OpenStore = Callable[[], Store]


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)],
)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'orders.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def open_store(database: str) -> Iterator[OpenStore]:
    """Open the database once more, as another worker does."""
    with contextlib.ExitStack() as stores:

        def opened() -> Store:
            store = Store(database, Registry([PLACE_ORDER]), 4)
            stores.callback(store.close)
            return store

        yield opened


def a_batch(
    claim: Claim, order_id: str = "o-1", outgoing: int = 1, *, moves: bool = True
) -> Changes:
    """A batch with an order, its outgoing records, and its own record."""
    return Changes(
        entities=[Order(order_id=order_id, status=Order.CREATED)],
        outbox=[(0, Outgoing(TOPIC, 0, b"k", b"%d" % n)) for n in range(outgoing)],
        offsets={(TOPIC, 0): (claim.offsets[TOPIC, 0], 7)} if moves else {},
        epochs=claim.epochs,
    )


def count(database: str, table: str) -> int:
    with reading(database) as db:
        return int(db.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one())


@pytest.mark.parametrize("moves", [True, False], ids=["a batch of records", "a batch of timers"])
def test_a_worker_whose_shard_was_claimed_stores_nothing(
    open_store: OpenStore, database: str, moves: bool
) -> None:
    """Frozen before its commit, while another worker continues; also if no offset differs."""
    frozen, other = open_store(), open_store()
    claim = frozen.claim([TOPIC], [0, 1])
    other.claim([TOPIC], [0])

    with pytest.raises(LostShardError, match="shard 0"):
        frozen.commit(a_batch(claim, moves=moves), 0.0)
    assert (0, 0) == (count(database, "orders"), count(database, "outbox"))


def test_an_offset_is_moved_only_from_where_the_batch_began(
    open_store: OpenStore, database: str
) -> None:
    """The same batch twice, after a commit whose answer was lost: the second is refused."""
    store = open_store()
    batch = a_batch(store.claim([TOPIC], [0]))
    store.commit(batch, 0.0)

    with pytest.raises(LostShardError, match="offset"):
        store.commit(batch, 0.0)
    assert (1, 1) == (count(database, "orders"), count(database, "outbox"))


def test_a_batch_of_any_size_finds_its_outgoing_records_again(
    open_store: OpenStore,
) -> None:
    """In their order, by their ids, although others took ids in between."""
    store, other = open_store(), open_store()
    claim = store.claim([TOPIC], [0])
    ids = store.commit(a_batch(claim, outgoing=3), 0.0)
    other.commit(Changes(outbox=[(1, Outgoing(TOPIC, 1, b"k", b"v"))]), 0.0)
    ids += store.commit(a_batch(Claim(claim.epochs, {(TOPIC, 0): 7}), "o-2", 1200), 0.0)
    left = store.outbox.unpublished([0])

    assert ids == [number for number, _ in left] == sorted(ids)
    assert [*range(3), *range(1200)] == [int(outgoing.value or b"") for _, outgoing in left]


def test_ids_of_the_outbox_are_never_reused(open_store: OpenStore) -> None:
    """A submitter that deletes its published rows after a worker did deletes no other rows."""
    store = open_store()
    row = [(0, Outgoing(TOPIC, 0, b"k", b"v"))]
    first = store.commit(Changes(outbox=row), 0.0)
    second = store.commit(Changes(outbox=row, published=first), 0.0)

    assert first[0] < second[0]


@pytest.mark.postgres
def test_a_worker_frozen_in_its_transaction_blocks_no_other(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a time limit the server unlocks the shard's row, and rolls the transaction back."""
    with monkeypatch.context() as shorter:
        # More than a busy machine takes to store.
        shorter.setattr(postgres_session, "FROZEN_SECONDS", 6)
        frozen = Store(postgres_url, Registry([PLACE_ORDER]), 4)
    other = Store(postgres_url, Registry([PLACE_ORDER]), 4)
    claim = frozen.claim([TOPIC], [0])
    claimed: list[Claim] = []

    def freeze() -> None:
        with frozen.db.transaction() as cursor:
            frozen._store(cursor, a_batch(claim), 0.0)
            claimed.append(other.claim([TOPIC], [0]))

    with pytest.raises(StoreUnavailableError):
        freeze()
    assert claim.epochs[0] < claimed[0].epochs[0]
    assert 0 == count(postgres_url, "orders")


@pytest.mark.postgres
def test_a_transaction_that_the_server_aborts_can_be_repeated(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server aborts a transaction that takes too long; the worker continues."""
    with monkeypatch.context() as shorter:
        shorter.setattr(postgres_session, "FROZEN_SECONDS", 1)
        slow = Store(postgres_url, Registry([PLACE_ORDER]), 4)

    def freeze() -> None:
        with slow.db.transaction() as cursor:
            cursor.execute("SELECT pg_sleep(60)")
            cursor.fetchall()

    with pytest.raises(StoreUnavailableError):
        freeze()
    assert {0: 1} == slow.claim([TOPIC], [0]).epochs
