"""Entities and sagas as rows, and the SQL that writes them, which is built once and cached."""

import typing
from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import Any

import msgspec
import sqlalchemy as sa

from order_sagas.actors.entities import Entity
from order_sagas.actors.sagas.places import rows_of as steps_of
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.sagas.state import CANCELLED, Phase, SagaState, Status, encode
from order_sagas.bridges.storage.schema import sagas, table_of

Row = tuple[Any, ...]

_json = msgspec.json.Encoder()
_STATUS = {int(status): status.name for status in Status}
_WAITING = frozenset(
    (
        Phase.SENT, Phase.BACKOFF, Phase.STUCK, Phase.ASKED,
        Phase.UNDO_SENT, Phase.UNDO_BACKOFF, Phase.UNDO_STUCK,
    )
)  # fmt: skip


@cache
def upsert(table: sa.Table, placeholder: str) -> str:
    """Return an INSERT that overwrites the row of the same key, with columns in table order."""
    names = [column.name for column in table.columns]
    keys = [column.name for column in table.primary_key]
    changes = ", ".join(f"{n}=excluded.{n}" for n in names if n not in keys)
    return (
        f"INSERT INTO {table.name} ({', '.join(names)}) "
        f"VALUES ({', '.join([placeholder] * len(names))}) "
        f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {changes}"
    )


@cache
def rows_of(entity: type[Entity], placeholder: str) -> "Rows":
    """Return the row mapping of an entity class; cached."""
    return Rows(entity, placeholder)


class Rows:
    """Mapping of one entity class to the rows of its table."""

    def __init__(self, entity: type[Entity], placeholder: str) -> None:
        self.table = table_of(entity)
        self.numbered = entity.key == ("order_id",)
        self.has_keywords = self.numbered and entity.keywords is not Entity.keywords
        self.upsert = upsert(self.table, placeholder)
        self.fields = entity.__struct_fields__
        self.select = f"SELECT {', '.join(self.fields)} FROM {self.table.name}"
        self._entity = entity
        getter = attrgetter(*self.fields)
        # With one name, attrgetter gives the bare value.
        self._getter: Callable[[Entity], Row] = (
            getter if len(self.fields) > 1 else lambda entity: (getter(entity),)
        )
        hints = typing.get_type_hints(entity)
        self._json = [
            (i, msgspec.json.Decoder(hints[name]))
            for i, name in enumerate(self.fields)
            if hints[name] not in (str, int, float)
        ]

    def row(self, entity: Entity) -> Row:
        """Return the fields as column values, in table order, without the number."""
        row = self._getter(entity)
        if not self._json:
            return row
        values = list(row)
        for i, _ in self._json:
            values[i] = "[]" if values[i] == () else _json.encode(values[i]).decode()
        return tuple(values)

    def entity(self, row: Row) -> Entity:
        """Return the entity of a row of `select`."""
        values = dict(zip(self.fields, row, strict=True))
        for i, decoder in self._json:
            values[self.fields[i]] = decoder.decode(row[i])
        return self._entity(**values)


def _was_skipped(progress: SagaState) -> bool:
    """Whether an operator skipped one of its steps."""
    return any(
        entry.event == "saga.operator" and entry.note.startswith("skip")
        for entry in progress.history
    )


class SagaRows:
    """Mapping of saga states to rows of the table of sagas."""

    def __init__(self, registry: Registry, placeholder: str) -> None:
        self.upsert = upsert(sagas, placeholder)
        self._registry = registry

    def row(self, no: int, shard: int, progress: SagaState) -> Row:
        """Return the row, in table order; `step` names the steps that the saga waits for."""
        return (
            no,
            progress.saga,
            progress.order_id,
            shard,
            progress.version,
            _STATUS[progress.status],
            "" if progress.ended else self._waiting_for(progress),
            progress.deadline,
            progress.code,
            progress.reason,
            progress.seq,
            progress.started_at,
            progress.ended_at or None,
            encode(progress).decode(),
            int(progress.status == CANCELLED and _was_skipped(progress)),
        )

    def _waiting_for(self, progress: SagaState) -> str:
        saga = self._registry.get(progress.saga, progress.version)
        steps = steps_of(saga, progress.items)
        return ", ".join(
            [s.name for s, state in zip(steps, progress.steps, strict=True)
             if state.phase in _WAITING]
        )  # fmt: skip
