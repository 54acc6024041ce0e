"""The SQL dialects of the audit: SQLite and PostgreSQL, through any kind of connection."""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import attrs
import sqlalchemy as sa

from order_sagas.bridges.storage.log_queues import HANDLED

Query = Callable[[str], Iterable[Sequence[Any]]]
"""Runs a query, and returns its rows."""

_ENDS = (b'{"status":"ORDER_COMPLETED"', b'{"status":"ORDER_CANCELLED"')
"""First bytes of the records that end an order. Comparing them is faster than parsing all records.
"""


def _once(event: str, step: str) -> str:
    """SQL that names an event that happens once in a saga; NULL for events that may be repeated."""
    return (
        f"CASE WHEN {event} IN ('saga.step_completed', 'saga.step_undone') "
        f"THEN {event} || ' ' || {step} "
        # A child that has completed may be undone by its parent, and then is cancelled, too.
        f"WHEN {event} IN ('saga.completed', 'saga.cancelled') THEN "
        f"CASE WHEN s.state LIKE '%\"saga.undo_asked\"%' THEN {event} ELSE 'end' END END"
    )


# A field that is left out has its default: the step is "" if an entry is about the whole saga.
_SQLITE_EVENT = "json_extract(h.value, '$.event')"
_SQLITE_STEP = "coalesce(json_extract(h.value, '$.step'), '')"
SQLITE = {
    "lines": "json_each(r.lines) line",
    "sku": "json_extract(line.value, '$.sku')",
    "quantity": "json_extract(line.value, '$.quantity')",
    "history": "json_each(s.state, '$.history') h",
    "event": _SQLITE_EVENT,
    "step": _SQLITE_STEP,
    "once": _once(_SQLITE_EVENT, _SQLITE_STEP),
    "last_event": "json_extract(s.state, '$.history[#-1].event')",
    "is_end": f"l.handled = {HANDLED} AND l.topic IN ('order-events', 'notification-events') "
    f"AND substr(l.value, 1, {len(_ENDS[0])}) IN (x'{_ENDS[0].hex()}', x'{_ENDS[1].hex()}')",
    "end": f"substr(l.value, 1, {len(_ENDS[0])})",
    "event_id": "json_extract(CAST(l.value AS TEXT), '$.eventId')",
}
"""The words in braces of the rules, for SQLite."""

_POSTGRES_EVENT = "(h.value->>'event')"
_POSTGRES_STEP = "coalesce(h.value->>'step', '')"
POSTGRES = {
    "lines": "jsonb_array_elements(r.lines::jsonb) AS line(value)",
    "sku": "(line.value->>'sku')",
    "quantity": "(line.value->>'quantity')::bigint",
    "history": "jsonb_array_elements(s.state::jsonb->'history') WITH ORDINALITY AS h(value, key)",
    "event": _POSTGRES_EVENT,
    "step": _POSTGRES_STEP,
    "once": _once(_POSTGRES_EVENT, _POSTGRES_STEP),
    "last_event": "(s.state::jsonb->'history'->-1->>'event')",
    "is_end": "false",  # the embedded log is a table of SQLite
    "end": "''",
    "event_id": "''",
}
"""The words in braces of the rules, for PostgreSQL."""


@attrs.frozen
class Ledger:
    """Runs the SQL of rules on a database."""

    query: Query
    words: dict[str, str]

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a rule's SQL."""
        return [tuple(row) for row in self.rows(sql)]

    def rows(self, sql: str) -> Iterable[Sequence[Any]]:
        """The same, read from the database a thousand at a time."""
        return self.query(sql.format_map(self.words))


def ledger_of(connection: sa.Connection | sqlite3.Connection) -> Ledger:
    """The ledger of a connection. It only reads."""
    if isinstance(connection, sqlite3.Connection):
        return Ledger(connection.execute, SQLITE)
    if connection.dialect.name == "postgresql":
        # psycopg treats `%` as a placeholder even if there are no parameters.
        return Ledger(lambda sql: _streamed(connection, sql.replace("%", "%%")), POSTGRES)
    return Ledger(lambda sql: _streamed(connection, sql), SQLITE)


def _streamed(connection: sa.Connection, sql: str) -> Iterable[Sequence[Any]]:
    """Run a query whose rows are not all in memory: of a bad database there may be a million."""
    options = {"stream_results": True, "yield_per": 1000}
    return connection.exec_driver_sql(sql, execution_options=options)
