"""Pauses of services, and the records that are deferred because of them.

Deferred records are written and deleted in the transactions of batches.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import attrs
import sqlalchemy as sa

from order_sagas.bridges.records.record import Record
from order_sagas.bridges.storage.headers import pack, unpack
from order_sagas.bridges.storage.schema import Number, metadata, partial_index

if TYPE_CHECKING:
    from order_sagas.bridges.storage.connection import Connection

INTAKE = "intake"
"""Name of the pause under which no new saga begins. Other names are those of services."""

pauses = sa.Table(
    "pauses",
    metadata,
    sa.Column("id", Number, sa.Identity(), primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("since", sa.Float(53), nullable=False),
    sa.Column("until", sa.Float(53)),
    sa.Column("ended_by", sa.Text),
    sa.Column("ended_why", sa.Text),
)
"""All pauses, present and past. `until` is NULL while a pause lasts; each name has one at most."""
partial_index("pauses_that_last", pauses.c.name, unique=True, where=pauses.c.until.is_(None))

parked = sa.Table(
    "parked",
    metadata,
    sa.Column("id", Number, sa.Identity(), primary_key=True),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("consumer", sa.Text, nullable=False),
    sa.Column("shard", sa.Integer, nullable=False),
    sa.Column("receiver", sa.Text, nullable=False),
    sa.Column("order_id", sa.Text, nullable=False),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("partition", sa.Integer, nullable=False),
    sa.Column("position", Number, nullable=False),
    sa.Column("key", sa.LargeBinary),
    sa.Column("value", sa.LargeBinary),
    sa.Column("headers", sa.LargeBinary),
    sa.Column("at", sa.Float(53), nullable=False),
)
"""Deferred records for `receiver`, because of the pause of `target`, in order of arrival."""
sa.Index("parked_for", parked.c.target, parked.c.consumer, parked.c.id)


@attrs.frozen
class Pause:
    """A pause of a service or of the intake, in epoch seconds; `until` is None while it lasts."""

    name: str
    by: str
    why: str
    since: float
    until: float | None = None
    ended_by: str = ""
    ended_why: str = ""


class DeferredRecord(NamedTuple):
    """A record to be delivered to `receiver` after the pause of `target`."""

    shard: int
    target: str
    receiver: str
    order_id: str
    record: Record


class DeferralTable:
    """The tables of pauses and of deferred records, on the connection of a store.

    Records are stored under one consumer, whichever roles a worker runs, and are delivered by a
    worker that runs their receiver.
    """

    def __init__(self, db: "Connection", consumer: str) -> None:
        self._db = db
        self._consumer = consumer
        mark = db.placeholder
        ours = (
            f"target = {mark} AND consumer = {mark} AND shard {db.is_in('int')} "
            f"AND receiver {db.is_in('text')}"
        )
        self._insert = (
            "INSERT INTO parked (target, consumer, shard, receiver, order_id, topic, partition, "
            f"position, key, value, headers, at) VALUES ({', '.join([mark] * 12)})"
        )
        self._delete = f"DELETE FROM parked WHERE id {db.is_in('bigint')}"
        self._next = (
            "SELECT id, receiver, topic, partition, position, key, value, headers, at "
            f"FROM parked WHERE {ours} ORDER BY id LIMIT {mark}"
        )
        self._orders = f"SELECT DISTINCT order_id FROM parked WHERE {ours}"
        self._targets = (
            f"SELECT DISTINCT target FROM parked WHERE consumer = {mark} "
            f"AND shard {db.is_in('int')} AND receiver {db.is_in('text')}"
        )
        self._any = f"SELECT 1 FROM parked WHERE target = {mark} LIMIT 1"
        self._pauses = (
            "SELECT name, by, why, since, until, coalesce(ended_by, ''), coalesce(ended_why, '') "
            f"FROM pauses WHERE until IS NULL OR until >= {mark} "
            "OR id IN (SELECT max(id) FROM pauses GROUP BY name) ORDER BY id"
        )

    def pauses(self, since: float) -> list[Pause]:
        """Return the present pauses, the last of each name, and those that ended after `since`.

        They are in the order of their beginning. A pause ends by the clock of the process that
        ended it, so the last one of a name may have an end before `since`.
        """
        return [Pause(*row) for row in self._db.rows(self._pauses, (since,))]

    def targets(self, shards: Sequence[int], receivers: Sequence[str]) -> set[str]:
        """Return the pauses for which records of these shards are deferred for these receivers."""
        ours = (self._consumer, self._db.many(shards, int), self._db.many(receivers, str))
        rows = self._db.rows(self._targets, ours)
        return {target for (target,) in rows}

    def any_for(self, target: str) -> bool:
        """Whether any record is deferred because of this pause, on any shard."""
        return next(self._db.rows(self._any, (target,)), None) is not None

    def orders(self, target: str, shards: Sequence[int], receivers: Sequence[str]) -> set[str]:
        """Return the order ids of the records that are deferred, of these shards and receivers."""
        rows = self._db.rows(self._orders, self._ours(target, shards, receivers))
        return {order_id for (order_id,) in rows}

    def next(
        self, target: str, shards: Sequence[int], receivers: Sequence[str], limit: int
    ) -> list[tuple[int, str, Record]]:
        """Return at most `limit` deferred records, oldest first: (id, receiver, record)."""
        ours = (*self._ours(target, shards, receivers), limit)
        return [
            (number, receiver, Record(topic, partition, position, key, value, unpack(headers), at))
            for number, receiver, topic, partition, position, key, value, headers, at in (
                self._db.rows(self._next, ours)
            )
        ]

    def _ours(
        self, target: str, shards: Sequence[int], receivers: Sequence[str]
    ) -> tuple[Any, ...]:
        many = self._db.many
        return (target, self._consumer, many(shards, int), many(receivers, str))

    def store(
        self, cursor: Any, kept: Iterable[DeferredRecord], given: Sequence[int], now: float
    ) -> None:
        """Within a transaction: insert deferred records, and delete those that were delivered."""
        rows = [
            (
                p.target, self._consumer, p.shard, p.receiver, p.order_id, p.record.topic,
                p.record.partition, p.record.offset, p.record.key, p.record.value,
                pack(p.record.headers), now,
            )
            for p in kept
        ]  # fmt: skip
        if given:
            cursor.execute(self._delete, (self._db.many(given, int),))
        if rows:
            cursor.executemany(self._insert, rows)
