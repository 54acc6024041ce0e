"""Prepares a database for use: creates it, migrates it, or refuses it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import attrs
import sqlalchemy as sa

from order_sagas.bridges.errors import NewerDatabaseError, OldDatabaseError, StoreError
from order_sagas.bridges.storage.connection import Connection
from order_sagas.bridges.storage.ddl import complete, dialect_of, missing
from order_sagas.bridges.storage.entity_tables import fit_entity_tables
from order_sagas.bridges.storage.migrations import FIRST, MIGRATIONS, NEWEST
from order_sagas.bridges.storage.migrations.migration import Ask, Migration, Target

EMPTY = 0
"""The version of a database without tables of order-sagas."""
READ_VERSION = "SELECT value FROM meta WHERE name = 'schema'"


@attrs.frozen
class PlannedStep:
    """A step of a migration that would run."""

    statements: list[str]
    """SQL statements, or a sentence if the step is no SQL."""
    rows: int | None
    """Number of rows that it changes; None if it changes or counts none."""


@attrs.frozen
class PlannedMigration:
    """A migration that would run."""

    migration: Migration
    steps: list[PlannedStep]


def version_of(db: Connection) -> int:
    """Return the schema version of a database; EMPTY if it has no tables of order-sagas."""
    return _version(db.names(), lambda sql: db.rows(sql, ()))


def _version(names: set[str], ask: Ask) -> int:
    if "order_keys" not in names:
        return EMPTY
    if "meta" not in names:
        return FIRST
    for (value,) in ask(READ_VERSION):
        return as_version(value)
    return FIRST


def as_version(text: str) -> int:
    """Return the stored version as a number. Raises StoreError if it is none."""
    try:
        return int(text)
    except ValueError:
        raise StoreError(f"the schema version of the database, {text!r}, is no number") from None


def check_version(version: int) -> None:
    """Raise OldDatabaseError or NewerDatabaseError unless it is the version of this program."""
    if version > NEWEST:
        raise NewerDatabaseError(
            f"the database has schema version {version}, and this program knows versions up to "
            f"{NEWEST}: use the version of order-sagas that the database was last used with, or "
            "restore the backup that was made before"
        )
    if version < NEWEST:
        raise OldDatabaseError(
            f"the database has schema version {version}, and this program needs {NEWEST}: stop all "
            "that uses it, make a backup, and run `database migrate` (or `start`, which migrates "
            "it first)"
        )


def prepare(db: Connection, metadata: sa.MetaData, *, migrating: bool = False) -> None:
    """Create all missing tables of `metadata`, and check that the version is the newest.

    A database of a former version is migrated if `migrating`. The tables of an app's own entities
    are fitted to their classes. Raises OldDatabaseError, NewerDatabaseError, EntityTableError, and
    StoreError if the database cannot be used.
    Nothing is written, and no lock is taken, if there is nothing to do.
    """
    names = db.names()
    version = _version(names, lambda sql: db.rows(sql, ()))
    if version == EMPTY or (version < NEWEST and migrating):
        if version == EMPTY:
            _make(db, metadata)
        version = migrate(db) if migrating else version_of(db)
        names = db.names()
    check_version(version)
    fit_entity_tables(db, metadata, lambda: _changing(db))
    if missing(metadata.tables.values(), names):
        _complete(db, metadata)


def migrate(db: Connection, on_begin: Callable[[Migration], None] | None = None) -> int:
    """Run the migrations that the database lacks, in order; return its version afterwards.

    Each is one transaction. Of several processes that migrate at once, each migration is run by
    one, and the others wait. If the process dies, the database is at the version of the last
    migration that was committed, and the next call goes on. `on_begin` is called before each one.
    Raises NewerDatabaseError, and StoreError if the database cannot be used.
    """
    version = version_of(db)
    while EMPTY < version < NEWEST:
        with _changing(db) as target:
            version = _version(db.names(), target.ask)
            migration = next((each for each in MIGRATIONS if each.version > version), None)
            if migration is None:
                break  # another process was faster
            if on_begin:
                on_begin(migration)
            for step in migration.steps:
                step.run(target)
            target.cursor.execute("DELETE FROM meta WHERE name = 'schema'")
            target.cursor.execute(
                f"INSERT INTO meta (name, value) VALUES ('schema', '{migration.version}')"
            )
            version = migration.version
    if version > NEWEST:
        check_version(version)
    return version


def plan(db: Connection) -> list[PlannedMigration]:
    """Return what `migrate` would run, without a write. Raises NewerDatabaseError."""
    version = version_of(db)
    if version > NEWEST:
        check_version(version)

    def ask(sql: str) -> Iterator[Sequence[object]]:
        return db.rows(sql, ())

    return [
        PlannedMigration(
            migration,
            [
                PlannedStep(statements, _count(step.count, ask))
                for step in migration.steps
                if (statements := step.describe(db.dialect, ask))
            ],
        )
        for migration in MIGRATIONS
        if EMPTY < version < migration.version
    ]


def _count(count: Callable[[Ask], int | None], ask: Ask) -> int | None:
    try:
        return count(ask)
    except StoreError:
        return None  # it counts rows of a table that an earlier step creates


@contextmanager
def _changing(db: Connection) -> Iterator[Target]:
    with db.changing_schema() as cursor:
        yield Target(cursor, db.dialect, db.placeholder)


def _make(db: Connection, metadata: sa.MetaData) -> None:
    with _changing(db) as target:
        if "order_keys" in db.names():
            return
        for statement in complete(metadata.sorted_tables, {}, dialect_of(db.dialect)):
            target.cursor.execute(statement)
        target.cursor.execute(f"INSERT INTO meta (name, value) VALUES ('schema', '{NEWEST}')")


def _complete(db: Connection, metadata: sa.MetaData) -> None:
    """Create tables of new entity classes, and indexes that were dropped."""
    with _changing(db) as target:
        tables = missing(metadata.sorted_tables, db.names())
        for statement in complete(tables, db.columns(), dialect_of(db.dialect)):
            target.cursor.execute(statement)
