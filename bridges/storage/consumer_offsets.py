"""Claims of shards, the fencing tokens of commits, and the offsets of one consumer."""

from collections.abc import Callable, Sequence
from typing import Any

import attrs

from order_sagas.bridges.errors import LostShardError
from order_sagas.bridges.storage.changes import Changes
from order_sagas.bridges.storage.connection import Connection
from order_sagas.bridges.storage.role_offsets import EPOCHS


@attrs.frozen
class Claim:
    """Claimed shards. They are owned until another worker claims them."""

    epochs: dict[int, int]
    offsets: dict[tuple[str, int], int]
    """(topic, partition): the position up to which records are handled; 0 if none is."""


class ConsumerOffsets:
    """The part of the offsets table that belongs to one consumer: a set of roles."""

    def __init__(self, db: Connection, consumer: str) -> None:
        self._db = db
        self._consumer = consumer
        mark, is_in = db.placeholder, db.is_in
        self._claim = (
            f"UPDATE offsets SET position = position + 1 WHERE topic = {mark} "
            f"AND consumer = {mark} AND partition {is_in('int')}"
        )
        self._positions = (
            f"SELECT topic, partition, position FROM offsets WHERE consumer = {mark} "
            f"AND partition {is_in('int')} AND topic {is_in('text')}"
        )
        self._epochs = (
            f"SELECT partition, position FROM offsets WHERE topic = {mark} "
            f"AND consumer = {mark} AND partition {is_in('int')}{db.lock}"
        )
        self._first_offset = (
            "INSERT INTO offsets (topic, partition, consumer, position) "
            f"VALUES ({mark}, {mark}, {mark}, {mark}) ON CONFLICT DO NOTHING"
        )

    def claim(self, topics: Sequence[str], shards: Sequence[int]) -> Claim:
        """Raise the epochs of shards, and return them with the offsets of these topics."""
        with self._db.transaction() as cursor:
            cursor.executemany(
                self._first_offset,
                [(topic, s, self._consumer, 0) for topic in (EPOCHS, *topics) for s in shards],
            )
            ours = self._db.many(shards, int)
            cursor.execute(self._claim, (EPOCHS, self._consumer, ours))
            names = self._db.many((EPOCHS, *topics), str)
            found = self._db.beside(cursor)
            found.execute(self._positions, (self._consumer, ours, names))
            positions = {(topic, partition): at for topic, partition, at in found.fetchall()}
        epochs = {shard: positions.pop((EPOCHS, shard)) for shard in shards}
        return Claim(epochs, positions)

    def check_epochs(self, cursor: Any, epochs: dict[int, int]) -> Callable[[], None]:
        """Within a transaction: lock the epochs of owned shards against other claims.

        Returns a function that raises LostShardError if one is not as given.
        """
        if not epochs:
            return _nothing
        found = self._db.beside(cursor)
        found.execute(self._epochs, (EPOCHS, self._consumer, self._db.many([*epochs], int)))

        def check() -> None:
            stored = dict(found.fetchall())
            for shard, epoch in epochs.items():
                if stored.get(shard) != epoch:
                    lost = "was claimed by another worker" if shard in stored else "has no epoch"
                    raise LostShardError(f"shard {shard} {lost}")

        return check

    def move(self, cursor: Any, changes: Changes) -> Callable[[], None]:
        """Within a transaction: compare and set the offsets of a batch.

        Returns a function that raises LostShardError if one was not as before the batch.
        """
        consumer = self._consumer
        moves = [
            (topic, partition, consumer, before, after)
            for (topic, partition), (before, after) in changes.offsets.items()
            if before != after
        ]
        moves += changes.moves
        if not moves:
            return _nothing
        moved = self._db.move_offsets(self._db.beside(cursor), moves)

        def check() -> None:
            if moved() != len(moves):
                raise LostShardError(
                    f"an offset of partitions {sorted({move[1] for move in moves})} was moved by "
                    "another worker"
                )

        return check


def _nothing() -> None:
    return None
