"""What became of records that were handed to Kafka."""

import threading
from collections.abc import Callable

from actors.words import many
from bridges.kafka.errors import KafkaBridgeError, NotAcknowledgedError


class Publication:
    """Records on their way. What is acknowledged is on all in-sync replicas, in their order."""

    def __init__(self, count: int) -> None:
        self.failures: dict[int, KafkaBridgeError] = {}
        """Why a record was not acknowledged, by its place in what was published."""
        self._waiting = count
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._callbacks: list[Callable[[Publication], None]] = []
        if count == 0:
            self._done.set()

    @property
    def is_done(self) -> bool:
        """Whether every record was acknowledged or has failed."""
        return self._done.is_set()

    def wait(self, timeout: float | None = None) -> None:
        """Return once every record is acknowledged.

        Raises the first failure, `RecordTooLargeError` say; `NotAcknowledgedError` when `timeout`
        seconds pass first. Records that failed with the latter may be published again.
        """
        if not self._done.wait(timeout):
            raise NotAcknowledgedError(
                f"{many(self._waiting, 'record')} not acknowledged in {timeout} s."
            )
        if self.failures:
            raise self.failures[min(self.failures)]

    def add_done_callback(self, callback: Callable[["Publication"], None]) -> None:
        """Call it when done, on a thread of the client (or here and now): it must not block."""
        with self._lock:
            if not self._done.is_set():
                self._callbacks.append(callback)
                return
        callback(self)

    def settle(self, count: int) -> None:
        """Note that so many more records were acknowledged. Any thread."""
        with self._lock:
            self._waiting -= count
            if self._waiting > 0:
                return
            self._done.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(self)

    def fail(self, place: int, error: KafkaBridgeError) -> None:
        """Note that the record in this place was not acknowledged. Any thread."""
        self.failures[place] = error
        self.settle(1)
