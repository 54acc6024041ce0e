"""How far behind the workers are, and what they could not handle."""

from collections import Counter
from collections.abc import Mapping

import sqlalchemy as sa

from bridges.store.schema import log, offsets


def behind(db: sa.Connection, ends: Mapping[tuple[str, int], int], group: str) -> Mapping[str, int]:
    """Records of Kafka's topics that no worker of the consumer group has handled, by topic.

    `ends` are the offsets behind the last record, by topic and partition. Where several sets of
    roles read a topic, the one that came furthest counts.
    """
    query = sa.select(offsets.c.topic, offsets.c.partition, sa.func.max(offsets.c.position))
    ours = sa.or_(
        offsets.c.consumer == group, offsets.c.consumer.startswith(f"{group}.", autoescape=True)
    )
    reached: dict[tuple[str, int], int] = {}
    for topic, partition, position in db.execute(
        query.where(ours).group_by(offsets.c.topic, offsets.c.partition)
    ):
        reached[topic, partition] = position
    found: Counter[str] = Counter()
    for place, end in ends.items():
        found[place[0]] += max(0, end - reached.get(place, 0))
    return found


def dead_letter_records(db: sa.Connection) -> int:
    """Records among the dead letters of the embedded log, with the marks of those seen to."""
    query = sa.select(sa.func.count()).where(log.c.topic == "dead-letters")
    return int(db.execute(query).scalar_one())
