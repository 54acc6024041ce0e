"""Adapts the tables of an app's entities to their classes, which may have changed.

A new field with a default becomes a column with that default. Any other change needs a decision, so
it is refused with an error that says what to do.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import attrs
import msgspec
import sqlalchemy as sa

from order_sagas.actors.entities import ENTITIES, Entity
from order_sagas.bridges.errors import EntityTableError
from order_sagas.bridges.storage.connection import Connection
from order_sagas.bridges.storage.ddl import dialect_of
from order_sagas.bridges.storage.migrations.migration import Ask, Target

_COLUMNS = {
    "sqlite": (
        'SELECT m.name, c.name, c.type, c."notnull" AND c.dflt_value IS NULL '
        "FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'"
    ),
    "postgresql": (
        "SELECT table_name, column_name, data_type, is_nullable = 'NO' AND column_default IS NULL "
        "FROM information_schema.columns WHERE table_schema = current_schema()"
    ),
}
_KINDS = {
    "BIGINT": "whole number",
    "INTEGER": "whole number",
    "FLOAT": "number",
    "DOUBLE PRECISION": "number",
    "TEXT": "text",
}
"""What columns hold, by the first words of their types in either database."""


@attrs.frozen
class _Column:
    kind: str
    needed: bool
    """True if a row cannot be written without a value for it."""


def fit_entity_tables(
    db: Connection,
    metadata: sa.MetaData,
    changing: Callable[[], AbstractContextManager[Target]],
) -> None:
    """Add missing columns to the tables of entities that are not of the order business.

    `changing` begins a transaction that changes the schema. Nothing is written, and no lock is
    taken, if there is nothing to add. Raises EntityTableError if a table does not fit.
    """
    own = [
        table
        for table in metadata.tables.values()
        if table.info.get("entity") not in (None, *ENTITIES)
    ]
    if not own:
        return

    def ask(sql: str) -> Iterator[Sequence[Any]]:
        return db.rows(sql, ())

    if not list(_missing(own, db.dialect, ask)):
        return
    with changing() as target:  # and check again: another process may have been faster
        for statement in list(_missing(own, db.dialect, target.ask)):
            target.cursor.execute(statement)


def _missing(tables: Iterable[sa.Table], dialect: str, ask: Ask) -> Iterator[str]:
    """Yield a statement for each missing column; tables that do not exist yet are left out."""
    stored: dict[str, dict[str, _Column]] = defaultdict(dict)
    for table, name, kind, needed in ask(_COLUMNS[dialect]):
        stored[table][name] = _Column(_kind_of(kind), bool(needed))
    compiled = dialect_of(dialect)
    for table in tables:
        if table.name in stored:
            yield from _missing_of(table, stored[table.name], compiled)


def _missing_of(table: sa.Table, stored: dict[str, _Column], dialect: sa.Dialect) -> Iterator[str]:
    entity: type[Entity] = table.info["entity"]
    where = f"the table {table.name!r} of {entity.__name__}"
    quote = dialect.identifier_preparer.quote
    defaults = _defaults(entity)
    for column in table.columns:
        kind = column.type.compile(dialect)
        known = stored.get(column.name)
        if known is None:
            if column.primary_key:
                raise EntityTableError(
                    f"{where} lacks the column {column.name!r} of its key: a key can't be changed; "
                    "give the entity another table"
                )
            if column.name not in defaults:
                raise EntityTableError(
                    f"{where} lacks the column {column.name!r}: give the field a default, or "
                    f"migrate the table: ALTER TABLE {table.name} ADD COLUMN {column.name} {kind} "
                    "NOT NULL, with a value for each row"
                )
            yield (
                f"ALTER TABLE {quote(table.name)} ADD COLUMN {quote(column.name)} {kind} "
                f"NOT NULL DEFAULT {_literal(defaults[column.name], _kind_of(kind))}"
            )
        elif known.kind != _kind_of(kind):
            raise EntityTableError(
                f"{where} has {column.name!r} as a {known.kind}, and the field is a "
                f"{_kind_of(kind)}: give the field another name, or migrate the table"
            )
    for name, known in stored.items():
        if name not in table.columns and known.needed:
            raise EntityTableError(
                f"{where} has a column {name!r} that the class lacks, and rows need a value for "
                f"it: keep the field, or migrate the table: ALTER TABLE {table.name} "
                f"DROP COLUMN {name}, or RENAME COLUMN {name} TO its new name"
            )


def _kind_of(kind: str) -> str:
    plain = kind.upper().partition("(")[0].strip()
    return _KINDS.get(plain, plain.lower())


def _defaults(entity: type[Entity]) -> dict[str, Any]:
    """Return the default of each field that has one."""
    found: dict[str, Any] = {}
    for field in msgspec.structs.fields(entity):
        if field.default_factory is not msgspec.NODEFAULT:
            found[field.name] = field.default_factory()
        elif field.default is not msgspec.NODEFAULT:
            found[field.name] = field.default
    return found


def _literal(value: Any, kind: str) -> str:
    """Return a default as SQL: text that is no `str` is stored as JSON, as `rows` writes it."""
    if kind != "text":
        return repr(value)
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return "'" + text.replace("'", "''") + "'"
