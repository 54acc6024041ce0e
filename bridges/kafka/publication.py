"""The result of publishing records to Kafka."""

import threading
from collections.abc import Callable

from order_sagas.actors.words import many
from order_sagas.bridges.kafka.errors import KafkaClientError, NotAcknowledgedError


class Publication:
    """Records being written. An acknowledged record is on all in-sync replicas. Thread-safe."""

    def __init__(self, count: int) -> None:
        self.failures: dict[int, KafkaClientError] = {}
        """Why records were not acknowledged, by index in what was published."""
        self._waiting = count
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._callbacks: list[Callable[[Publication], None]] = []
        if count == 0:
            self._done.set()

    @property
    def is_done(self) -> bool:
        """True if every record was acknowledged or has failed."""
        return self._done.is_set()

    def wait(self, timeout: float | None = None) -> None:
        """Return when every record is acknowledged.

        Raises the failure with the lowest index, for example RecordTooLargeError, or
        NotAcknowledgedError after `timeout` seconds. Records that failed with NotAcknowledgedError
        may be published again.
        """
        if not self._done.wait(timeout):
            raise NotAcknowledgedError(
                f"{many(self._waiting, 'record')} not acknowledged in {timeout} s."
            )
        if self.failures:
            raise self.failures[min(self.failures)]

    def add_done_callback(self, callback: Callable[["Publication"], None]) -> None:
        """Call `callback` when done, on a thread of the client or, if done already, at once.

        The callback must not block.
        """
        with self._lock:
            if not self._done.is_set():
                self._callbacks.append(callback)
                return
        callback(self)

    def settle(self, count: int) -> None:
        """Note that `count` more records have a result. Can be called from any thread."""
        with self._lock:
            self._waiting -= count
            if self._waiting > 0:
                return
            self._done.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(self)

    def fail(self, place: int, error: KafkaClientError) -> None:
        """Note that the record with this index was not acknowledged.

        Can be called from any thread.
        """
        self.failures[place] = error
        self.settle(1)
