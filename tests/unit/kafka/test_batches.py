"""Batches built whole are what Kafka's clients build and read record by record."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from kafka.structs import TopicPartition

from order_sagas.bridges.kafka.fast_fetch import _read
from order_sagas.bridges.kafka.record_batch_format import encode_records, read_records
from order_sagas.bridges.records.record import Outgoing, Record

CONTENT = st.none() | st.binary(max_size=300)
HEADERS = st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=50)), max_size=3).map(tuple)
RECORDS = st.lists(
    st.builds(Outgoing, st.just("orders"), st.just(3), key=CONTENT, value=CONTENT, headers=HEADERS),
    min_size=1,
    max_size=150,
)
LONG = [Outgoing("orders", 3, b"k" * 9000, b"v" * 300_000)]
NO_CONTENT = [Outgoing("orders", 3, None, None, (("", b""),))]


def theirs(records: list[Outgoing], first_timestamp: int = 1000) -> DefaultRecordBatch:
    """The batch that kafka-python builds of the same records."""
    builder = DefaultRecordBatchBuilder(2, 0, False, -1, -1, -1, 10_000_000)
    for offset, record in enumerate(records):
        builder.append(offset, first_timestamp, record.key, record.value, list(record.headers))
    return DefaultRecordBatch(builder.build())


def body_of(batch: DefaultRecordBatch) -> bytes:
    """The records' part of a batch."""
    return bytes(batch._buffer[batch._pos :])


@given(records=RECORDS)
@example(records=LONG)
@example(records=NO_CONTENT)
def test_records_are_encoded_byte_for_byte_as_the_client_does(records: list[Outgoing]) -> None:
    """Hence any broker and any client reads them."""
    assert encode_records(records) == body_of(theirs(records))


@given(records=RECORDS)
@example(records=LONG)
@example(records=NO_CONTENT)
def test_records_are_read_as_the_client_wrote_them(records: list[Outgoing]) -> None:
    """Null keys and values stay null, and empty ones stay empty."""
    batch = theirs(records, first_timestamp=1_700_000_000_123)
    read = read_records(
        body_of(batch),
        len(records),
        topic="orders",
        partition=3,
        base_offset=40,
        timestamp=1_700_000_000_123,
    )

    expected = [
        Record("orders", 3, 40 + i, r.key, r.value, r.headers, 1_700_000_000.123)
        for i, r in enumerate(records)
    ]
    assert list(read) == expected


def test_timestamps_are_each_records_own_unless_the_broker_noted_one() -> None:
    """A record may even be older than its batch's first."""
    builder = DefaultRecordBatchBuilder(2, 0, False, -1, -1, -1, 10_000)
    for offset, timestamp in enumerate([5000, 7000, 4000]):
        builder.append(offset, timestamp, b"k", b"v", [])
    body = body_of(DefaultRecordBatch(builder.build()))

    def timestamps(**how: bool) -> list[float]:
        read = read_records(body, 3, topic="t", partition=0, base_offset=0, timestamp=5000, **how)
        return [record.timestamp for record in read]

    assert timestamps() == [5.0, 7.0, 4.0]
    assert timestamps(one_timestamp=True) == [5.0, 5.0, 5.0]


def test_a_header_name_that_is_not_utf_8_is_read_with_its_bytes_escaped() -> None:
    """kafka-python itself would stop at such a record and never get past it."""
    body = encode_records([Outgoing("t", 0, b"k", b"v", (("name", b"1"),))])
    (record,) = read_records(
        body.replace(b"name", b"n\xffme"), 1, topic="t", partition=0, base_offset=0, timestamp=0
    )

    assert record.headers == (("n\\xffme", b"1"),)


@pytest.mark.parametrize("codec", [0, 1, 2, 3, 4], ids=["none", "gzip", "snappy", "lz4", "zstd"])
def test_records_are_read_however_they_are_compressed(codec: int) -> None:
    """Services elsewhere compress as their clients do, Go's for example with snappy."""
    builder = DefaultRecordBatchBuilder(2, codec, False, -1, -1, -1, 10_000_000)
    for offset in range(1000):
        builder.append(offset, 1000, b"key", b"value " * 20, [])
    batch = DefaultRecordBatch(builder.build())
    found = list(_read(TopicPartition("orders", 3), batch))

    assert codec == batch.compression_type
    assert 1000 == len(found)
    assert {(b"key", b"value " * 20)} == {(record.key, record.value) for record in found}
