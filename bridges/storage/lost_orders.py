"""Orders that were accepted and will never begin, because their start is no longer in Kafka.

The record of an order may be deleted before a worker has read it: by retention, or with the topic.
The order stays in `order_keys`: if the role `orders` has handled its partition to the end, and no
order is stored, its start is no longer in Kafka, or became a dead letter.
"""

from collections.abc import Collection, Mapping

import sqlalchemy as sa

from order_sagas.bridges.storage.consumers import consumer_of_role
from order_sagas.bridges.storage.deferred import parked
from order_sagas.bridges.storage.outbox_events import waiting_keys
from order_sagas.bridges.storage.schema import offsets, order_keys, outbox
from order_sagas.bridges.storage.waiting_orders import waiting_numbers

Extents = Mapping[int, tuple[int, int]]
"""The first offset, and the one behind the last record, of each partition of a topic."""


def any_waiting(db: sa.Connection) -> bool:
    """Whether any order is accepted and not stored."""
    return any(db.execute(query).first() for query in waiting_numbers(1))


def handled_partitions(
    db: sa.Connection, topic: str, group: str, extents: Extents
) -> frozenset[int]:
    """The partitions of `topic` that the role `orders` has handled to their ends."""
    query = sa.select(offsets.c.partition, offsets.c.position).where(
        offsets.c.topic == topic, offsets.c.consumer == consumer_of_role(group, "orders")
    )
    return frozenset(
        partition
        for partition, position in db.execute(query)
        if partition in extents and max(position, extents[partition][0]) >= extents[partition][1]
    )


def waiting_orders(db: sa.Connection, topic: str, shards: Collection[int]) -> dict[str, int]:
    """The ids of orders of these shards that are accepted and not stored, each with its shard.

    Without those whose start is in the outbox for `topic`, or in the one for change data capture,
    or deferred because of a pause.
    """
    numbers = sa.union_all(
        *(sa.select(query.subquery().c.no) for query in waiting_numbers(None))
    ).subquery()
    query = sa.select(order_keys.c.order_id, order_keys.c.shard).where(
        order_keys.c.no.in_(sa.select(numbers.c.no)), order_keys.c.shard.in_(shards)
    )
    found = {row.order_id: row.shard for row in db.execute(query.order_by(order_keys.c.no))}
    if found:
        unpublished = sa.select(outbox.c.key).where(outbox.c.topic == topic)
        deferred = sa.select(parked.c.key).where(parked.c.topic == topic)
        for (key,) in db.execute(sa.union_all(unpublished, deferred)):
            found.pop(bytes(key or b"").decode(errors="replace"), None)
        for key in waiting_keys(db, topic, [*found]):
            found.pop(key, None)
    return found


def lost_orders(
    db: sa.Connection, before: Mapping[str, int], topic: str, group: str, extents: Extents
) -> list[str]:
    """Which of the orders that waited `before` will never begin, the oldest first.

    `extents` must have been fetched after `before` was read, and before `db` sees its moment: then
    a record that was published before is in front of the end.
    """
    handled = handled_partitions(db, topic, group, extents)
    still = waiting_orders(db, topic, handled)
    return [each for each in before if each in still]
