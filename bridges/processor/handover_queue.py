"""Records that the consumer handed over and no batch has taken yet."""

from collections import deque
from collections.abc import Collection

from order_sagas.bridges.kafka.consumer_listener import Batch as Handover
from order_sagas.bridges.records.record import Record


class HandoverQueue:
    """Handovers in the order in which they came. A batch may take part of one."""

    def __init__(self) -> None:
        self._queue: deque[tuple[Handover, list[Record]]] = deque()

    def __bool__(self) -> bool:
        """Whether a handover is queued."""
        return bool(self._queue)

    def add(self, handover: Handover) -> None:
        """Queue a handover."""
        self._queue.append((handover, handover.records))

    def take(self, limit: int, finished: list[Handover]) -> list[Record]:
        """Return the next records of the first handover, at most `limit`.

        The handover is added to `finished` when its last record is taken.
        """
        handover, records = self._queue[0]
        if len(records) > limit:
            self._queue[0] = (handover, records[limit:])
            return records[:limit]
        self._queue.popleft()
        finished.append(handover)
        return records

    def drop_records(self, shards: Collection[int]) -> None:
        """Drop the records of these shards; their handovers stay."""
        self._queue = deque(
            (handover, [r for r in records if r.partition not in shards])
            for handover, records in self._queue
        )

    def drop_unless(self, shards: Collection[int]) -> list[Handover]:
        """Drop, and return, the handovers that hold records of none of these shards."""
        dropped = [handover for handover, _ in self._queue if handover.shards.isdisjoint(shards)]
        self._queue = deque(each for each in self._queue if each[0] not in dropped)
        return dropped
