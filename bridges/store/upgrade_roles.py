"""Offsets of a set of roles, as databases had them that are older than `log.role`, for each role.

A set of all roles was a consumer of the group's own name, any other one of `group.role+role`.
"""

from collections import defaultdict

import msgspec
import sqlalchemy as sa

from bridges.store.queues import CONSUMER, LEFT, LEFT_FOR_OTHERS, LEFT_FOR_ROLE, LOG, TO_READ

_TAKEN: dict[str, tuple[str, frozenset[str]]] = {
    "orchestrator": ("", frozenset()),  # it takes every topic, and what nobody can read
    "orders": ("order-events",
               frozenset({"ORDER_CREATED", "ORDER_COMPLETED", "ROLLBACK_ORDER",
                          "ORDER_CANCELLED"})),
    "payment": ("payment-events", frozenset({"PROCESS_PAYMENT", "ROLLBACK_PAYMENT"})),
    "stock": ("stock-events", frozenset({"RESERVE_STOCK", "ROLLBACK_STOCK", "LOAD_STOCK"})),
    "notification": ("notification-events", frozenset({"ORDER_COMPLETED", "ORDER_CANCELLED"})),
}  # fmt: skip
"""The roles there were, each with its topic and what it took of it."""
_QUEUES = {LOG: TO_READ, LEFT: LEFT_FOR_OTHERS}


def give_roles_their_offsets(db: sa.Connection) -> None:
    """Let no role handle again what a set of roles with it has handled, in whatever log.

    What only sets without a role had read is left for that role. What an older version wrote into
    the embedded log as handled stays so: nothing tells which roles ran in that batch.
    """
    rows = db.execute(sa.text("SELECT topic, partition, consumer, position FROM offsets")).all()
    embedded = {consumer for topic, _, consumer, _ in rows if topic == LOG}
    reached: dict[tuple[str, str, int], dict[str, int]] = defaultdict(dict)
    for topic, partition, consumer, position in rows:
        if topic == "#epochs":
            continue
        group, roles = _parsed(consumer)
        at = reached[CONSUMER if consumer in embedded else group, topic, partition]
        for role in roles:
            at[role] = max(position, at.get(role, 0))
    for consumer in embedded:
        db.execute(
            sa.text("DELETE FROM offsets WHERE consumer = :c AND topic IN (:log, :left)"),
            {"c": consumer, "log": LOG, "left": LEFT},
        )
    for (group, topic, partition), positions in reached.items():
        if topic in _QUEUES:
            furthest = max(positions.values())
            _leave_for_roles(db, topic, partition, positions, furthest)
            _set(db, topic, partition, CONSUMER, furthest)
            continue
        for role, position in positions.items():
            if _TAKEN[role][0] in ("", topic):
                _set(db, topic, partition, f"{group}.{role}", position)
    if sa.inspect(db).has_table("parked"):
        for (consumer,) in db.execute(sa.text("SELECT DISTINCT consumer FROM parked")).all():
            group = CONSUMER if embedded else _parsed(consumer)[0]
            db.execute(
                sa.text("UPDATE parked SET consumer = :g WHERE consumer = :c"),
                {"g": group, "c": consumer},
            )


def _leave_for_roles(
    db: sa.Connection, queue: str, partition: int, positions: dict[str, int], furthest: int
) -> None:
    read = sa.text(
        "SELECT topic, key, value, headers, appended_at FROM log WHERE handled = :handled "
        "AND partition = :partition AND position > :begin AND position <= :furthest "
        "AND topic <> 'dead-letters' AND :topic IN ('', topic) ORDER BY position"
    )
    write = sa.text(
        "INSERT INTO log (topic, partition, key, value, headers, handled, appended_at, role) "
        "VALUES (:topic, :partition, :key, :value, :headers, :handled, :appended_at, :role)"
    )
    for role, (topic, statuses) in _TAKEN.items():
        begin = positions.get(role, 0)
        if begin >= furthest:
            continue
        where = {"handled": _QUEUES[queue], "partition": partition, "begin": begin,
                 "furthest": furthest, "topic": topic}  # fmt: skip
        left = {"partition": partition, "handled": LEFT_FOR_ROLE, "role": role}
        rows = [
            {**row, **left}
            for row in db.execute(read, where).mappings()
            if not statuses or _status_of(row["value"]) in statuses
        ]
        if rows:
            db.execute(write, rows)


class _Head(msgspec.Struct):
    status: str = ""


_head = msgspec.json.Decoder(_Head)


def _status_of(value: bytes | None) -> str:
    try:
        return _head.decode(value or b"").status
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""


def _set(db: sa.Connection, topic: str, partition: int, consumer: str, position: int) -> None:
    db.execute(
        sa.text(
            "INSERT INTO offsets (topic, partition, consumer, position) VALUES (:t, :p, :c, :at) "
            "ON CONFLICT (topic, partition, consumer) DO UPDATE SET position = excluded.position"
        ),
        {"t": topic, "p": partition, "c": consumer, "at": position},
    )


def _parsed(consumer: str) -> tuple[str, frozenset[str]]:
    """A consumer's group, and its roles."""
    group, dot, names = consumer.rpartition(".")
    roles = frozenset(names.split("+"))
    return (group, roles) if dot and roles <= _TAKEN.keys() else (consumer, frozenset(_TAKEN))
