"""Queries of commands and of the HTTP API: orders, sagas, all of one order, stock. Read-only.

They may run while a system runs, and block no writer.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from order_sagas.actors.entities import (
    Entity,
    Notification,
    Order,
    Payment,
    Reservation,
    StockLevel,
    StockLoad,
)
from order_sagas.actors.messages import MAIN, OrderLine
from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.sagas.state import Status, decode_plain
from order_sagas.bridges.storage.consumers import consumer_of_role
from order_sagas.bridges.storage.deferred import parked
from order_sagas.bridges.storage.log_queues import (
    LEFT,
    LEFT_FOR_OTHERS,
    LEFT_FOR_ROLE,
    LOG,
    TO_READ,
    queue_of,
)
from order_sagas.bridges.storage.reading import reading as reading
from order_sagas.bridges.storage.schema import (
    early_replies,
    log,
    meta,
    offsets,
    order_keys,
    pruned,
    sagas,
    table_of,
)
from order_sagas.bridges.storage.schema import schedules as _schedules
from order_sagas.bridges.storage.waiting_orders import numbers_without_order, waiting_numbers

SUBMITTED = "SUBMITTED"
"""The status of an order whose record waits in the log."""
ORDER_STATUSES = (SUBMITTED, Order.CREATED, Order.ROLLED_BACK, Order.COMPLETED, Order.CANCELLED)
SAGA_STATUSES = tuple(status.name for status in Status)
IN_FLIGHT = (Status.RUNNING.name, Status.COMPENSATING.name, Status.NEEDS_ATTENTION.name)
"""The statuses of sagas that have not ended."""

FEW = 5000
"""Maximum number of orders of one prefix that are found by the index of ids. With more, scanning
orders from the newest one finds a page soon."""

_orders, _payments = table_of(Order), table_of(Payment)
_reservations, _stock = table_of(Reservation), table_of(StockLevel)
_loads, _notifications = table_of(StockLoad), table_of(Notification)

_lines = msgspec.json.Decoder(tuple[OrderLine, ...])

Row = dict[str, Any]

ORDERS_SAGA = PLACE_ORDER.name
"""The saga of orders, if the caller does not know better: an app may have another one."""


def orders(
    db: sa.Connection,
    statuses: Sequence[str] = (),
    limit: int | None = None,
    saga: str = ORDERS_SAGA,
) -> list[Row]:
    """Return orders, newest first, each with the status and the current step of its `saga`."""
    return _rows(db, _newest_orders(orders_query(saga), statuses, limit))


def orders_page(
    db: sa.Connection,
    statuses: Sequence[str],
    limit: int,
    after: int | None = None,
    prefix: str = "",
    saga: str = ORDERS_SAGA,
) -> list[Row]:
    """A page of orders, newest first, as `orders` has them, each with its number `no`.

    The page holds orders older than the one numbered `after`, whose ids begin with `prefix`.
    """
    query = orders_query(saga).add_columns(order_keys.c.no)
    if not prefix:
        return _rows(db, _newest_orders(query, statuses, limit, after))
    gone = pruned.c.no.is_not(None)
    query = query.outerjoin(pruned, pruned.c.no == order_keys.c.no).where(
        sa.or_(_orders.c.no.is_not(None), sa.and_(order_keys.c.fingerprint.is_not(None), ~gone)),
        # Not LIKE: SQLite's takes no notice of case.
        sa.func.substr(order_keys.c.order_id, 1, len(prefix)) == prefix,
    )
    if after is not None:
        query = query.where(order_keys.c.no < after)
    if statuses:
        query = query.where(_STATUS.in_(statuses))
    numbers = _numbers_beginning(db, prefix)
    if numbers is not None:
        query = query.where(order_keys.c.no.in_(numbers))
    return _rows(db, query.limit(limit))


def _numbers_beginning(db: sa.Connection, prefix: str) -> list[int] | None:
    """The numbers of the orders whose ids begin so; None where they are many."""
    ids, last = order_keys.c.order_id, chr(0x10FFFF)
    query = sa.select(order_keys.c.no).where(ids >= prefix, ids <= prefix + last * 200)
    numbers = [no for (no,) in db.execute(query.limit(FEW + 1))]
    return numbers if len(numbers) <= FEW else None


def _newest_orders(
    query: sa.Select[Any], statuses: Sequence[str], limit: int | None, after: int | None = None
) -> sa.Select[Any]:
    """Limit a query to the newest orders in these statuses, or of all, using the indexes."""
    stored = [_orders.c.status == each for each in statuses if each != SUBMITTED]
    parts = [sa.select(_orders.c.no).where(of_status) for of_status in stored]
    if not statuses:
        parts = [sa.select(_orders.c.no)]
    if after is not None:
        parts = [part.where(_orders.c.no < after) for part in parts]
    parts = [part.order_by(_orders.c.no.desc()).limit(limit) for part in parts]
    if not statuses or SUBMITTED in statuses:
        parts += waiting_numbers(limit, after)
    return query.where(order_keys.c.no.in_(_any_of(parts))).limit(limit)


def _any_of(parts: Sequence[sa.Select[tuple[int]]]) -> Any:
    """Return a query for the numbers that any of these finds; each may have a limit."""
    return sa.union_all(*(sa.select(part.subquery().c.no) for part in parts))


_STATUS = sa.func.coalesce(_orders.c.status, SUBMITTED)


def orders_query(saga: str) -> sa.Select[Any]:
    """Return the query for orders, newest first, each with the status and step of its `saga`."""
    return (  # pyright: ignore[reportReturnType]  # more columns than SQLAlchemy's types count
        sa.select(
            order_keys.c.order_id,
            _STATUS.label("status"),
            _orders.c.customer_id,
            _orders.c.amount,
            _orders.c.currency,
            _orders.c.code,
            _orders.c.reason,
            _orders.c.created_at,
            _orders.c.updated_at,
            sagas.c.status.label("saga_status"),
            sagas.c.step,
        )
        .select_from(
            order_keys.outerjoin(_orders, _orders.c.no == order_keys.c.no).outerjoin(
                sagas, sa.and_(sagas.c.no == order_keys.c.no, sagas.c.saga == saga)
            )
        )
        .order_by(order_keys.c.no.desc())
    )


def order_counts(db: sa.Connection) -> dict[str, int]:
    """Return the number of orders in each status."""
    query = sa.select(_orders.c.status, sa.func.count()).group_by(_orders.c.status)
    found = {row[0]: row[1] for row in db.execute(query)}
    waiting = db.execute(
        sa.select(sa.func.count()).select_from(_any_of(waiting_numbers(None)).subquery())
    ).scalar_one()
    return found | ({SUBMITTED: waiting} if waiting else {})


def sagas_of(
    db: sa.Connection, statuses: Sequence[str] = (), limit: int | None = None
) -> list[Row]:
    """Return sagas, newest first."""
    return _rows(db, _newest_sagas(sagas_query(), statuses, limit))


def sagas_page(
    db: sa.Connection, statuses: Sequence[str], limit: int, after: tuple[int, str] | None = None
) -> list[Row]:
    """Return a page of sagas as of `sagas_of`, each with the number `no` of its order.

    The page begins behind `after`, the number and the saga name of the last row of the one before.
    """
    query = sagas_query().add_columns(sagas.c.no)
    return _rows(db, _newest_sagas(query, statuses, limit, after))


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
    chosen = query.where(sagas.c.status.in_(statuses), sagas.c.no.in_(_any_of(parts)))
    return chosen.limit(limit)


def sagas_query() -> sa.Select[Any]:
    """Return the query for sagas, newest first, each with what is known of its order."""
    return (
        sa.select(*_SAGA_COLUMNS, _orders.c.customer_id, _orders.c.amount, _orders.c.currency)
        .select_from(sagas.outerjoin(_orders, _orders.c.no == sagas.c.no))
        .order_by(sagas.c.no.desc(), sagas.c.saga)
    )


_SAGA_COLUMNS = tuple(c for c in sagas.c if c.name not in ("no", "state", "skipped"))


def oldest(db: sa.Connection, limit: int) -> list[Row]:
    """Return sagas in flight that have a deadline, the earliest deadline first."""
    parts = [
        sa.select(sagas.c.no, sagas.c.saga)
        .where(sagas.c.ended_at.is_(None), sagas.c.shard == shard, sagas.c.deadline.is_not(None))
        .order_by(sagas.c.deadline)
        .limit(limit)
        for shard in range(partitions(db))
    ]
    first = sa.union_all(*(sa.select(part.subquery()) for part in parts)).subquery()
    query = (
        sa.select(*_SAGA_COLUMNS)
        .join(first, sa.and_(first.c.no == sagas.c.no, first.c.saga == sagas.c.saga))
        .order_by(sagas.c.deadline, sagas.c.no)
    )
    return _rows(db, query.limit(limit))


def states_by_deadline(db: sa.Connection, limit: int) -> list[str]:
    """Return stored states of sagas in flight, of each shard those with the earliest deadlines.

    At most `limit` in all.
    """
    shards = partitions(db)
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


def partitions(db: sa.Connection) -> int:
    """Return the number of partitions, which is that of shards, of the database."""
    query = sa.select(meta.c.value).where(meta.c.name == "partitions")
    return int(db.execute(query).scalar() or 1)


def needing_attention(db: sa.Connection, limit: int) -> list[Row]:
    """Return sagas that need attention, newest first."""
    return sagas_of(db, [Status.NEEDS_ATTENTION.name], limit)


def attention_groups(db: sa.Connection, limit: int) -> list[Row]:
    """Return sagas that need attention by definition, step and failure code: `count`, `oldest`.

    The group with the oldest saga comes first; `oldest` is its start in epoch seconds.
    """
    oldest = sa.func.min(sagas.c.started_at).label("oldest")
    by = (sagas.c.saga, sagas.c.step, sagas.c.code)
    groups: Any = (
        sa.select(*by, sa.func.count().label("count"), oldest)
        .where(sagas.c.status == Status.NEEDS_ATTENTION.name)
        .group_by(*by)
        .order_by(oldest, *by)
        .limit(limit)
    )
    return _rows(db, groups)


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


def locks(db: sa.Connection) -> list[dict[str, Any]]:
    """Return the locks of exclusive sagas that are held, by key.

    Each has its `key` and its `claims`, of which the first has the lock: `saga_id`, `order_id`,
    `step`, and `since` (seconds since the Unix epoch).
    """
    if not sa.inspect(db).has_table("saga_locks"):
        return []  # no exclusive saga ever ran here
    query = "SELECT order_id, claims FROM saga_locks WHERE claims <> '[]' ORDER BY order_id"
    return [
        {"key": key.removeprefix("lock:"), "claims": msgspec.json.decode(claims)}
        for key, claims in db.execute(sa.text(query))
    ]


def lock_claims(db: sa.Connection, lock_id: str) -> list[dict[str, Any]]:
    """Return the claims of one lock, as `locks` has them; `lock_id` is its key with the prefix."""
    if not sa.inspect(db).has_table("saga_locks"):
        return []
    query = (
        "SELECT claims FROM saga_locks WHERE no = (SELECT no FROM order_keys WHERE order_id = :id)"
    )
    claims = db.execute(sa.text(query), {"id": lock_id}).scalar()
    found: list[dict[str, Any]] = msgspec.json.decode(claims) if claims else []
    return found


def deferred_of(db: sa.Connection, order_id: str) -> list[dict[str, Any]]:
    """Return the records of an order that are deferred, oldest first.

    Each has its `target`, the pause; `topic`, `value` as text, and `at` as `early_of` has them.
    """
    query: Any = (
        sa.select(parked.c.target, parked.c.topic, parked.c.value, parked.c.at)
        .where(parked.c.order_id == order_id)
        .order_by(parked.c.id)
    )
    return [
        {**row, "value": bytes(row["value"] or b"").decode(errors="replace")}
        for row in _rows(db, query)
    ]


def schedules(db: sa.Connection) -> dict[str, dict[str, Any]]:
    """Return how far each schedule is settled, by name: `due`, `order_id`, `started_at`."""
    return {row["name"]: row for row in _rows(db, sa.select(_schedules))}


def early_count(db: sa.Connection) -> int:
    """Return the number of replies that are kept because they came too early."""
    return int(db.execute(sa.select(sa.func.count()).select_from(early_replies)).scalar_one())


def early_of(db: sa.Connection, order_id: str) -> list[dict[str, Any]]:
    """Return the replies that are kept for an order because they came too early, oldest first.

    Each has its `topic`, its `value` as text, and `at`, when it came (seconds since the epoch).
    """
    query: Any = (
        sa.select(early_replies.c.topic, early_replies.c.value, early_replies.c.at)
        .where(early_replies.c.order_id == order_id)
        .order_by(early_replies.c.at, early_replies.c.id)
    )
    return [
        {**row, "value": bytes(row["value"] or b"").decode(errors="replace")}
        for row in _rows(db, query)
    ]


def order(db: sa.Connection, order_id: str) -> dict[str, Any] | None:
    """Return everything stored about one order; None for an unknown id.

    `order`, `payment`, `reservation` and `notification` are rows or None, `sagas` are rows, each
    with its state. `pruned` is only there for an order that was pruned, and then alone.
    """
    key = sa.select(order_keys.c.no, order_keys.c.fingerprint).where(
        order_keys.c.order_id == order_id
    )
    found = db.execute(key).first()
    if found is None:
        return None
    no, fingerprint = found
    whole: dict[str, Any] = {
        name: _one(db, table, no)
        for name, table in (
            ("order", _orders),
            ("payment", _payments),
            ("reservation", _reservations),
            ("notification", _notifications),
        )
    }
    gone = _rows(db, sa.select(pruned).where(pruned.c.no == no))
    if gone:
        whole["pruned"] = {name: value for name, value in gone[0].items() if name != "no"}
    elif whole["order"] is None and fingerprint is not None:
        whole["order"] = {"order_id": order_id, "status": SUBMITTED}
    whole["sagas"] = [
        (row, decode_plain(row.pop("state")))
        for row in _rows(db, sa.select(sagas).where(sagas.c.no == no).order_by(sagas.c.saga))
    ]
    return whole


def entities_of_order(
    db: sa.Connection, order_id: str, kinds: Iterable[type[Entity]]
) -> dict[str, Row]:
    """Return the stored entities of these classes of an order, by table, without the order id.

    Entities with another key are left out, and so are tables that do not exist.
    """
    no = db.execute(sa.select(order_keys.c.no).where(order_keys.c.order_id == order_id)).scalar()
    known = set(sa.inspect(db).get_table_names())
    found: dict[str, Row] = {}
    for table in (table_of(kind) for kind in kinds if kind.key == ("order_id",)):
        rows = []
        if table.name in known:
            rows = _rows(db, sa.select(table).where(table.c.no == no))
        for row in rows:
            found[str(table.name)] = {
                name: value for name, value in row.items() if name not in ("no", "order_id")
            }
    return found


def stock(db: sa.Connection, sku: str | None = None) -> list[Row]:
    """Return each SKU of each warehouse: loaded = on_hand + held + sold.

    `held` is reserved for orders in flight, or for cancelled ones whose release an operator
    skipped; `sold` belongs to completed ones. If the stock service runs without the order service,
    completed orders are unknown in this database, and all reserved goods are `held`.
    """
    held: dict[tuple[str, str], int] = {}
    query = (
        sa.select(_reservations.c.warehouse, _reservations.c.lines)
        .select_from(_reservations.outerjoin(_orders, _orders.c.no == _reservations.c.no))
        .where(
            _reservations.c.status == Reservation.HELD,
            sa.or_(_orders.c.status.is_(None), _orders.c.status != Order.COMPLETED),
        )
    )
    if db.execute(sa.select(sa.func.max(_orders.c.no))).scalar() is not None:
        query = query.where(_reservations.c.no.in_(_may_hold(db)))
    for warehouse, lines in db.execute(query):
        for line in _lines.decode(lines):
            held[warehouse, line.sku] = held.get((warehouse, line.sku), 0) + line.quantity
    levels = sa.select(_stock).order_by(_stock.c.sku, _stock.c.warehouse)
    if sku is not None:
        levels = levels.where(_stock.c.sku == sku)
    return [
        {
            "sku": row["sku"],
            "warehouse": row["warehouse"],
            "on_hand": row["on_hand"],
            "held": (now := held.get((row["warehouse"], row["sku"]), 0)),
            "sold": row["reserved"] - now,
            "loaded": row["loaded"],
        }
        for row in _rows(db, levels)
    ]


def _may_hold(db: sa.Connection) -> Any:
    """Return a query for the orders that may hold goods without being completed, using indexes."""
    return sa.union_all(
        sa.select(_orders.c.no).where(_orders.c.status.in_((Order.CREATED, Order.ROLLED_BACK))),
        sa.select(sagas.c.no).where(sagas.c.ended_at.is_(None)),
        # The number is a literal, since a partial index cannot be used with a parameter.
        sa.select(sagas.c.no).where(sagas.c.skipped == sa.literal_column("1")),
        *numbers_without_order(db),
    )


def waiting(db: sa.Connection) -> dict[str, int]:
    """Return the number of records of the embedded log that a role has yet to handle, by topic."""
    found: Counter[str] = Counter()
    for where in _waits(db):
        query = sa.select(log.c.topic, sa.func.count()).where(where).group_by(log.c.topic)
        for topic, count in db.execute(query):
            found[topic] += count
    return dict(found)


def waiting_by_role(db: sa.Connection, topics: Mapping[str, Collection[str]]) -> dict[str, int]:
    """Return the number of records of the embedded log that each role has yet to handle or skip.

    `topics` are those on which each role takes records. A record that no role has read yet counts
    for each role that reads its topic.
    """
    unread = sa.select(log.c.topic, sa.func.count()).where(_unread()).group_by(log.c.topic)
    by_topic = {row[0]: row[1] for row in db.execute(unread)}
    return {
        role: sum(by_topic.get(topic, 0) for topic in read)
        + int(db.execute(sa.select(sa.func.count()).where(_left_for(role))).scalar_one())
        for role, read in topics.items()
    }


def all_handled(db: sa.Connection, role: str = "orchestrator") -> bool:
    """Whether a role has handled all records of the embedded log that are for it."""
    return all(
        db.execute(sa.select(log.c.position).where(where).limit(1)).first() is None
        for where in (_unread(), _left_for(role))
    )


def _waits(db: sa.Connection) -> list[sa.ColumnElement[bool]]:
    """Return conditions; a record of the embedded log that is not handled meets one of them."""
    conditions = [_unread()]
    role: str | None = ""
    while True:  # step from role to role in the index, which may have many records of each
        following = sa.select(sa.func.min(log.c.role)).where(
            log.c.handled == sa.literal_column(str(LEFT_FOR_ROLE)), log.c.role > role
        )
        role = db.execute(following).scalar()
        if role is None:
            return conditions
        conditions.append(_left_for(role))


def _unread() -> sa.ColumnElement[bool]:
    """Return the condition that no worker has read a record of the embedded log."""
    return sa.or_(_behind(TO_READ, LOG), _behind(LEFT_FOR_OTHERS, LEFT))


def _left_for(role: str) -> sa.ColumnElement[bool]:
    """Return the condition that a record is in the queue of a role, which has not handled it."""
    return sa.and_(log.c.role == role, _behind(LEFT_FOR_ROLE, queue_of(role)))


def _behind(handled: int, queue: str) -> sa.ColumnElement[bool]:
    """Return the condition that a record is behind its queue's offset of the record's partition.

    The lowest offset of all partitions comes first, so that the index skips earlier records.
    """
    least = sa.select(sa.func.coalesce(sa.func.min(offsets.c.position), 0))
    own = sa.select(offsets.c.position).where(
        offsets.c.topic == queue, offsets.c.partition == log.c.partition
    )
    return sa.and_(
        # The number is a literal, since a partial index cannot be used with a parameter.
        log.c.handled == sa.literal_column(str(handled)),
        log.c.position > least.where(offsets.c.topic == queue).scalar_subquery(),
        log.c.position > sa.func.coalesce(own.scalar_subquery(), 0),
    )


def handled_up_to(db: sa.Connection, topic: str, ends: Mapping[int, int], group: str) -> bool:
    """Whether the orchestrators of a consumer group have handled each partition up to its end."""
    query = sa.select(offsets.c.partition, offsets.c.position).where(
        offsets.c.topic == topic, offsets.c.consumer == consumer_of_role(group, "orchestrator")
    )
    reached = {row[0]: row[1] for row in db.execute(query)}
    return all(reached.get(partition, 0) >= end for partition, end in ends.items())


def waiting_loads(db: sa.Connection) -> list[tuple[str, int]]:
    """Return (warehouse, number of SKUs) of each stock load that waits in the embedded log."""
    found = []
    values = [
        value
        for where in _waits(db)
        for (value,) in db.execute(
            sa.select(log.c.value).where(where, log.c.topic == "stock-events")
        )
    ]
    for value in values:
        try:
            fields = msgspec.json.decode(value)
        except (msgspec.DecodeError, TypeError):
            continue
        if isinstance(fields, dict) and fields.get("status") == "LOAD_STOCK":
            found.append((fields.get("warehouse", MAIN), len(fields.get("lines", ()))))
    return found


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


def saga_outcomes(
    db: sa.Connection, order_ids: Sequence[str], saga: str
) -> dict[str, tuple[str, str]]:
    """Return (status, code) of this saga of each of these orders that have it, even if pruned."""
    query = sa.select(order_keys.c.no, order_keys.c.order_id)
    rows = db.execute(query.where(order_keys.c.order_id.in_(order_ids)))
    numbers = {row[0]: row[1] for row in rows}
    return {numbers[no]: found for no, found in outcomes(db, [*numbers], saga).items()}


def _rows(db: sa.Connection, query: sa.Select[Any]) -> list[Row]:
    result = db.execute(query)
    names = [*map(str, result.keys())]  # SQLAlchemy's own are of a subclass
    return [dict(zip(names, row, strict=True)) for row in result]


def _one(db: sa.Connection, table: sa.Table, no: int) -> Row | None:
    rows = _rows(db, sa.select(table).where(table.c.no == no))
    if not rows:
        return None
    fields = {name: value for name, value in rows[0].items() if name != "no"}
    if "lines" in fields:
        fields["lines"] = msgspec.json.decode(fields["lines"])
    return fields
