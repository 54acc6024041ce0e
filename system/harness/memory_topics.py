"""Topics in memory, as a broker keeps them: partitions that grow, and outlive their readers."""

from collections.abc import Iterator

from order_sagas.bridges.records.record import Outgoing, Record


class Topics:
    """Every record of every topic, in the order in which it arrived."""

    def __init__(self) -> None:
        self._logs: dict[tuple[str, int], list[Record]] = {}

    def append(self, outgoing: Outgoing, now: float) -> None:
        """Write a record behind the others of its partition."""
        place = (outgoing.topic, outgoing.partition)
        log = self._logs.setdefault(place, [])
        log.append(
            Record(*place, len(log), outgoing.key, outgoing.value, outgoing.headers, timestamp=now)
        )

    def end(self, place: tuple[str, int]) -> int:
        """The offset that the next record of a (topic, partition) will have."""
        return len(self._logs.get(place, ()))

    def read(self, place: tuple[str, int], position: int, limit: int) -> list[Record]:
        """The records of a partition from a position on."""
        return self._logs.get(place, [])[position : position + limit]

    def __iter__(self) -> Iterator[Record]:
        for log in self._logs.values():
            yield from log
