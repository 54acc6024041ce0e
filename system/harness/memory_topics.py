"""Topics in memory: append-only partitions."""

from collections.abc import Iterator

from order_sagas.bridges.records.record import Outgoing, Record


class Topics:
    """All records of all topics. Iteration is by partition, in order within each."""

    def __init__(self) -> None:
        self._logs: dict[tuple[str, int], list[Record]] = {}

    def append(self, outgoing: Outgoing, now: float) -> None:
        """Append a record to its partition."""
        place = (outgoing.topic, outgoing.partition)
        log = self._logs.setdefault(place, [])
        log.append(
            Record(*place, len(log), outgoing.key, outgoing.value, outgoing.headers, timestamp=now)
        )

    def end(self, place: tuple[str, int]) -> int:
        """Return the next offset of a (topic, partition)."""
        return len(self._logs.get(place, ()))

    def read(self, place: tuple[str, int], position: int, limit: int) -> list[Record]:
        """Return at most `limit` records of a partition, from `position` on."""
        return self._logs.get(place, [])[position : position + limit]

    def __iter__(self) -> Iterator[Record]:
        for log in self._logs.values():
            yield from log
