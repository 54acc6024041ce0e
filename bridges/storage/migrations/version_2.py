"""Version 2: sagas are stored as objects with field names; before, as arrays of values.

The column is renamed, so that a running process of a former version fails at its next statement,
and cannot write states of the former format.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from order_sagas.bridges.errors import StoreError
from order_sagas.bridges.storage.migrations.migration import (
    Complete,
    Migration,
    Rewrite,
    Sql,
    Target,
)

CHUNK = 1000
"""Maximum number of sagas in memory."""

FORMER = Complete(
    (
        (
            "table",
            "meta",
            "CREATE TABLE meta (name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (name))",
        ),
        (
            "table",
            "idempotency_keys",
            "CREATE TABLE idempotency_keys (key TEXT NOT NULL, order_id TEXT NOT NULL, "
            "used_at {float}, PRIMARY KEY (key))",
        ),
        (
            "column",
            "idempotency_keys.used_at",
            "ALTER TABLE idempotency_keys ADD COLUMN used_at {float}",
        ),
        (
            "index",
            "idempotency_keys_by_age",
            "CREATE INDEX idempotency_keys_by_age ON idempotency_keys (used_at)",
        ),
        (
            "index",
            "log_letters",
            "CREATE INDEX log_letters ON log (position) WHERE topic = 'dead-letters'",
        ),
        ("index", "log_left", "CREATE INDEX log_left ON log (position) WHERE handled = 2"),
        (
            "table",
            "pruned",
            "CREATE TABLE pruned (no {integer} NOT NULL, status TEXT NOT NULL, "
            "code TEXT NOT NULL, ended_at {float} NOT NULL, pruned_at {float} NOT NULL, "
            "PRIMARY KEY (no))",
        ),
        (
            "table",
            "pruned_goods",
            "CREATE TABLE pruned_goods (warehouse TEXT NOT NULL, sku TEXT NOT NULL, "
            "quantity BIGINT NOT NULL, PRIMARY KEY (warehouse, sku))",
        ),
        (
            "table",
            "pauses",
            'CREATE TABLE pauses (id {identity} NOT NULL, name TEXT NOT NULL, "by" TEXT NOT NULL, '
            "why TEXT NOT NULL, since {float} NOT NULL, until {float}, ended_by TEXT, "
            "ended_why TEXT, PRIMARY KEY (id))",
        ),
        (
            "index",
            "pauses_that_last",
            "CREATE UNIQUE INDEX pauses_that_last ON pauses (name) WHERE until IS NULL",
        ),
        (
            "table",
            "parked",
            "CREATE TABLE parked (id {identity} NOT NULL, target TEXT NOT NULL, "
            "consumer TEXT NOT NULL, shard INTEGER NOT NULL, receiver TEXT NOT NULL, "
            "order_id TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL, "
            "position {integer} NOT NULL, key {bytes}, value {bytes}, headers {bytes}, "
            "at {float} NOT NULL, PRIMARY KEY (id))",
        ),
        ("index", "parked_for", "CREATE INDEX parked_for ON parked (target, consumer, id)"),
    )
)
"""What was added to databases of version 1 before versions were counted."""

_Fields = list[tuple[str, Any] | tuple[str, Any, Any]]

_STEP: _Fields = [
    ("phase", int, 0), ("attempt", int, 0), ("since", float, 0.0), ("deadline", float, 0.0),
]  # fmt: skip
_ENTRY: _Fields = [
    ("at", float), ("event", str), ("step", str, ""), ("attempt", int, 0), ("cause", str, ""),
    ("note", str, ""),
]  # fmt: skip


def _saga(step: Any, entry: Any) -> _Fields:
    return [
        ("saga_id", str), ("order_id", str), ("saga", str), ("version", int), ("status", int),
        ("stage", int), ("steps", tuple[step, ...]), ("start", msgspec.Raw), ("started_at", float),
        ("seq", int, 0), ("ended_at", float, 0.0), ("failed_step", str, ""), ("code", str, ""),
        ("reason", str, ""), ("history", tuple[entry, ...], ()),
    ]  # fmt: skip


_Step1 = msgspec.defstruct("_Step1", _STEP, array_like=True)
_Entry1 = msgspec.defstruct("_Entry1", _ENTRY, array_like=True)
_Saga1 = msgspec.defstruct("_Saga1", _saga(_Step1, _Entry1), array_like=True)
_Step2 = msgspec.defstruct("_Step2", _STEP, omit_defaults=True)
_Entry2 = msgspec.defstruct("_Entry2", _ENTRY, omit_defaults=True)
_Saga2 = msgspec.defstruct(
    "_Saga2", _saga(_Step2, _Entry2), omit_defaults=True, tag_field="format", tag=2
)
_read = msgspec.json.Decoder(_Saga1).decode
_write = msgspec.json.Encoder().encode


def by_name(state: str) -> str:
    """A saga in format 2, of one in format 1; raises msgspec.DecodeError for anything else."""
    saga: Any = _read(state)
    former = msgspec.structs.replace(
        saga,
        steps=tuple(_as(_Step2, step) for step in saga.steps),
        history=tuple(_as(_Entry2, entry) for entry in saga.history),
    )
    return _write(_as(_Saga2, former)).decode()


def _as(kind: Any, former: Any) -> Any:
    """The same fields. A default is left out if it is the very object, not only equal to it."""
    values = [getattr(former, name) for name in former.__struct_fields__]
    defaults = kind.__struct_defaults__
    required = len(values) - len(defaults)
    rest = zip(values[required:], defaults, strict=True)
    return kind(*values[:required], *[value or default for value, default in rest])


def _rewrite(target: Target) -> None:
    mark, cursor = target.placeholder, target.cursor
    after: tuple[int, str] = (-1, "")
    while True:
        cursor.execute(
            f"SELECT no, saga, state FROM sagas WHERE (no, saga) > ({mark}, {mark}) "
            f"ORDER BY no, saga LIMIT {CHUNK}",
            after,
        )
        rows = cursor.fetchall()
        if not rows:
            return
        cursor.executemany(
            f"UPDATE sagas SET state = {mark} WHERE no = {mark} AND saga = {mark}", _rows(rows)
        )
        after = rows[-1][:2]


def _rows(rows: Iterable[tuple[int, str, str]]) -> list[tuple[str, int, str]]:
    found = []
    for no, saga, state in rows:
        try:
            found.append((by_name(state), no, saga))
        except msgspec.MsgspecError as error:
            raise StoreError(
                f"saga {saga!r} of the order numbered {no} cannot be read, and the database stays "
                f"as it is: {error}"
            ) from error
    return found


VERSION_2 = Migration(
    2,
    "Sagas are stored by the names of their fields.",
    (
        FORMER,
        Sql("ALTER TABLE sagas RENAME COLUMN progress TO state"),
        Rewrite(
            "Rewrite `state` of every saga: an object with names and a format, not an array.",
            "SELECT count(*) FROM sagas",
            _rewrite,
        ),
    ),
)
