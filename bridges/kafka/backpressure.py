"""Back-pressure of the consumer: the batches that were handed over and are not done yet."""

import threading
import time
from collections.abc import Callable

from order_sagas.bridges.kafka.consumer_listener import Batch


class Outstanding:
    """The batches that the owner has, and the shards that it was asked to release. Thread-safe."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._batches: set[Batch] = set()
        self._asked: set[int] = set()
        self._finished = False
        self._changed = threading.Condition()

    def add(self, batch: Batch) -> None:
        """Note that a batch was handed to the owner."""
        with self._changed:
            self._batches.add(batch)

    def done(self, batch: Batch) -> None:
        """Note that the owner is done with a batch. Batches that were forgotten are ignored."""
        with self._changed:
            self._batches.discard(batch)
            self._changed.notify_all()

    def forget(self, shards: frozenset[int]) -> None:
        """Stop waiting for these shards; drop the batches that hold only their records."""
        with self._changed:
            self._asked -= shards
            self._batches = {batch for batch in self._batches if not batch.shards <= shards}
            self._changed.notify_all()

    def wait_for_room(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds; true if another batch may be handed over."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._batches) < self._limit, timeout)

    def wake(self) -> None:
        """Let `wait_for_room` check its condition again."""
        with self._changed:
            self._changed.notify_all()

    def ask(self, shards: frozenset[int]) -> None:
        """Note that the owner was asked to release these shards."""
        with self._changed:
            self._asked |= shards

    def released(self, shards: frozenset[int]) -> None:
        """Note that the owner has released these shards."""
        with self._changed:
            self._asked -= shards
            self._changed.notify_all()

    def finish(self) -> None:
        """Treat everything as done and released, now and later."""
        with self._changed:
            self._finished = True
            self._changed.notify_all()

    def is_released(self, shards: frozenset[int]) -> bool:
        """True if the owner has released these shards and has no batch with their records."""
        with self._changed:
            busy = any(batch.shards & shards for batch in self._batches)
            return self._finished or (not busy and not self._asked & shards)


class Deadline:
    """A point in time, `seconds` from now."""

    def __init__(self, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._at = monotonic() + seconds

    @property
    def is_over(self) -> bool:
        """True if it has passed."""
        return self._monotonic() >= self._at
