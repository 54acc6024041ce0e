"""A small topic that is looked at again and again: read once, and on from there."""

import threading

from order_sagas.bridges.kafka.connection import KafkaConnection
from order_sagas.bridges.kafka.topic_scan import read_on
from order_sagas.bridges.records.record import Record

NEWEST = 10_000
"""Records that are kept, unless another number is given."""


class KeptTopic:
    """The newest records of a topic, kept in memory for as long as the process lives.

    `read` may be called from any thread. Of more than `newest` records the oldest, by their
    timestamps, are not answered any more, though the topic has them. What the topic has let go of
    is forgotten with it, and a topic that was made anew is read anew.
    """

    def __init__(
        self, connection: KafkaConnection, topic: str, partitions: int, newest: int = NEWEST
    ) -> None:
        self._connection = connection
        self._topic = topic
        self._partitions = partitions
        self._newest = newest
        self._reading = threading.Lock()
        self._positions: dict[int, int] = {}
        self._records: list[Record] = []
        self.taken = 0
        """Records that were read from the topic, in all."""

    def read(self) -> list[Record]:
        """What there is now; raises BrokerUnreachableError when nobody answers."""
        with self._reading:
            at = {each: self._positions.get(each, 0) for each in range(self._partitions)}
            more = read_on(self._connection, self._topic, at)
            known = [] if more.is_anew else self._records
            self.taken += len(more.records)
            records = [
                record
                for record in (*known, *more.records)
                if record.offset >= more.begins[record.partition]
            ]
            if len(records) > self._newest:
                records.sort(key=lambda record: record.timestamp)
                del records[: -self._newest]
            self._records, self._positions = records, dict(more.ends)
            return list(records)
