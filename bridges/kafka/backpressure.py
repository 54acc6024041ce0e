"""What was handed to the owner and not yet settled; the reader's back-pressure."""

import threading
import time
from collections.abc import Callable

from order_sagas.bridges.kafka.consumer_listener import Batch


class Outstanding:
    """The batches that the owner has, and the shards that it was asked to give up. Thread-safe."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._batches: set[Batch] = set()
        self._asked: set[int] = set()
        self._finished = False
        self._changed = threading.Condition()

    def add(self, batch: Batch) -> None:
        """The owner has it now."""
        with self._changed:
            self._batches.add(batch)

    def done(self, batch: Batch) -> None:
        """The owner is done with it; unknown ones are none of ours any more."""
        with self._changed:
            self._batches.discard(batch)
            self._changed.notify_all()

    def forget(self, shards: frozenset[int]) -> None:
        """Nothing of these shards is waited for: batches that hold nothing else are gone."""
        with self._changed:
            self._asked -= shards
            self._batches = {batch for batch in self._batches if not batch.shards <= shards}
            self._changed.notify_all()

    def wait_for_room(self, timeout: float) -> bool:
        """Whether, within `timeout` seconds, one more batch may be handed over."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._batches) < self._limit, timeout)

    def wake(self) -> None:
        """Have `wait_for_room` look again."""
        with self._changed:
            self._changed.notify_all()

    def ask(self, shards: frozenset[int]) -> None:
        """The owner is asked to release these."""
        with self._changed:
            self._asked |= shards

    def released(self, shards: frozenset[int]) -> None:
        """The owner has released these."""
        with self._changed:
            self._asked -= shards
            self._changed.notify_all()

    def finish(self) -> None:
        """The owner is finished with all there is, and with all that will be."""
        with self._changed:
            self._finished = True
            self._changed.notify_all()

    def is_released(self, shards: frozenset[int]) -> bool:
        """Whether the owner has released them all, and has no batch of theirs."""
        with self._changed:
            busy = any(batch.shards & shards for batch in self._batches)
            return self._finished or (not busy and not self._asked & shards)


class Deadline:
    """A moment so many seconds from now."""

    def __init__(self, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._at = monotonic() + seconds

    @property
    def is_over(self) -> bool:
        """Whether it has come."""
        return self._monotonic() >= self._at
