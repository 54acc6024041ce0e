"""Migrations of databases written by former versions, on SQLite and on PostgreSQL."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from examples.returns import RETURN_GOODS, Desk, Shelf, Till
from order_sagas.actors.entities import Order
from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.sagas.registry import Registry
from order_sagas.bridges.errors import NewerDatabaseError, OldDatabaseError, StoreError
from order_sagas.bridges.intake.intake import Intake, Verdict
from order_sagas.bridges.logs.embedded import EmbeddedLog
from order_sagas.bridges.operations import PauseOperations, pauses_that_last
from order_sagas.bridges.operations.dead_letters import DeadLetterOperations
from order_sagas.bridges.storage import keywords, queries
from order_sagas.bridges.storage.connection import Connection, connect
from order_sagas.bridges.storage.deferred import INTAKE
from order_sagas.bridges.storage.migrations import FIRST, MIGRATIONS, NEWEST, version_14
from order_sagas.bridges.storage.preparation import migrate, plan, version_of
from order_sagas.bridges.storage.reading import reading
from order_sagas.bridges.storage.search import Search, search_orders
from order_sagas.bridges.storage.store import Store
from order_sagas.system.bootstrap import open_store
from order_sagas.system.order_app import APP
from order_sagas.system.settings import Settings
from tests.support.embedded import EmbeddedSystem, an_order
from tests.support.golden import B53E8B7_ENDED, restore

ROOT = Path(__file__).parents[3]
DAY = 86400.0
PARTITIONS = 4
NAMES = ("orders", "payments", "stock", "notifications", "till", "shelf", "desk", INTAKE)
EVERYTHING = {
    "orders": ((PLACE_ORDER,), APP.services),
    "own": ((PLACE_ORDER, RETURN_GOODS), (*APP.services, Till, Shelf, Desk)),
}
"""The sagas and services of each database."""
COMPLETED = (
    "kept", "kept-2", "kept-3", "kept-4", "held", "stock-sent", "stock-backoff", "parked-stock",
    "parked-1", "parked-2", "waiting-1", "waiting-2", "pay-backoff", "pay-sent", "pay-pending",
    "new",
)  # fmt: skip
CANCELLED = (
    "refund-silent-stuck", "refund-silent-backoff", "refund-silent-sent", "refund-slow",
    "pay-cancelled", "parked-mail",
)  # fmt: skip
ENDS = dict.fromkeys(COMPLETED, "COMPLETED") | dict.fromkeys(CANCELLED, "CANCELLED")
"""The final status of each order's saga, once every service answers."""
KAFKA: dict[str, Any] = {"kafka": "nobody.invalid:9092", "partitions": PARTITIONS}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'orders.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def former(database: str) -> str:
    """A database of version 1, with the sagas of orders."""
    restore("orders", database)
    return database


@contextlib.contextmanager
def connected(database: str) -> Iterator[Connection]:
    """Open a connection of a worker."""
    db = connect(database)
    try:
        yield db
    finally:
        db.close()


def migrated(database: str) -> list[int]:
    """Migrate it; return the versions that were applied."""
    made: list[int] = []
    with connected(database) as db:
        migrate(db, lambda migration: made.append(migration.version))
    return made


def content(database: str) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table."""
    with connected(database) as db:
        return {
            table: sorted((tuple(row) for row in db.rows(f"SELECT * FROM {table}", ())), key=repr)
            for table in sorted(db.columns())
            if not table.startswith("sqlite_") and table in db.names()
        }


def paused(database: str) -> dict[str, int]:
    """The number of deferred messages, by paused service."""
    with reading(database) as db:
        return {pause.name: pause.kept for pause in pauses_that_last(db)}


def outcomes(database: str) -> dict[str, str]:
    """The status of each order's saga."""
    with reading(database) as db:
        return {row["order_id"]: row["saga_status"] for row in queries.orders(db)}


