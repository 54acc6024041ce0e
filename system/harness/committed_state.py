"""Reads the committed state of a system under test directly from its database."""

from typing import TypeVar, cast

from order_sagas.actors.entities import Entity
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.sagas.state import SagaState, decode
from order_sagas.bridges.storage.connection import Connection
from order_sagas.bridges.storage.rows import rows_of

E = TypeVar("E", bound=Entity)


class Books:
    """The committed sagas and entities of a database of either kind."""

    def __init__(self, connection: Connection, registry: Registry) -> None:
        self.connection = connection
        self._registry = registry

    def sagas(self, order_id: str | None = None) -> list[SagaState]:
        """Return the sagas of an order, or all, in the order of their start."""
        where, values = self._of(order_id)
        sql = f"SELECT state, saga, version FROM sagas {where} ORDER BY no"
        rows = self.connection.rows(sql, values)
        return [decode(raw, self._registry.get(saga, version)) for raw, saga, version in rows]

    def all_of(self, kind: type[E]) -> list[E]:
        """Return all entities of a class."""
        return self._read(kind, None)

    def of(self, kind: type[E], order_id: str) -> E | None:
        """Return the entity of a class that belongs to an order, or None."""
        return next(iter(self._read(kind, order_id)), None)

    def _read(self, kind: type[E], order_id: str | None) -> list[E]:
        rows = rows_of(kind, self.connection.placeholder)
        where, values = self._of(order_id)
        found = self.connection.rows(f"{rows.select} {where}", values)
        return [cast(E, rows.entity(row)) for row in found]

    def _of(self, order_id: str | None) -> tuple[str, tuple[str, ...]]:
        if order_id is None:
            return "", ()
        return f"WHERE order_id = {self.connection.placeholder}", (order_id,)
