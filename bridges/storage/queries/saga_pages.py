"""Sagas: pages of them, those with the earliest deadlines, those that need attention, outcomes."""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from order_sagas.actors.entities import Order
from order_sagas.actors.sagas.state import Status, saga_id_of
from order_sagas.bridges.storage.queries.order_pages import ORDERS_SAGA
from order_sagas.bridges.storage.queries.result import Row, any_of, rows_of
from order_sagas.bridges.storage.schema import meta, order_keys, pruned, sagas, table_of

SAGA_STATUSES = tuple(status.name for status in Status)
IN_FLIGHT = (Status.RUNNING.name, Status.COMPENSATING.name, Status.NEEDS_ATTENTION.name)
"""The statuses of sagas that have not ended."""

AT_ONCE = 1000
"""Maximum number of ids in one query: a statement has at most some ten thousand parameters."""

_orders = table_of(Order)
_SAGA_COLUMNS = tuple(c for c in sagas.c if c.name not in ("no", "state", "skipped"))


def sagas_of(
    db: sa.Connection, statuses: Sequence[str] = (), limit: int | None = None
) -> list[Row]:
    """Return sagas, newest first."""
    return rows_of(db, _newest_sagas(sagas_query(), statuses, limit))


def sagas_page(
    db: sa.Connection, statuses: Sequence[str], limit: int, after: tuple[int, str] | None = None
) -> list[Row]:
    """Return a page of sagas as of `sagas_of`, each with the number `no` of its order.

    The page begins behind `after`, the number and the saga name of the last row of the one before.
    """
    query = sagas_query().add_columns(sagas.c.no)
    return rows_of(db, _newest_sagas(query, statuses, limit, after))


def _newest_sagas(
    query: sa.Select[Any],
    statuses: Sequence[str],
    limit: int | None,
    after: tuple[int, str] | None = None,
) -> sa.Select[Any]:
    """Limit a query to the newest sagas in these statuses, or of all, using the index."""
    if after is not None:
        no, name = after
        # The first condition is implied by the second, and can use the index.
        query = query.where(
            sagas.c.no <= no,
            sa.or_(sagas.c.no < no, sa.and_(sagas.c.no == no, sagas.c.saga > name)),
        )
    if not statuses:
        return query.limit(limit)
    # An order may have several sagas, of which `after` may exclude some: count orders.
    more = None if limit is None else limit + 1
    parts = []
    for status in statuses:
        part = sa.select(sagas.c.no).where(sagas.c.status == status)
        part = part if after is None else part.where(sagas.c.no <= after[0])
        parts.append(part.distinct().order_by(sagas.c.no.desc()).limit(more))
    chosen = query.where(sagas.c.status.in_(statuses), sagas.c.no.in_(any_of(parts)))
    return chosen.limit(limit)


def sagas_query() -> sa.Select[Any]:
    """Return the query for sagas, newest first, each with what is known of its order."""
    return (
        sa.select(*_SAGA_COLUMNS, _orders.c.customer_id, _orders.c.amount, _orders.c.currency)
        .select_from(sagas.outerjoin(_orders, _orders.c.no == sagas.c.no))
        .order_by(sagas.c.no.desc(), sagas.c.saga)
    )


def oldest(db: sa.Connection, limit: int) -> list[Row]:
    """Return sagas in flight that have a deadline, the earliest deadline first."""
    parts = [
        sa.select(sagas.c.no, sagas.c.saga)
        .where(sagas.c.ended_at.is_(None), sagas.c.shard == shard, sagas.c.deadline.is_not(None))
        .order_by(sagas.c.deadline)
        .limit(limit)
        for shard in range(_partitions(db))
    ]
    first = sa.union_all(*(sa.select(part.subquery()) for part in parts)).subquery()
    query = (
        sa.select(*_SAGA_COLUMNS)
        .join(first, sa.and_(first.c.no == sagas.c.no, first.c.saga == sagas.c.saga))
        .order_by(sagas.c.deadline, sagas.c.no)
    )
    return rows_of(db, query.limit(limit))