@pytest.mark.parametrize("name", EVERYTHING)
def test_sagas_in_flight_reach_their_end(name, database, tmp_path) -> None:
    """In every state of a step; pauses and deferred messages are kept."""
    restore(name, database)
    versions = migrated(database)
    sagas, services = EVERYTHING[name]
    pauses = paused(database)
    with EmbeddedSystem(
        tmp_path, database=database, sagas=sagas, services=services, began=B53E8B7_ENDED
    ) as system:
        system.advance(DAY)
        while_paused = system.history("parked-stock")
        operations = PauseOperations(system.log, NAMES, system.clock)
        for each in pauses:
            operations.unpause(each, "ada")
            system.run()
        system.put(an_order("new"))
        system.advance(DAY)
        returned = [system.status(each, "return-goods") for each in ("kept-2", "kept-3", "kept-4")]
        violations = system.violations(ended=True)

    assert [*range(FIRST + 1, NEWEST + 1)] == versions
    assert {"stock": 1, "notifications": 1, INTAKE: 4} == {
        each: pauses[each] for each in ("stock", "notifications", INTAKE)
    }
    assert ["started", "step_completed process payment"] == while_paused
    assert ENDS == outcomes(database)
    assert [] == violations
    if name == "own":
        assert ["COMPLETED", "CANCELLED", "CANCELLED"] == returned


def test_pruned_orders_and_used_keys_are_known(former) -> None:
    """They are recognised when they are submitted again."""
    migrated(former)
    with EmbeddedLog(former, PARTITIONS) as log:
        verdicts = Intake(log).take(
            [an_order("done-1"), an_order("kept"), an_order("other"), an_order("waiting-1")],
            ["key-1", "", "key-kept", ""],
        )
    with reading(former) as db:
        pruned, kept = queries.order(db, "done-1"), queries.order(db, "kept")

    assert [Verdict.DUPLICATE, Verdict.DUPLICATE, Verdict.KEY_REUSED, Verdict.DUPLICATE] == verdicts
    assert pruned
    assert kept
    assert "COMPLETED" == pruned["pruned"]["status"]
    assert [("saga.started", ""), ("saga.step_completed", "process payment")] == [
        (entry.event, entry.step) for _, progress in kept["sagas"] for entry in progress.history[:2]
    ]


def test_every_order_is_found_by_its_skus(former, monkeypatch: pytest.MonkeyPatch) -> None:
    """The index of SKUs has those of the orders that were stored before there was one."""
    monkeypatch.setattr(version_14, "BLOCK", 3)
    monkeypatch.setattr(version_14, "CHUNK", 2)
    monkeypatch.setattr(keywords, "BLOCK", 3)
    migrated(former)
    with contextlib.closing(Store(former, Registry(()), PARTITIONS)) as store:
        orders = [each for each in store.all_of(Order) if isinstance(each, Order)]
    skus = {line.sku for order in orders for line in order.lines}
    found = {}
    with reading(former) as db:
        for sku in skus:
            found[sku] = {row["order_id"] for row in search_orders(db, Search(sku=sku), 99).rows}

    assert len(skus) > 1
    assert {
        sku: {each.order_id for each in orders if sku in {line.sku for line in each.lines}}
        for sku in skus
    } == found


def test_dead_letters_can_be_read_and_replayed(former, tmp_path) -> None:
    """With the actions on them so far."""
    migrated(former)
    with EmbeddedSystem(tmp_path, database=former, began=B53E8B7_ENDED) as system:
        letters = DeadLetterOperations(system.log, system.clock)
        before = [letter.mark and letter.mark.action for letter in letters.all()]
        untouched = [letter for letter in letters.all() if not letter.mark]
        letters.replay([untouched[0].number], "bob")
        system.run()
        after = [letter.mark and letter.mark.action for letter in letters.all()]

    assert ["replayed", "discarded", None, None] == before
    assert b"\x00\xff" == dict(untouched[0].headers)["trace"]
    assert ["replayed", "discarded", "replayed", None, None] == after


