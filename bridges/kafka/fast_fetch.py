"""Makes kafka-python's consumer unpack batches directly into `Record` objects.

The client itself creates two objects and reads about thirty properties for each record, and fails
for ever on a record with a header name that is not UTF-8. This module uses private parts of
kafka-python. It checks first that they exist; if not, the consumer converts record by record.
"""

from collections.abc import Iterator
from typing import Any

from kafka import KafkaConsumer
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.record.default_records import DefaultRecordBatch

from order_sagas.bridges.kafka.record_batch_format import read_records
from order_sagas.bridges.records.record import Record

_INSIDES = ("_unpack_records", "_consume_aborted_transactions_up_to", "_contains_abort_marker")
"""Private methods of kafka-python's `PartitionRecords` that are used here."""


def unpack_whole_batches(consumer: KafkaConsumer) -> bool:
    """Make `poll` return `Record` objects; false if this kafka-python does not allow it."""
    theirs = getattr(Fetcher, "PartitionRecords", None)
    fetcher = getattr(consumer, "_fetcher", None)
    if fetcher is None or not all(hasattr(theirs, name) for name in _INSIDES):
        return False
    if not {"_buffer", "_pos"} <= set(DefaultRecordBatch.__slots__):
        return False
    fetcher.PartitionRecords = _PartitionRecords
    return True


def convert(record: Any) -> Record:
    """The `Record` for a record of kafka-python's."""
    if isinstance(record, Record):
        return record
    headers = tuple((name, value or b"") for name, value in record.headers)
    return Record(
        record.topic,
        record.partition,
        record.offset,
        record.key,
        record.value,
        headers,
        record.timestamp / 1000,
    )


class _PartitionRecords(Fetcher.PartitionRecords):
    def _unpack_records(
        self, tp: Any, records: Any, key_deserializer: Any, value_deserializer: Any
    ) -> Iterator[Any]:
        last = None
        while (batch := records.next_batch()) is not None:
            if not isinstance(batch, DefaultRecordBatch):
                raise CorruptRecordError(f"{tp} holds records of a format from before Kafka 0.11.")
            last = batch
            if self.check_crcs and not batch.validate_crc():
                raise CorruptRecordError(
                    f"A batch of {tp} at offset {batch.base_offset} has a wrong checksum."
                )
            self.leader_epoch = batch.leader_epoch
            if self._is_hidden(batch):
                self.next_fetch_offset = batch.next_offset
                continue
            for record in _read(tp, batch):
                self.next_fetch_offset = record.offset + 1
                yield record
        if last is not None:
            # Compaction may have removed the last records of the last batch.
            self.next_fetch_offset = last.next_offset
        self.drain()

    def _is_hidden(self, batch: DefaultRecordBatch) -> bool:
        """True if the batch belongs to an aborted transaction, or only marks the end of one."""
        if batch.has_producer_id():
            self._consume_aborted_transactions_up_to(batch.last_offset)
            if self._contains_abort_marker(batch):
                self.aborted_producer_ids.discard(batch.producer_id)
            elif self._is_batch_aborted(batch):
                return True
        return bool(batch.is_control_batch)


def _read(tp: Any, batch: DefaultRecordBatch) -> Iterator[Record]:
    batch._maybe_uncompress()
    by_broker = batch.timestamp_type == batch.LOG_APPEND_TIME
    try:
        yield from read_records(
            bytes(memoryview(batch._buffer)[batch._pos :]),
            batch.records_count,
            topic=tp.topic,
            partition=tp.partition,
            base_offset=batch.base_offset,
            timestamp=batch.max_timestamp if by_broker else batch.first_timestamp,
            one_timestamp=by_broker,
        )
    except (ValueError, IndexError) as error:
        raise CorruptRecordError(
            f"A batch of {tp} at offset {batch.base_offset} cannot be read: {error}"
        ) from error
