"""The outbox: records that are stored with what caused them, until they are published."""

from collections.abc import Iterable, Sequence
from typing import Any

from order_sagas.bridges.records.record import Outgoing
from order_sagas.bridges.storage.connection import Connection
from order_sagas.bridges.storage.headers import pack, unpack
from order_sagas.bridges.storage.rows import Row

SUBMITTED = "#submitted"
"""The consumer of outbox rows that were written by submitters, outside of workers."""
ALL = 2**31 - 1
"""A limit that includes all rows."""


class OutboxTable:
    """The rows of one consumer, the worker's set of roles, and those of submitters."""

    def __init__(self, db: Connection, consumer: str) -> None:
        self._db = db
        self._consumer = consumer
        mark, is_in = db.placeholder, db.is_in
        columns = "SELECT id, topic, partition, key, value, headers FROM outbox"
        self._delete = f"DELETE FROM outbox WHERE id {is_in('bigint')}"
        self._add = (
            "INSERT INTO outbox (id, consumer, shard, topic, partition, key, value, headers) "
            f"VALUES ({', '.join([mark] * 8)})"
        )
        self._replace = (
            f"UPDATE outbox SET topic = {mark}, partition = {mark}, key = {mark}, value = {mark}, "
            f"headers = {mark} WHERE id = {mark}"
        )
        self._of_consumers = (
            f"{columns} WHERE consumer {is_in('text')} AND shard {is_in('int')} ORDER BY id"
        )
        # The name is a literal, since a partial index cannot be used with a parameter.
        self._of_submitters = (
            f"{columns} WHERE consumer = '{SUBMITTED}' AND shard {is_in('int')} "
            f"ORDER BY id LIMIT {mark}"
        )

    def unpublished(self, shards: Sequence[int], *consumers: str) -> list[tuple[int, Outgoing]]:
        """Return the outbox rows of these shards, (id, record), by id: they may be unpublished.

        Without `consumers`, those of the own consumer.
        """
        names = list(consumers or (self._consumer,))
        if names == [SUBMITTED]:
            return self.submitted(shards, ALL)
        values = (self._db.many(names, str), self._db.many(shards, int))
        return _outgoing(self._db.rows(self._of_consumers, values))

    def submitted(self, shards: Sequence[int], limit: int) -> list[tuple[int, Outgoing]]:
        """Return the oldest outbox rows of submitters, of these shards, at most `limit`."""
        values = (self._db.many(shards, int), limit)
        return _outgoing(self._db.rows(self._of_submitters, values))

    def delete(self, cursor: Any, ids: Sequence[int]) -> None:
        """Within a transaction: delete outbox rows that Kafka has acknowledged."""
        cursor.execute(self._delete, (self._db.many(list(ids), int),))

    def add(self, cursor: Any, rows: list[tuple[int, Outgoing]]) -> list[int]:
        """Within a transaction: insert outbox rows, each with its shard; return their ids."""
        ids = self._db.take_ids(cursor, "outbox", len(rows))
        self._db.insert(
            cursor,
            self._add,
            [
                (i, self._consumer, shard, o.topic, o.partition, o.key, o.value, pack(o.headers))
                for i, (shard, o) in zip(ids, rows, strict=True)
            ],
        )
        return ids

    def replace(self, cursor: Any, refused: Sequence[tuple[int, Outgoing]]) -> None:
        """Within a transaction: replace outbox rows by the dead letters of their records.

        The id and the shard stay the same.
        """
        cursor.executemany(
            self._replace,
            [
                (o.topic, o.partition, o.key, o.value, pack(o.headers), number)
                for number, o in refused
            ],
        )


def _outgoing(rows: Iterable[Row]) -> list[tuple[int, Outgoing]]:
    return [
        (number, Outgoing(topic, partition, key, value, unpack(headers)))
        for number, topic, partition, key, value, headers in rows
    ]