def test_unpublished_records_stay_in_the_outbox(former) -> None:
    """Records of a worker, and records of a submitter."""
    migrated(former)
    with contextlib.closing(Store(former, Registry(()), PARTITIONS)) as store:
        of_worker = store.outbox.unpublished([*range(PARTITIONS)])
        of_submitter = store.outbox.submitted([*range(PARTITIONS)], 10)

    assert ["stock-events", "stock-events"] == [record.topic for _, record in of_worker]
    assert [(b"outbox-1", (("a", b"\xff"),))] == [(r.key, r.headers) for _, r in of_submitter]


@pytest.mark.parametrize("name", EVERYTHING)
def test_a_migrated_database_has_the_schema_of_a_new_one(name, database) -> None:
    """The same columns of the same types, and the same indexes."""
    restore(name, database)
    migrated(database)
    sagas, services = EVERYTHING[name]
    settings, registry = Settings(database=database, **KAFKA), Registry(sagas)
    open_store(settings, registry, services).close()  # a service that was added adds its table
    migrated_schema = schema(database)
    with connected(database) as db, db.transaction() as cursor:
        for table in db.columns():
            if table in db.names() and not table.startswith("sqlite_"):
                cursor.execute(f"DROP TABLE {table}")
    open_store(settings, registry, services).close()

    assert schema(database) == migrated_schema


def schema(database: str) -> dict[str, object]:
    """Each column and each index, from the database's catalogue."""
    with connected(database) as db:
        if db.dialect == "sqlite":
            columns = db.rows(
                'SELECT m.name, c.name, c.type, c."notnull", c.dflt_value, c.pk FROM sqlite_master '
                "m JOIN pragma_table_info(m.name) c WHERE m.name NOT LIKE 'sqlite_%'",
                (),
            )
            indexes = db.rows("SELECT name, sql FROM sqlite_master WHERE type = 'index'", ())
        else:
            columns = db.rows(
                "SELECT table_name, column_name, data_type, is_nullable, column_default, "
                "is_identity, collation_name FROM information_schema.columns "
                "WHERE table_schema = current_schema()",
                (),
            )
            indexes = db.rows(
                "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()", ()
            )
        made = {name: " ".join((sql or "").split()) for name, sql in indexes}
        return {
            "columns": sorted(tuple(row) for row in columns),
            "indexes": {name: sql.replace("IF NOT EXISTS ", "") for name, sql in made.items()},
        }


def test_a_dry_run_lists_the_statements_and_changes_nothing(former) -> None:
    """With the number of rows that each statement would change."""
    before = content(former)
    with connected(former) as db:
        planned = plan(db)

    assert before == content(former)
    assert [*range(FIRST + 1, NEWEST + 1)] == [each.migration.version for each in planned]
    steps = {step.statements[0]: step.rows for each in planned for step in each.steps}
    assert "ALTER TABLE sagas RENAME COLUMN progress TO state" in steps
    assert [17] == [rows for says, rows in steps.items() if says.startswith("Rewrite")]
    assert [4] == [rows for says, rows in steps.items() if says.startswith("INSERT INTO submitted")]


def test_a_database_without_a_version_is_completed(former) -> None:
    """It lacks the dates of keys, the index of dead letters, pruning and pauses."""
    with connected(former) as db, db.transaction() as cursor:
        for statement in (
            "DROP TABLE idempotency_keys", "DROP INDEX log_letters", "DROP INDEX log_left",
            "CREATE TABLE idempotency_keys (key TEXT PRIMARY KEY, order_id TEXT NOT NULL)",
            "INSERT INTO idempotency_keys VALUES ('k', 'kept')",
            "DROP TABLE pauses", "DROP TABLE parked", "DROP TABLE pruned_goods",
            "DELETE FROM meta WHERE name = 'schema'",
        ):  # fmt: skip
            cursor.execute(statement)
    with connected(former) as db:
        told = [line for step in plan(db)[0].steps for line in step.statements]
        migrate(db)
        (key,) = db.rows("SELECT key, order_id, used_at FROM idempotency_keys", ())
        names = db.names()

    assert ("k", "kept", None) == key
    assert 7 <= len([line for line in told if line.startswith(("CREATE", "ALTER TABLE idemp"))])
    assert {"log_letters", "log_left", "pauses", "parked", "pruned_goods"} <= names