def states_by_deadline(db: sa.Connection, limit: int) -> list[str]:
    """Return stored states of sagas in flight, of each shard those with the earliest deadlines.

    At most `limit` in all.
    """
    shards = _partitions(db)
    each = -(-limit // shards)
    parts = [
        sa.select(sagas.c.state)
        .where(sagas.c.ended_at.is_(None), sagas.c.shard == shard, sagas.c.deadline.is_not(None))
        .order_by(sagas.c.deadline)
        .limit(each)
        for shard in range(shards)
    ]
    query = sa.union_all(*(sa.select(part.subquery()) for part in parts)).limit(limit)
    return [row[0] for row in db.execute(query)]


def _partitions(db: sa.Connection) -> int:
    """Return the number of partitions, which is that of shards, of the database."""
    query = sa.select(meta.c.value).where(meta.c.name == "partitions")
    return int(db.execute(query).scalar() or 1)


def needing_attention(db: sa.Connection, limit: int) -> list[Row]:
    """Return sagas that need attention, newest first."""
    return sagas_of(db, [Status.NEEDS_ATTENTION.name], limit)


def attention_count(db: sa.Connection) -> tuple[int, float | None]:
    """Return how many sagas need attention, and the start of the oldest in epoch seconds."""
    query = sa.select(sa.func.count(), sa.func.min(sagas.c.started_at)).where(
        sagas.c.status == Status.NEEDS_ATTENTION.name
    )
    count, oldest = db.execute(query).one()
    return int(count), oldest


def saga_counts(db: sa.Connection) -> dict[str, int]:
    """Return the number of sagas in each status."""
    query = sa.select(sagas.c.status, sa.func.count()).group_by(sagas.c.status)
    return {row[0]: row[1] for row in db.execute(query)}


def in_flight(db: sa.Connection) -> int:
    """Return the number of sagas in flight."""
    query = sa.select(sa.func.count()).select_from(sagas).where(sagas.c.ended_at.is_(None))
    return int(db.execute(query).scalar_one())


def outcomes(
    db: sa.Connection, numbers: Sequence[int], saga: str = ORDERS_SAGA
) -> dict[int, tuple[str, str]]:
    """Return (status, code) of each of these orders with such a saga, even if pruned."""
    wanted: Any = sa.bindparam("numbers", expanding=True)
    query = sa.union_all(
        sa.select(sagas.c.no, sagas.c.status, sagas.c.code).where(
            sagas.c.no.in_(wanted), sagas.c.saga == saga
        ),
        sa.select(pruned.c.no, pruned.c.status, pruned.c.code).where(pruned.c.no.in_(wanted)),
    )
    return {no: (status, code) for no, status, code in db.execute(query, {"numbers": numbers})}


def saga_statuses(db: sa.Connection, saga_ids: Iterable[str]) -> dict[str, str]:
    """Return the status of each of these sagas that is there, even if its order is pruned."""
    orders: dict[str, list[str]] = {}
    for saga_id in saga_ids:
        saga, _, order_id = saga_id.partition("/")
        orders.setdefault(saga, []).append(order_id)
    found: dict[str, str] = {}
    for saga, wanted in orders.items():
        for start in range(0, len(wanted), AT_ONCE):
            some = saga_outcomes(db, wanted[start : start + AT_ONCE], saga)
            found |= {saga_id_of(saga, order_id): status for order_id, (status, _) in some.items()}
    return found


def saga_outcomes(
    db: sa.Connection, order_ids: Sequence[str], saga: str
) -> dict[str, tuple[str, str]]:
    """Return (status, code) of this saga of each of these orders that have it, even if pruned."""
    query = sa.select(order_keys.c.no, order_keys.c.order_id)
    rows = db.execute(query.where(order_keys.c.order_id.in_(order_ids)))
    numbers = {row[0]: row[1] for row in rows}
    return {numbers[no]: found for no, found in outcomes(db, [*numbers], saga).items()}
