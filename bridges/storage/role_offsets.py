"""Claims of shards, with the offsets of each role on Kafka's topics."""

from collections.abc import Mapping, Sequence

import attrs

from order_sagas.bridges.storage.connection import Connection
from order_sagas.bridges.storage.consumers import consumer_of_role, shares_roles

EPOCHS = "#epochs"
"""The topic under which the offsets table has the epochs of shards: the number of claims."""


@attrs.frozen
class RoleClaim:
    """Claimed shards, owned until another worker with one of these roles claims them."""

    epochs: dict[int, int]
    offsets: dict[tuple[str, int], dict[str, int]]
    """(topic, partition): the position up to which each role has handled its records."""
    rivals: tuple[str, ...]
    """The consumers of other sets with one of these roles, which can no longer commit."""


class RoleOffsets:
    """The part of the offsets table that belongs to one set of roles of a consumer group.

    `topics` are those on which each role of the set takes records.
    """

    def __init__(
        self, db: Connection, consumer: str, group: str, topics: Mapping[str, Sequence[str]]
    ) -> None:
        self._db = db
        self._consumer = consumer
        self._group = group
        self.topics = topics
        self.name = {role: consumer_of_role(group, role) for role in topics}
        """The consumer of each role's offsets."""
        mark, is_in = db.placeholder, db.is_in
        shards = f"partition {is_in('int')}"
        self._first = (
            "INSERT INTO offsets (topic, partition, consumer, position) "
            f"VALUES ({mark}, {mark}, {mark}, 0) ON CONFLICT DO NOTHING"
        )
        self._sets = f"SELECT DISTINCT consumer FROM offsets WHERE topic = {mark}"
        fenced = f"topic = {mark} AND consumer {is_in('text')} AND {shards}"
        # Sorted, so that two claims do not deadlock.
        self._lock = (
            f"SELECT position FROM offsets WHERE {fenced} "
            f"ORDER BY consumer, partition{db.lock_alone}"
        )
        self._fence = f"UPDATE offsets SET position = position + 1 WHERE {fenced}"
        self._positions = (
            "SELECT topic, partition, consumer, position FROM offsets "
            f"WHERE consumer {is_in('text')} AND {shards}"
        )

    def claim(self, shards: Sequence[int]) -> RoleClaim:
        """Claim shards for the roles of the set.

        No worker that claimed one of them before, with any of these roles, can commit for it from
        now on. The result includes what such a worker has committed.
        """
        db, many = self._db, self._db.many
        first = [(EPOCHS, shard, self._consumer) for shard in shards]
        first += [
            (topic, shard, self.name[role])
            for role, topics in self.topics.items()
            for topic in topics
            for shard in shards
        ]
        with db.transaction() as cursor:
            cursor.executemany(self._first, first)
            found = db.beside(cursor)
            found.execute(self._sets, (EPOCHS,))
            rivals = tuple(
                sorted(
                    name
                    for (name,) in found.fetchall()
                    if name != self._consumer and shares_roles(name, self._group, self.topics)
                )
            )
            ours = many(shards, int)
            fenced = (EPOCHS, many([self._consumer, *rivals], str), ours)
            found = db.beside(cursor)
            found.execute(self._lock, fenced)
            found.fetchall()
            db.beside(cursor).execute(self._fence, fenced)
            names = {name: role for role, name in self.name.items()}
            found = db.beside(cursor)
            found.execute(self._positions, (many([*names, self._consumer], str), ours))
            rows = found.fetchall()
        epochs: dict[int, int] = {}
        offsets: dict[tuple[str, int], dict[str, int]] = {}
        for topic, partition, consumer, position in rows:
            if topic == EPOCHS:
                if consumer == self._consumer:
                    epochs[partition] = position
            elif consumer in names and topic in self.topics[names[consumer]]:
                offsets.setdefault((topic, partition), {})[names[consumer]] = position
        return RoleClaim(epochs, offsets, rivals)
