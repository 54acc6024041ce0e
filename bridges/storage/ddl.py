"""Generates SQL that creates tables and indexes from their definitions, for both databases."""

from collections.abc import Collection, Iterable

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex, CreateTable


def dialect_of(name: str) -> sa.Dialect:
    """Return SQLAlchemy's dialect of "sqlite" or "postgresql"; only that one is loaded.

    Loading the dialect of PostgreSQL takes longer than a command on SQLite.
    """
    if name == "postgresql":
        from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

        return PGDialect_psycopg()  # type: ignore[no-untyped-call]
    from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

    return SQLiteDialect_pysqlite()


def create_table(table: sa.Table, dialect: sa.Dialect) -> list[str]:
    """Return CREATE TABLE, and CREATE INDEX for each index, sorted by name."""
    made = str(CreateTable(table, if_not_exists=True).compile(dialect=dialect))
    indexes = sorted(table.indexes, key=lambda index: str(index.name))
    return [made.strip(), *(create_index(index, dialect) for index in indexes)]


def create_index(index: sa.Index, dialect: sa.Dialect) -> str:
    """Return CREATE INDEX, with the condition of a partial index."""
    if dialect.name == "postgresql":
        index.dialect_options["postgresql"]["where"] = index.info.get("where")
    return str(CreateIndex(index, if_not_exists=True).compile(dialect=dialect))


def missing(tables: Iterable[sa.Table], known: Collection[str]) -> list[sa.Table]:
    """Return the tables whose name, or the name of one of whose indexes, is not in `known`."""
    return [
        table
        for table in tables
        if table.name not in known or any(index.name not in known for index in table.indexes)
    ]


def complete(
    tables: Iterable[sa.Table], columns: dict[str, set[str]], dialect: sa.Dialect
) -> list[str]:
    """Return the statements that create what is missing of these tables.

    `columns` are the existing columns of each table. An added column is NULL in existing rows,
    whatever its definition says.
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
