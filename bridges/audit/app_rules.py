"""Checks the rules of an app on all that a database holds; the harness checks them per commit."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from order_sagas.actors.entities import Entity
from order_sagas.actors.errors import UnknownSagaError
from order_sagas.actors.rules import Rule, Stored
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.sagas.state import SagaState, decode, decode_plain
from order_sagas.bridges.audit.audit import Finding, Found, Violation
from order_sagas.bridges.audit.commit_rules import check_rule
from order_sagas.bridges.audit.rules import Check
from order_sagas.bridges.storage.rows import rows_of

AT_ONCE = 1_000
"""Orders that are read at once."""


def examine_rules(
    db: sa.Connection,
    rules: Sequence[Rule],
    entities: Iterable[type[Entity]],
    registry: Registry,
    new: Callable[[], Found] = Found,
) -> tuple[Finding, ...]:
    """Return what each rule finds in the database, in the order of `rules`.

    `entities` are the classes that rules may ask for. A class has no entities if its table
    does not exist yet, because the app was not started since the class was added. Pruned orders are
    not examined. `new` is described at `examine`.
    """
    if not rules:
        return ()
    tables = {*sa.inspect(db).get_table_names()}
    kinds = [kind for kind in entities if kind.table in tables]
    looked_at: Counter[str] = Counter()
    broken = {rule.name: new() for rule in rules}

    def look(rule: Rule, checked: Any, subject: str) -> None:
        looked_at[rule.name] += 1
        found = check_rule(rule, checked, subject)
        broken[rule.name].add(Violation(each.rule, each.subject, each.detail) for each in found)

    of_orders = [rule for rule in rules if rule.of is None]
    for order in stored_orders(db, kinds, registry) if of_orders else ():
        for rule in of_orders:
            if not rule.ended or order.has_ended:
                look(rule, order, order.order_id)
    for rule in rules:
        if rule.of is not None and rule.of.table in tables:
            for entity in _read(db, rule.of):
                look(rule, entity, "/".join(str(getattr(entity, name)) for name in entity.key))
    return tuple(
        Finding.of(_as_check(rule), looked_at[rule.name], broken[rule.name]) for rule in rules
    )


def stored_orders(
    db: sa.Connection, kinds: Iterable[type[Entity]], registry: Registry
) -> Iterator[Stored]:
    """Return all orders of which anything is stored, oldest first, a thousand in memory at once."""
    of_orders = [kind for kind in kinds if kind.key == ("order_id",)]
    highest = db.exec_driver_sql("SELECT coalesce(max(no), 0) FROM order_keys").scalar_one()
    for first in range(1, int(highest) + 1, AT_ONCE):
        some = f"WHERE no BETWEEN {first} AND {first + AT_ONCE - 1}"
        sagas: dict[str, dict[str, SagaState]] = {}
        entities: dict[str, dict[type[Entity], Entity]] = {}
        query = f"SELECT order_id, saga, version, state FROM sagas {some}"
        for order_id, saga, version, state in db.exec_driver_sql(query):
            sagas.setdefault(order_id, {})[saga] = _decoded(registry, saga, version, state)
        for kind in of_orders:
            for entity in _read(db, kind, some):
                order_id = entity.order_id  # type: ignore[attr-defined]
                entities.setdefault(order_id, {})[kind] = entity
        nothing: Mapping[Any, Any] = {}
        for (order_id,) in db.exec_driver_sql(
            f"SELECT order_id FROM order_keys {some} ORDER BY no"
        ):
            if order_id in sagas or order_id in entities:
                yield Stored(
                    order_id, sagas.get(order_id, nothing), entities.get(order_id, nothing)
                )


def _decoded(registry: Registry, saga: str, version: int, state: str) -> SagaState:
    try:
        return decode(state, registry.get(saga, version))
    except UnknownSagaError:
        return decode_plain(state)


def _read(db: sa.Connection, kind: type[Entity], where: str = "") -> Iterator[Entity]:
    rows = rows_of(kind, "?")
    # Streamed, because a whole table may be read.
    options = {"stream_results": True, "yield_per": AT_ONCE}
    found = db.exec_driver_sql(f"{rows.select} {where}", execution_options=options)
    return (rows.entity(tuple(row)) for row in found)


def _as_check(rule: Rule) -> Check:
    """Return how the report names a rule: by the first line of its docstring, if it has one."""
    said = (rule.check.__doc__ or "A rule of the app.").strip().partition("\n")[0]
    things = rule.of.table if rule.of else "ended orders" if rule.ended else "orders"
    return Check(rule.name, said, things, of="", broken="")
