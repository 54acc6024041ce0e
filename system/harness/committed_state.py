"""Reads the committed state of a harness directly from its database."""

import sqlite3
from collections.abc import Iterable
from typing import TypeVar, cast

from order_sagas.actors.entities import Entity
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.sagas.state import SagaState, decode
from order_sagas.bridges.storage.rows import rows_of

E = TypeVar("E", bound=Entity)


class Books:
    """The committed sagas and entities."""

    def __init__(self, connection: sqlite3.Connection, registry: Registry) -> None:
        self.connection = connection
        self._registry = registry

    def sagas(self, order_id: str | None = None) -> list[SagaState]:
        """Return the sagas of an order, or all, in the order of their start."""
        rows = self.connection.execute(
            "SELECT state, saga, version FROM sagas WHERE ? IS NULL OR order_id = ? ORDER BY no",
            (order_id, order_id),
        ).fetchall()
        return [decode(raw, self._registry.get(saga, version)) for raw, saga, version in rows]

    def all_of(self, kind: type[E]) -> list[E]:
        """Return all entities of a class."""
        return self._read(kind, "")

    def of(self, kind: type[E], order_id: str) -> E | None:
        """Return the entity of a class that belongs to an order, or None."""
        return next(iter(self._read(kind, "WHERE order_id = ?", (order_id,))), None)

    def _read(self, kind: type[E], where: str, values: Iterable[str] = ()) -> list[E]:
        rows = rows_of(kind, "?")
        found = self.connection.execute(f"{rows.select} {where}", tuple(values)).fetchall()
        return [cast(E, rows.entity(row)) for row in found]
