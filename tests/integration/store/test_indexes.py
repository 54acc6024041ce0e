"""Partial indexes contain only their few rows among millions, on SQLite and on PostgreSQL."""

import contextlib
import re

import pytest

from order_sagas.actors.entities import ENTITIES
from order_sagas.actors.sagas.registry import Registry
from order_sagas.bridges.storage.store import Store
from order_sagas.bridges.storage.table_names import OWN

INDEXES = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'index'",
    "postgresql": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
}


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_an_index_of_pending_rows_contains_no_others(kind, request, tmp_path):
    """Each index has its condition, which the two databases print in different forms."""
    url = f"sqlite:///{tmp_path / 'orders.db'}"
    if kind == "postgresql":
        url = request.getfixturevalue("postgres_url")
    with contextlib.closing(Store(url, Registry(()), 4)) as store, store.db.transaction() as cursor:
        cursor.execute("DROP INDEX log_left")  # as in a database that is older than the index
    with contextlib.closing(Store(url, Registry(()), 4)) as store:
        made = {name: sql for name, sql in store.db.rows(INDEXES[kind], ()) if sql}

    # Other tests of this process may have declared tables of their own apps.
    tables = OWN | {entity.table for entity in ENTITIES}
    conditions = {
        name: sql.partition(" WHERE ")[2]
        for name, sql in made.items()
        if tables.intersection(re.findall(r" ON (?:public\.)?(\w+)", sql))
    }
    on = {name: re.findall(r"\w+", text)[0] for name, text in conditions.items() if text}

    assert {
        "sagas_in_flight": "ended_at",
        "log_to_read": "handled",
        "log_left": "handled",
        "log_of_roles": "handled",
        "log_letters": "topic",
        "sagas_skipped": "skipped",
        "sagas_by_end": "ended_at",
        "sagas_by_code": "code",
        "sagas_failed": "code",
        "outbox_submitted": "consumer",
        "payments_pending": "status",
        "notifications_pending": "status",
        "pauses_that_last": "until",
    } == on
