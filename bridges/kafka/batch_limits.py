"""The maximum size of a batch of each topic, as far as Kafka reports it."""

import time
from collections.abc import Callable, Sequence

import structlog

from order_sagas.actors.topics import DEAD_LETTERS
from order_sagas.bridges.kafka.connection import KafkaConnection
from order_sagas.bridges.kafka.errors import KafkaRefusedError
from order_sagas.bridges.kafka.topics import batch_limits

_log = structlog.get_logger(__name__)

OVERHEAD = 128
"""Maximum number of bytes of a batch's header and a record's lengths, without its headers."""
_USUAL = 1_000_000
"""Bytes of a batch for a topic whose limit is unknown; for dead letters twice that."""
_AGE = 10.0
"""Seconds for which a limit that a record exceeds is not read again."""


class BatchLimits:
    """The limits of topics in bytes, without the overhead of a batch."""

    def __init__(
        self, connection: KafkaConnection, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._connection = connection
        self._monotonic = monotonic
        self._known: dict[str, int] = {}
        self._read_again: dict[str, float] = {}
        """When a limit that a record exceeds may be read again (monotonic seconds)."""

    def of(self, topic: str) -> int:
        """Return the limit of a topic."""
        return self._known.get(topic, 2 * _USUAL if topic == DEAD_LETTERS else _USUAL)

    def largest(self) -> int:
        """Return the largest limit of all topics."""
        return max(self.of(DEAD_LETTERS), *self._known.values(), 0)

    def learn(self, topics: Sequence[str]) -> None:
        """Read the limits of topics; they stay as they were if they may not be read.

        Raises KafkaClientError if Kafka cannot be asked.
        """
        try:
            limits = batch_limits(self._connection, topics)
        except KafkaRefusedError as error:
            _log.warning("kafka.batch_limit_unknown", error=str(error))
            return
        self._known |= {topic: limit - OVERHEAD for topic, limit in limits.items()}

    def learn_again(self) -> None:
        """Read all limits that are known, since one may have been lowered. Raises as `learn`."""
        if self._known:
            self.learn([*self._known])

    def exceeded(self, topic: str) -> None:
        """A record exceeds the limit: read it again, since it may have been raised.

        Has no effect if that was done in the last seconds. Raises as `learn`.
        """
        now = self._monotonic()
        if now >= self._read_again.get(topic, now):
            self.learn([topic])
            self._read_again[topic] = now + _AGE
