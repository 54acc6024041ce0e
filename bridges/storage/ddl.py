"""The SQL that makes tables and indexes, from their definitions, for either database."""

from collections.abc import Collection, Iterable

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex, CreateTable


def dialect_of(name: str) -> sa.Dialect:
    """SQLAlchemy's dialect of "sqlite" or "postgresql"; only the one that is asked for is loaded.

    To load all that SQLAlchemy knows of PostgreSQL takes longer than a command on SQLite.
    """
    if name == "postgresql":
        from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

        return PGDialect_psycopg()  # type: ignore[no-untyped-call]
    from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

    return SQLiteDialect_pysqlite()


def create_table(table: sa.Table, dialect: sa.Dialect) -> list[str]:
    """CREATE TABLE, and CREATE INDEX for each of its indexes, sorted by name."""
    made = str(CreateTable(table, if_not_exists=True).compile(dialect=dialect))
    indexes = sorted(table.indexes, key=lambda index: str(index.name))
    return [made.strip(), *(create_index(index, dialect) for index in indexes)]


def create_index(index: sa.Index, dialect: sa.Dialect) -> str:
    """CREATE INDEX, with the condition of a partial one."""
    if dialect.name == "postgresql":
        index.dialect_options["postgresql"]["where"] = index.info.get("where")
    return str(CreateIndex(index, if_not_exists=True).compile(dialect=dialect))


def missing(tables: Iterable[sa.Table], known: Collection[str]) -> list[sa.Table]:
    """The tables that are not known by name, or have an index that is not."""
    return [
        table
        for table in tables
        if table.name not in known or any(index.name not in known for index in table.indexes)
    ]


def complete(
    tables: Iterable[sa.Table], columns: dict[str, set[str]], dialect: sa.Dialect
) -> list[str]:
    """What makes these tables whole, where the database has `columns`, by table.

    A column that is added to a table with rows is empty in them, whatever its definition says.
    """
    statements: list[str] = []
    quote = dialect.identifier_preparer.quote
    for table in tables:
        known = columns.get(table.name)
        if known is None:
            statements += create_table(table, dialect)
            continue
        statements += [
            f"ALTER TABLE {quote(table.name)} ADD COLUMN {quote(column.name)} "
            f"{column.type.compile(dialect)}"
            for column in table.columns
            if column.name not in known
        ]
        statements += [create_index(index, dialect) for index in table.indexes]
    return statements
