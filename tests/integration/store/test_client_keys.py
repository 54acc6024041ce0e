"""Idempotency keys on SQLite and PostgreSQL: a migration dates them, old ones are deleted."""

from pathlib import Path

import pytest

from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.sagas.registry import Registry
from order_sagas.bridges.storage.idempotency_key_retention import CHUNK, KeyRound
from order_sagas.bridges.storage.store import Store

FORMER = (
    "DROP TABLE idempotency_keys",
    "CREATE TABLE idempotency_keys (key TEXT NOT NULL PRIMARY KEY, order_id TEXT NOT NULL)",
    "INSERT INTO idempotency_keys VALUES ('former', 'o')",
    "DROP INDEX log_letters",
)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'orders.db'}"
    return str(request.getfixturevalue("postgres_url"))


def open_store(database: str) -> Store:
    """Open the store as a worker does."""
    return Store(database, Registry([PLACE_ORDER]), 4)


def forget(store: Store, before: float, now: float) -> int:
    """Delete old keys in a whole round; return their number."""
    forgetting = KeyRound(store, before, now)
    while not forgetting.done:
        forgetting.step()
    return forgetting.keys


def test_keys_of_a_former_database_are_dated_and_deleted_later(database: str) -> None:
    """Some time after they were first seen; those with a date, by their date."""
    store = open_store(database)
    with store.db.transaction() as cursor:
        for statement in FORMER:
            cursor.execute(statement)
    store.close()
    store = open_store(database)
    mark = store.db.placeholder
    with store.db.transaction() as cursor:
        cursor.executemany(
            f"INSERT INTO idempotency_keys (key, order_id, used_at) VALUES ({mark}, 'o', {mark})",
            [(f"k-{n}", float(n)) for n in range(2 * CHUNK)],
        )
    first = forget(store, before=2 * CHUNK - 1.0, now=9999.0)
    left = sorted(store.db.rows("SELECT key, used_at FROM idempotency_keys", ()))
    second = forget(store, before=10_000.0, now=20_000.0)
    store.close()

    assert 2 * CHUNK - 1 == first
    assert [("former", 9999.0), (f"k-{2 * CHUNK - 1}", 2 * CHUNK - 1.0)] == left
    assert 2 == second
