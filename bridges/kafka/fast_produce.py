"""Hands whole batches to kafka-python's producer, instead of calling `send` for each record.

Leaders, retries, idempotence, order and timeouts are still handled by the client. This module uses
private parts of kafka-python. It checks first that they exist; if not, the writer uses `send`. No
other module uses them.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

from kafka import KafkaProducer
from kafka.producer.producer_batch import FinalState, ProducerBatch
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder
from kafka.structs import TopicPartition

from order_sagas.bridges.kafka.clock_watch import ClockWatch
from order_sagas.bridges.kafka.errors import NotAcknowledgedError
from order_sagas.bridges.kafka.record_batch_format import encode_records
from order_sagas.bridges.records.record import Outgoing

Settle = Callable[[Sequence[int], BaseException | None], None]
"""Called with the indexes of records and the error, which is None if they were acknowledged."""


def can_send_whole_batches(producer: KafkaProducer) -> bool:
    """True if this kafka-python has the private parts used here, and can read what they build."""
    accumulator = getattr(producer, "_accumulator", None)
    insides = ("_batches", "_tp_lock", "_incomplete", "_appends_in_progress", "_closed")
    if accumulator is None or not all(hasattr(accumulator, name) for name in insides):
        return False
    if not hasattr(getattr(producer, "_sender", None), "wakeup"):
        return False
    try:
        built = _build([Outgoing("t", 0, b"key", b"value", (("name", b"header"),))])
        built.close()
        (batch,) = MemoryRecords(built.buffer())
        (record,) = batch
        return bool(
            (record.key, record.value, record.headers[0][1]) == (b"key", b"value", b"header")
        )
    except Exception:  # an unknown version may raise anything; it is not used then
        return False


def has_fatal_error(producer: KafkaProducer) -> bool:
    """True if the producer can no longer be used: an idempotent one stops after a fatal error."""
    manager = getattr(producer, "_transaction_manager", None)
    return manager is not None and bool(manager.has_fatal_error())


def send_whole_batch(
    producer: KafkaProducer,
    topic: str,
    partition: int,
    records: Sequence[Outgoing],
    places: Sequence[int],
    settle: Settle,
    clocks: ClockWatch,
) -> None:
    """Send all the records at once as one batch, without lingering."""
    accumulator = producer._accumulator
    target = TopicPartition(topic, partition)
    accumulator._appends_in_progress.increment()
    try:
        with accumulator._tp_lock(target):
            if accumulator._closed:
                raise ValueError("The writer is closed.")
            batch = _Batch(target, _build(records), places, settle, clocks)
            accumulator._batches[target].append(batch)
            accumulator._incomplete.add(batch)
    finally:
        accumulator._appends_in_progress.decrement()


class _Batch(ProducerBatch):
    """A batch with one future for all its records, unless the broker makes the client split it."""

    def __init__(
        self,
        target: TopicPartition,
        records: MemoryRecordsBuilder,
        places: Sequence[int],
        settle: Settle,
        clocks: ClockWatch,
    ) -> None:
        super().__init__(target, records)
        self._clocks = clocks
        self._sent = clocks.now()
        self._places = places
        self._settle = settle
        self.produce_future.add_callback(self._completed)
        self.produce_future.add_errback(lambda error: settle(places, error))

    def _completed(
        self, result: tuple[int, int | None, Callable[[int], BaseException] | None]
    ) -> None:
        _, appended, errors = result
        if errors is None:
            if appended is not None and appended >= 0:  # the topic has the times of the broker
                topic = self.topic_partition.topic
                self._clocks.acknowledged(topic, self._sent, appended / 1000)
            self._settle(self._places, None)
        elif self.final_state == FinalState.ABORTED:
            given_up = NotAcknowledgedError(f"Not sent because of another batch: {errors(0)}")
            self._settle(self._places, given_up)
        else:
            for index, place in enumerate(self._places):
                self._settle([place], errors(index))

    @property
    def _record_futures(self) -> list["_Piece"]:
        # Read by the client when it splits the batch, whose own future is then never completed.
        return [_Piece(place, self._settle) for place in self._places]

    @_record_futures.setter
    def _record_futures(self, value: list[Any]) -> None:
        pass


class _Piece:
    """One record of a batch that was split. It follows the future of its new batch."""

    def __init__(self, place: int, settle: Settle) -> None:
        self._places = [place]
        self._settle = settle
        self._future: Any = None
        self._index = 0

    def rebind(self, future: Any, index: int) -> None:
        """Follow another future, in which this record has the given index."""
        self._future, self._index = future, index
        future.add_callback(lambda result: self._completed(future, result))
        future.add_errback(lambda error: self._settle(self._places, error))

    def _completed(self, future: Any, result: tuple[Any, Any, Any]) -> None:
        if future is self._future:  # false for a batch that was itself split again
            errors = result[2]
            self._settle(self._places, None if errors is None else errors(self._index))


def _build(records: Sequence[Outgoing]) -> MemoryRecordsBuilder:
    # With a batch size of 1 every batch counts as full, and is sent at once.
    whole = MemoryRecordsBuilder(2, 0, batch_size=1)
    builder = whole._builder
    builder._buffer += encode_records(records)
    builder._num_records = len(records)
    builder._last_offset = len(records) - 1
    builder._first_timestamp = builder._max_timestamp = int(time.time() * 1000)
    whole._next_offset = len(records)
    return whole
