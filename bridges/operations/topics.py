"""Topics that differ from those that offsets were stored for: the problem, and how to continue."""

from collections.abc import Iterable, Mapping, Sequence

import attrs
import sqlalchemy as sa

from order_sagas.actors.sagas.registry import Registry
from order_sagas.bridges.kafka.consumer_listener import Extent
from order_sagas.bridges.operations.action_log import Origin, note_effects
from order_sagas.bridges.storage.connection import Connection
from order_sagas.bridges.storage.operator_actions import TOPIC
from order_sagas.bridges.storage.schema import offsets, sagas
from order_sagas.bridges.storage.topic_ids import topic_ids

Place = tuple[str, int]
"""A topic and a partition."""


@attrs.frozen
class TopicProblem:
    """A partition that is not read, because a stored offset means nothing in it.

    `position` is the largest offset that a role has stored.
    """

    topic: str
    partition: int
    position: int
    extent: Extent
    former_id: str

    @property
    def is_new_topic(self) -> bool:
        """True if the topic was created again; false if it has lost its last records."""
        return self.former_id != self.extent.topic_id

    def __str__(self) -> str:
        where = f"{self.topic}, partition {self.partition}, is not read"
        has = f"{where}: handled up to offset {self.position:,}"
        now = f"it holds offsets {self.extent.begin:,} to {self.extent.end:,} now"
        if self.is_new_topic:
            return f"{has} of the topic {self.former_id}, and is of {self.extent.topic_id}; {now}"
        return f"{has}; {now}"


@attrs.frozen
class CompactedTopic:
    """A topic of which Kafka may delete records that were not handled. It is read nevertheless."""

    topic: str

    def __str__(self) -> str:
        return (
            f"{self.topic} is compacted, so that Kafka deletes records of an order before they "
            "are handled: set cleanup.policy=delete"
        )


def problems(db: sa.Connection, group: str, extents: Mapping[Place, Extent]) -> list[TopicProblem]:
    """Every partition of the given extents that no worker of the group will read."""
    ids = {row.topic: row.id for row in db.execute(sa.select(topic_ids))}
    furthest: dict[Place, int] = {}
    for topic, partition, _, position in _stored(db, group):
        place = (topic, partition)
        if place in extents:
            furthest[place] = max(position, furthest.get(place, 0))
    found = []
    for place, position in sorted(furthest.items()):
        extent = extents[place]
        former = ids.get(place[0], extent.topic_id) if extent.topic_id else ""
        if former != extent.topic_id or position > extent.end:
            found.append(TopicProblem(*place, position, extent, former))
    return found


def affected_orders(
    db: sa.Connection, registry: Registry, found: Iterable[TopicProblem]
) -> list[str]:
    """The orders of sagas in flight that wait for a record of these partitions, oldest first."""
    places = {(problem.topic, problem.partition) for problem in found}
    waits = {
        (saga.name, saga.version, step.name): step.to.topic
        for saga in registry
        for step in saga.rows
    }
    query = sa.select(
        sagas.c.order_id, sagas.c.shard, sagas.c.saga, sagas.c.version, sagas.c.step
    ).where(sagas.c.ended_at.is_(None), sagas.c.shard.in_({shard for _, shard in places}))
    return [
        order_id
        for order_id, shard, name, version, steps in db.execute(query.order_by(sagas.c.no))
        if any((waits.get((name, version, step)), shard) in places for step in steps.split(", "))
    ]


def accept(
    db: Connection,
    reading: sa.Connection,
    group: str,
    found: Sequence[TopicProblem],
    now: float,
    *,
    by: str,
    why: str = "",
    from_end: bool = False,
) -> None:
    """Store the topics as they are now, so that the workers read these partitions again.

    They begin at the first record, or behind the last one if `from_end`. One transaction, which
    logs that `by` asked for it.
    """
    places = {(p.topic, p.partition): p.extent for p in found}
    mark = db.placeholder
    moves = [
        (places[topic, partition].end if from_end else places[topic, partition].begin,
         topic, partition, consumer)
        for topic, partition, consumer, _ in _stored(reading, group)
        if (topic, partition) in places
    ]  # fmt: skip
    ids = {p.topic: p.extent.topic_id for p in found if p.extent.topic_id}
    with db.transaction() as cursor:
        if moves:
            cursor.executemany(
                f"UPDATE offsets SET position = {mark} "
                f"WHERE topic = {mark} AND partition = {mark} AND consumer = {mark}",
                moves,
            )
        if ids:
            cursor.executemany(
                f"UPDATE topic_ids SET id = {mark}, noted_at = {mark} WHERE topic = {mark}",
                [(id_, now, topic) for topic, id_ in ids.items()],
            )
        note_effects(
            db, cursor, Origin(), kind=TOPIC, targets=sorted({p.topic for p in found}),
            action="accept reset", by=by, why=why, now=now,
            detail=f"read from the {'end' if from_end else 'beginning'}",
        )  # fmt: skip


def _stored(db: sa.Connection, group: str) -> list[tuple[str, int, str, int]]:
    query = sa.select(
        offsets.c.topic, offsets.c.partition, offsets.c.consumer, offsets.c.position
    ).where(sa.func.substr(offsets.c.consumer, 1, len(group) + 1) == f"{group}.")
    return [(t, p, consumer, at) for t, p, consumer, at in db.execute(query) if t[:1] != "#"]
