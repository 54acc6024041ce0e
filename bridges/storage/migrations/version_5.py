"""Version 5: offsets are kept for each role; before, for each set of roles.

A set of all roles was the consumer `group`, any other set `group.role+role`. Now the offsets on
Kafka's topics are those of `group.role`. On the embedded log, a worker of any roles reads each
record once, and appends a copy to the queue of each role that takes it and does not run.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import msgspec

from order_sagas.bridges.storage.migrations.migration import Migration, Rewrite, Sql, Target

CHUNK = 1000
"""Maximum number of records in memory."""

EMBEDDED = "order-sagas"
"""The consumer of the embedded log since this version."""
LOG = "log"
QUEUES = {LOG: 0, "log:left": 2}
"""The queues of the embedded log before this version, with their value of `handled`."""
LEFT_FOR_ROLE = 3

TAKEN: dict[str, tuple[str, frozenset[str]]] = {
    "orchestrator": ("", frozenset()),  # it reads every topic, and writes dead letters
    "orders": ("order-events",
               frozenset({"ORDER_CREATED", "ORDER_COMPLETED", "ROLLBACK_ORDER",
                          "ORDER_CANCELLED"})),
    "payment": ("payment-events", frozenset({"PROCESS_PAYMENT", "ROLLBACK_PAYMENT"})),
    "stock": ("stock-events", frozenset({"RESERVE_STOCK", "ROLLBACK_STOCK", "LOAD_STOCK"})),
    "notification": ("notification-events", frozenset({"ORDER_COMPLETED", "ORDER_CANCELLED"})),
}  # fmt: skip
"""The roles at this version, each with its topic and the statuses that it took from it."""


class _Head(msgspec.Struct):
    status: str = ""


_head = msgspec.json.Decoder(_Head)


def _give_roles_their_offsets(target: Target) -> None:
    """Set the offset of each role to the highest one of the sets that contain it.

    Records that only sets without a role had read are appended to its queue. Records that a former
    version wrote to the embedded log as handled stay so: it is unknown which roles ran then.
    """
    rows = target.ask("SELECT topic, partition, consumer, position FROM offsets")
    embedded = {consumer for topic, _, consumer, _ in rows if topic == LOG}
    reached: dict[tuple[str, str, int], dict[str, int]] = defaultdict(dict)
    for topic, partition, consumer, position in rows:
        if topic == "#epochs":
            continue
        group, roles = _parsed(consumer)
        at = reached[EMBEDDED if consumer in embedded else group, topic, partition]
        for role in roles:
            at[role] = max(position, at.get(role, 0))
    mark, cursor = target.placeholder, target.cursor
    for consumer in embedded:
        cursor.execute(
            f"DELETE FROM offsets WHERE consumer = {mark} AND topic IN ({mark}, {mark})",
            (consumer, *QUEUES),
        )
    for (group, topic, partition), positions in reached.items():
        if topic in QUEUES:
            furthest = max(positions.values())
            _leave_for_roles(target, topic, partition, positions, furthest)
            _set(target, topic, partition, EMBEDDED, furthest)
            continue
        for role, position in positions.items():
            if TAKEN[role][0] in ("", topic):
                _set(target, topic, partition, f"{group}.{role}", position)
    for (consumer,) in target.ask("SELECT DISTINCT consumer FROM parked"):
        group = EMBEDDED if embedded else _parsed(consumer)[0]
        cursor.execute(
            f"UPDATE parked SET consumer = {mark} WHERE consumer = {mark}", (group, consumer)
        )


def _leave_for_roles(
    target: Target, queue: str, partition: int, positions: dict[str, int], furthest: int
) -> None:
    insert = (
        "INSERT INTO log (topic, partition, key, value, headers, handled, appended_at, role) "
        f"VALUES ({', '.join([target.placeholder] * 8)})"
    )
    for role, (topic, statuses) in TAKEN.items():
        begin = positions.get(role, 0)
        for chunk in _read(target, queue, partition, topic, begin, furthest):
            left = [
                (of, partition, key, value, headers, LEFT_FOR_ROLE, appended_at, role)
                for _, of, key, value, headers, appended_at in chunk
                if not statuses or _status_of(value) in statuses
            ]
            if left:
                target.cursor.executemany(insert, left)


def _read(
    target: Target, queue: str, partition: int, topic: str, begin: int, end: int
) -> Iterator[list[Any]]:
    """Yield the records of a queue between two positions, in chunks; "" is all topics."""
    mark = target.placeholder
    query = (
        "SELECT position, topic, key, value, headers, appended_at FROM log "
        f"WHERE handled = {QUEUES[queue]} AND partition = {mark} AND position > {mark} "
        f"AND position <= {mark} AND topic <> 'dead-letters'"
        + (f" AND topic = '{topic}'" if topic else "")
        + f" ORDER BY position LIMIT {CHUNK}"
    )
    while begin < end:
        target.cursor.execute(query, (partition, begin, end))
        rows = target.cursor.fetchall()
        if not rows:
            return
        yield rows
        begin = rows[-1][0]


def _status_of(value: bytes | None) -> str:
    try:
        return _head.decode(value or b"").status
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""


def _set(target: Target, topic: str, partition: int, consumer: str, position: int) -> None:
    target.cursor.execute(
        "INSERT INTO offsets (topic, partition, consumer, position) "
        f"VALUES ({', '.join([target.placeholder] * 4)}) "
        "ON CONFLICT (topic, partition, consumer) DO UPDATE SET position = excluded.position",
        (topic, partition, consumer, position),
    )


def _parsed(consumer: str) -> tuple[str, frozenset[str]]:
    """A consumer's group, and its roles."""
    group, dot, names = consumer.rpartition(".")
    roles = frozenset(names.split("+"))
    return (group, roles) if dot and roles <= TAKEN.keys() else (consumer, frozenset(TAKEN))


VERSION_5 = Migration(
    5,
    "Each role has offsets of its own, whatever roles run beside it.",
    (
        Sql("ALTER TABLE log ADD COLUMN role TEXT"),
        Rewrite(
            "Give each role the offsets of the sets of roles it was in, and leave for it what only "
            "others have read.",
            "SELECT count(*) FROM offsets WHERE topic <> '#epochs'",
            _give_roles_their_offsets,
        ),
        Sql("CREATE INDEX log_of_roles ON log (role, position) WHERE handled = 3"),
    ),
)
