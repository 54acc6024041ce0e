"""Databases that were made before the schema had all that it has now."""

from collections.abc import Collection

import sqlalchemy as sa

from bridges.store.upgrade_roles import give_roles_their_offsets


def lacking(metadata: sa.MetaData, indexes: Collection[str]) -> list[sa.Table]:
    """The tables with an index that is not among these, which a database has.

    That is all that is looked at, since every start does: a column that is added to a table comes
    with an index of its own, or is not missed.
    """
    return [
        table
        for table in metadata.tables.values()
        if any(index.name not in indexes for index in table.indexes)
    ]


def upgrade(connection: sa.Connection, tables: Collection[sa.Table]) -> None:
    """Add the columns and the indexes that these tables lack; such columns may be empty.

    An index takes a while where there are millions of rows, and whoever writes waits for it: once.
    """
    inspector = sa.inspect(connection)
    quote = connection.dialect.identifier_preparer.quote
    for table in tables:
        known = {column["name"] for column in inspector.get_columns(table.name)}
        for column in table.columns:
            if column.name not in known:
                kind = column.type.compile(connection.dialect)
                connection.exec_driver_sql(
                    f"ALTER TABLE {quote(table.name)} ADD COLUMN {quote(column.name)} {kind}"
                )
        for index in table.indexes:
            index.create(connection, checkfirst=True)
        if table.name == "log" and "role" not in known:
            give_roles_their_offsets(connection)
