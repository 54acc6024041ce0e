"""Keys go where every other Kafka client would put them."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kafka.partitioner import murmur2

from order_sagas.bridges.records.partitioner import partition_for

JAVA_HASHES = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}
"""What `UtilsTest.testMurmur2` in Apache Kafka expects, as Java's signed integers."""


@pytest.mark.parametrize(("key", "java_hash"), JAVA_HASHES.items())
def test_a_key_lands_where_apache_kafkas_own_test_vectors_say(key: bytes, java_hash: int) -> None:
    """Java hashes to a signed int and clears the sign bit before taking the remainder."""
    partitions = [partition_for(key, count) for count in (1, 8, 12, 2**31)]

    assert partitions == [(java_hash & 0x7FFFFFFF) % count for count in (1, 8, 12, 2**31)]


@given(key=st.binary(max_size=200), partitions=st.integers(1, 5000))
@example(key=b"", partitions=8)
@example(key="заказ-42-注文".encode(), partitions=8)
@example(key=b"\xff\x80\xfe" * 7, partitions=8)
@example(key=b"\x80", partitions=8)
@example(key=b"k" * 10_000, partitions=8)
def test_any_key_lands_where_kafka_python_would_put_it(key: bytes, partitions: int) -> None:
    """Empty, long, unicode and high bytes included: two independent implementations agree."""
    chosen = partition_for(key, partitions)

    assert chosen == (murmur2(key) & 0x7FFFFFFF) % partitions