def test_a_database_of_another_version_is_refused(former) -> None:
    """An older one by processes that do not migrate, a newer one by all; neither is changed."""
    before = content(former)
    with pytest.raises(OldDatabaseError, match=f"version 1, .* needs {NEWEST}: .*database migrate"):
        Store(former, Registry(()), PARTITIONS)
    with pytest.raises(OldDatabaseError, match="version 1"), reading(former):
        pass
    assert before == content(former)

    migrated(former)
    with connected(former) as db, db.transaction() as cursor:
        cursor.execute("UPDATE meta SET value = '99' WHERE name = 'schema'")
    newer = f"version 99, .* versions up to {NEWEST}: "
    with pytest.raises(NewerDatabaseError, match=newer):
        Store(former, Registry(()), PARTITIONS, migrating=True)
    with pytest.raises(NewerDatabaseError, match=newer), reading(former):
        pass


def test_a_worker_of_the_former_version_fails_after_the_migration(former) -> None:
    """It uses a column that no longer exists, and its error says so."""
    migrated(former)
    with connected(former) as db, pytest.raises(StoreError, match="progress"):
        next(db.rows("SELECT progress, saga, version FROM sagas", ()), None)


MIGRATE = """
import sys
from order_sagas.bridges.storage.connection import connect
from order_sagas.bridges.storage.preparation import migrate

db = connect(sys.argv[1])
sys.stdin.read(1)
migrate(db, lambda migration: print(migration.version, flush=True))
"""


def test_two_processes_that_migrate_at_once_run_each_migration_once(former) -> None:
    """One waits for the other, and finds the migration done."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", MIGRATE, former], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]  # fmt: skip
    for process in processes:
        assert process.stdin
        process.stdin.write("x")
        process.stdin.flush()
    said = [process.communicate(timeout=60) for process in processes]

    assert [0, 0] == [process.returncode for process in processes], said
    versions = sorted(int(line) for out, _ in said for line in out.split())
    assert [*range(FIRST + 1, NEWEST + 1)] == versions


INTERRUPTED = """
import os, signal, sys
import attrs
from order_sagas.bridges.storage import preparation
from order_sagas.bridges.storage.connection import connect
from order_sagas.bridges.storage.migrations import MIGRATIONS

class Die:
    def describe(self, dialect, ask): return ["die"]
    def count(self, ask): return None
    def run(self, target): os.kill(os.getpid(), signal.SIGKILL)

first, second, *rest = MIGRATIONS
killed = attrs.evolve(second, steps=(*second.steps[:-1], Die()))
preparation.MIGRATIONS = (first, killed, *rest)
preparation.migrate(connect(sys.argv[1]))
"""


def test_an_interrupted_migration_is_continued_by_the_next_run(former) -> None:
    """Killed in the middle of the second migration: the first is stored, the second is not."""
    done = subprocess.run([sys.executable, "-c", INTERRUPTED, former], cwd=ROOT, timeout=60)
    with connected(former) as db:
        version, names = version_of(db), db.names()
        (state,) = db.rows("SELECT state FROM sagas WHERE order_id = 'held'", ())
    versions = migrated(former)

    assert -signal.SIGKILL == done.returncode
    assert (2, False) == (version, "submitted" in names)
    assert state[0].startswith('{"format":2,')
    assert [*range(3, NEWEST + 1)] == versions
    Store(former, Registry([PLACE_ORDER]), PARTITIONS).close()


def test_a_saga_that_cannot_be_read_stops_the_migration(former) -> None:
    """The error names the saga, and the database is not changed."""
    with connected(former) as db, db.transaction() as cursor:
        cursor.execute("UPDATE sagas SET progress = '[1]' WHERE order_id = 'held'")
    before = content(former)
    with pytest.raises(StoreError, match="saga 'place-order' of the order numbered 20 cannot be"):
        migrated(former)

    assert before == content(former)


def test_versions_are_counted_without_gaps() -> None:
    """From the first, by one."""
    assert [*range(FIRST + 1, NEWEST + 1)] == [each.version for each in MIGRATIONS]
