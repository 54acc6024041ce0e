"""Readers write nothing, wait for no writer, and need only the right to read."""

import os
import shutil
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from order_sagas.actors.sagas.registry import Registry
from order_sagas.bridges.errors import StoreError
from order_sagas.bridges.http.api.read_model import ReadModel
from order_sagas.bridges.operations.dead_letters import DeadLetterReader
from order_sagas.bridges.storage import queries
from order_sagas.bridges.storage.reading import reading
from order_sagas.bridges.storage.store import Store
from order_sagas.system.log_client import EmbeddedAccess
from tests.support.embedded import EmbeddedSystem, an_order

NOBODY = 65534


@pytest.fixture
def system(tmp_path):
    """A system with an order that was completed, and with a dead letter."""
    with EmbeddedSystem(tmp_path) as system:
        system.load({"PEN": 10})
        system.put(an_order("o-1"))
        system.put_raw("payment-events", b"not JSON")
        yield system


def read_everything(database: str) -> tuple[object, ...]:
    """The queries that operators make."""
    with reading(database) as db:
        whole = queries.order(db, "o-1")
        asked = queries.orders(db), queries.stock(db), queries.saga_counts(db)
    assert whole
    return (whole["payment"]["status"], *map(len, asked))


def test_no_reader_waits_for_a_writer(system) -> None:
    """Lists, dead letters and HTTP; opening a database of the right version needs no write."""
    database = system.settings.database
    registry = system.parts.registry
    before = read_everything(database)
    with system.store.db.transaction() as cursor:
        cursor.execute("DELETE FROM orders")
        while_locked = read_everything(database)
        letters = DeadLetterReader(EmbeddedAccess(system.settings).letters()).all()
        http = ReadModel(database, registry)
        page, snapshot = http.orders((), 10, None), http.snapshot()
        http.close()
        Store(database, Registry(()), system.settings.partitions).close()
        raise_it = system.store.db.beside(cursor)
        raise_it.execute("ROLLBACK")
        raise_it.execute("BEGIN")

    assert before == while_locked
    assert ["o-1"] == [order.order_id for order in page.orders]
    assert {"COMPLETED": 1} == snapshot.orders
    assert [b"not JSON"] == [letter.value for letter in letters]


@pytest.mark.postgres
def test_a_reader_cannot_write_on_postgresql(postgres_url) -> None:
    """The server refuses it."""
    Store(postgres_url, Registry(()), 4).close()
    with pytest.raises(StoreError, match="read-only"), reading(postgres_url) as db:
        db.execute(sa.text("DELETE FROM orders"))


def test_a_reader_cannot_write(system) -> None:
    """SQLite refuses it."""
    with pytest.raises(StoreError, match="readonly"), reading(system.settings.database) as db:
        db.execute(sa.text("DELETE FROM orders"))


def test_a_database_on_a_read_only_disk_can_be_read(system) -> None:
    """A copy that no process has open, read by a user who may not write there."""
    expected = read_everything(system.settings.database)
    list(system.store.db.rows("PRAGMA wal_checkpoint(TRUNCATE)", ()))  # all is in the file
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "orders.db"
        shutil.copy(system.settings.database.removeprefix("sqlite:///"), copy)
        copy.chmod(0o444)
        copy.parent.chmod(0o555)
        found = as_nobody(lambda: read_everything(f"sqlite:///{copy}"))
        copy.parent.chmod(0o755)

    assert repr(expected) == found


def as_nobody(look: Callable[[], object]) -> str:
    """Call a function as the user `nobody` in a separate process; return its printed result."""
    answers, child_answers = os.pipe()
    if not (child := os.fork()):
        try:
            if os.getuid() == 0:
                os.setresuid(NOBODY, NOBODY, NOBODY)
            os.write(child_answers, repr(look()).encode())
        except BaseException:
            os.write(child_answers, traceback.format_exc().encode())
        finally:
            os._exit(0)
    os.close(child_answers)
    with os.fdopen(answers) as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return said
