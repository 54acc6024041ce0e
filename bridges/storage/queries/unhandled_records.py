"""Records of the embedded log that are not handled yet, and how far a consumer group has come."""

from collections import Counter
from collections.abc import Collection, Mapping

import msgspec
import sqlalchemy as sa

from order_sagas.actors.messages import MAIN
from order_sagas.bridges.storage.consumers import consumer_of_role
from order_sagas.bridges.storage.log_queues import (
    LEFT,
    LEFT_FOR_OTHERS,
    LEFT_FOR_ROLE,
    LOG,
    TO_READ,
    queue_of,
)
from order_sagas.bridges.storage.schema import log, offsets


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


def all_handled(db: sa.Connection) -> bool:
    """Whether the orchestrator has handled all records of the embedded log that are for it."""
    return all(
        db.execute(sa.select(log.c.position).where(where).limit(1)).first() is None
        for where in (_unread(), _left_for("orchestrator"))
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
