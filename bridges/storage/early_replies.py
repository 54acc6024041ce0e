"""Replies that came too early: before their saga began, or before their step was sent.

They are written and deleted in the fenced transactions of batches.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import attrs

from order_sagas.bridges.records.record import Record
from order_sagas.bridges.storage.headers import pack, unpack

if TYPE_CHECKING:
    from order_sagas.bridges.storage.connection import Connection


@attrs.frozen
class EarlyReply:
    """A record that is kept for an order. `at` is when it came, in seconds since the Unix epoch."""

    shard: int
    order_id: str
    record: Record
    at: float

    @property
    def id(self) -> str:
        """The same for records of the same content: a record that came twice is kept once."""
        record = self.record
        parts = (record.topic.encode(), self.order_id.encode(), record.value or b"")
        return sha256(b"\0".join(parts)).hexdigest()


class EarlyReplyTable:
    """The table, on the connection of a store. `consumer` is that of all roles of a group."""

    def __init__(self, db: "Connection", consumer: str) -> None:
        self._db = db
        self._consumer = consumer
        mark = db.placeholder
        self._insert = (
            "INSERT INTO early_replies (id, consumer, shard, order_id, topic, partition, position, "
            f"key, value, headers, at) VALUES ({', '.join([mark] * 11)}) ON CONFLICT DO NOTHING"
        )
        self._delete = f"DELETE FROM early_replies WHERE id {db.is_in('text')}"
        self._of_shards = (
            "SELECT shard, order_id, topic, partition, position, key, value, headers, at "
            f"FROM early_replies WHERE consumer = {mark} AND shard {db.is_in('int')} "
            "ORDER BY at, id"
        )

    def of(self, shards: Sequence[int]) -> list[EarlyReply]:
        """What is kept for orders of these shards, the oldest first."""
        rows = self._db.rows(self._of_shards, (self._consumer, self._db.many(shards, int)))
        return [
            EarlyReply(
                shard,
                order_id,
                Record(topic, partition, position, key, value, unpack(headers), at),
                at,
            )
            for shard, order_id, topic, partition, position, key, value, headers, at in rows
        ]

    def store(self, cursor: Any, kept: Sequence[EarlyReply], settled: Sequence[str]) -> None:
        """Within a transaction: keep some, and delete those with the ids `settled`."""
        if settled:
            cursor.execute(self._delete, (self._db.many(settled, str),))
        if kept:
            cursor.executemany(self._insert, [self._row(each) for each in kept])

    def _row(self, each: EarlyReply) -> tuple[Any, ...]:
        record = each.record
        return (
            each.id, self._consumer, each.shard, each.order_id, record.topic, record.partition,
            record.offset, record.key, record.value, pack(record.headers), each.at,
        )  # fmt: skip
