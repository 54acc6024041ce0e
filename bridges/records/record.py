"""A record of a topic, as every log (embedded, Kafka, in memory) hands it over."""

from typing import NamedTuple

import msgspec

Headers = tuple[tuple[str, bytes], ...]


class Record(NamedTuple):
    """A record that was read. `offset` grows within (topic, partition) but may have gaps."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp: float = 0.0
    """Seconds since the Unix epoch, as the log noted it."""


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """A record to be written. Its writer has chosen the partition; no log does that."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
