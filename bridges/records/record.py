"""Records of topics, the same for every log (embedded, Kafka, in memory)."""

from typing import NamedTuple

import msgspec

Headers = tuple[tuple[str, bytes], ...]
"""Names and values of a record's headers, in order."""


class Record(NamedTuple):
    """A record that was read. `offset` grows within (topic, partition), and may have gaps."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp: float = 0.0
    """Time of the record in the log, in seconds since the Unix epoch."""


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """A record to be written. Its creator chooses the partition, not the log."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
