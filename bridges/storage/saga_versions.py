"""The saga definitions in a database: the shape of each version, stored at the first start.

A saga in flight is stored by the places of its steps. A definition that changes without a new
version would be read with the places of the old one, so it is refused.
"""

from collections.abc import Iterator
from typing import Any

from order_sagas.actors.sagas.definition import Saga
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.sagas.shape import (
    SagaShape,
    decode_shape,
    difference,
    encode_shape,
    fingerprint_of,
    shape_of,
)
from order_sagas.actors.words import many
from order_sagas.bridges.errors import ChangedSagaError, StoreError
from order_sagas.bridges.storage.connection import Connection

_ITEMS = {
    "sqlite": (
        "json_array_length(state, '$.steps') - coalesce(json_array_length(state, '$.items'), 0)"
    ),
    "postgresql": (
        "json_array_length(state::json -> 'steps') "
        "- coalesce(json_array_length(state::json -> 'items'), 0)"
    ),
}
"""The number of rows of the definition that a stored saga was begun with."""


def check_definitions(db: Connection, registry: Registry) -> None:
    """Store the shapes of definitions that are new here, and refuse those that have changed.

    Where a version is new here, as in a database of a former program, sagas in flight that have
    another number of steps are refused too. Reads one small table if nothing is new. Raises
    ChangedSagaError; nothing is stored then.
    """
    known = dict(_fingerprints(db))
    new: list[tuple[str, int, str, str]] = []
    for saga in registry:
        shape = shape_of(saga)
        fingerprint = fingerprint_of(shape)
        before = known.get((saga.name, saga.version))
        if before is None:
            _check_steps(db, saga)
            new.append((saga.name, saga.version, fingerprint, encode_shape(shape).decode()))
        elif before != fingerprint:
            raise _changed(saga, stored_shape(db, saga.name, saga.version), shape)
    if not new:
        return
    with db.transaction() as cursor:
        cursor.executemany(
            "INSERT INTO saga_versions (saga, version, fingerprint, shape) "
            f"VALUES ({', '.join([db.placeholder] * 4)}) ON CONFLICT DO NOTHING",
            new,
        )
    # Another process may have stored another shape of the same version meanwhile.
    check_definitions(db, registry)


def check_in_flight(db: Connection, registry: Registry) -> None:
    """Raise ChangedSagaError if a saga in flight was begun with a version that is not registered.

    A worker could not read such a saga. Queries only versions that the database was used with and
    that are not registered.
    """
    registered = {(saga.name, saga.version) for saga in registry}
    mark = db.placeholder
    query = (
        "SELECT count(*), min(order_id) FROM sagas "
        f"WHERE ended_at IS NULL AND saga = {mark} AND version = {mark}"
    )
    for (name, version), _ in [*_fingerprints(db)]:
        if (name, version) in registered:
            continue
        ((count, order_id),) = db.rows(query, (name, version))
        if count:
            raise ChangedSagaError(
                f"{many(count, 'saga')} in flight of version {version} of {name!r}, which is not "
                f"registered, for example of order {order_id!r}: keep the version beside others "
                "until its sagas have ended, or move them to another one with `sagas migrate`"
            )


def stored_shape(db: Connection, saga: str, version: int) -> SagaShape:
    """The shape of a version that this database was used with; raises StoreError for any other."""
    mark = db.placeholder
    query = f"SELECT shape FROM saga_versions WHERE saga = {mark} AND version = {mark}"
    for (shape,) in db.rows(query, (saga, version)):
        return decode_shape(shape)
    raise StoreError(f"this database was never used with version {version} of saga {saga!r}")


def _fingerprints(db: Connection) -> Iterator[tuple[tuple[str, int], str]]:
    query = "SELECT saga, version, fingerprint FROM saga_versions"
    for saga, version, fingerprint in db.rows(query, ()):
        yield (saga, version), fingerprint


def _check_steps(db: Connection, saga: Saga[Any]) -> None:
    mark, count, rows = db.placeholder, _ITEMS[db.dialect], len(saga.rows)
    query = (
        f"SELECT order_id, {count} FROM sagas WHERE saga = {mark} AND version = {mark} "
        f"AND ended_at IS NULL AND {count} <> {rows} LIMIT 1"
    )
    for order_id, steps in db.rows(query, (saga.name, saga.version)):
        raise ChangedSagaError(
            f"version {saga.version} of saga {saga.name!r} has {rows} steps, and the saga in "
            f"flight of order {order_id!r} was begun with {steps}: {_advice(saga)}"
        )


def _changed(saga: Saga[Any], before: SagaShape, after: SagaShape) -> ChangedSagaError:
    lines = "".join(f"\n  {line}" for line in difference(before, after))
    return ChangedSagaError(
        f"version {saga.version} of saga {saga.name!r} has changed since this database was used "
        f"with it: {_advice(saga)}{lines}"
    )


def _advice(saga: Saga[Any]) -> str:
    return (
        f"give the new definition the version {saga.version + 1}, and keep the former one beside "
        "it while sagas of it are in flight"
    )
