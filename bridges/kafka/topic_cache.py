"""A cache of a small topic that is read repeatedly: each read fetches only new records."""

import threading
from collections.abc import Callable

from order_sagas.bridges.kafka.connection import KafkaConnection
from order_sagas.bridges.kafka.topic_scan import read_on
from order_sagas.bridges.records.record import Record

NEWEST = 10_000
"""Default number of records that are kept."""


class KeptTopic:
    """The newest records of a topic, in memory. Thread-safe.

    If there are more than `newest` records, those with the oldest timestamps are left out. `keep`
    returns the part of a record that is kept, so that large ones do not fill the memory. Records
    that the topic has deleted are dropped too. A topic that was created again is read from its
    beginning.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        topic: str,
        partitions: int,
        newest: int = NEWEST,
        keep: Callable[[Record], Record] | None = None,
    ) -> None:
        self._connection = connection
        self._topic = topic
        self._partitions = partitions
        self._newest = newest
        self._keep = keep
        self._reading = threading.Lock()
        self._positions: dict[int, int] = {}
        self._records: list[Record] = []
        self.taken = 0
        """Number of records that were read from the topic so far."""

    def read(self) -> list[Record]:
        """The records that the topic has now; raises BrokerUnreachableError."""
        with self._reading:
            at = {each: self._positions.get(each, 0) for each in range(self._partitions)}
            more = read_on(self._connection, self._topic, at, self._keep)
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
