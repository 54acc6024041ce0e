"""Which partition a key belongs to: the rule every Kafka client follows for keyed records."""

from murmurhash2 import murmurhash2

_SEED = 0x9747B28C
"""The seed in `org.apache.kafka.common.utils.Utils.murmur2`; another seed is another layout."""


def partition_for(key: bytes, partitions: int) -> int:
    """The partition, from 0, that Java's default partitioner gives this key.

    A service written elsewhere that keys its records by order id thereby writes to the same
    partition as we do. The answer depends on the partition count, which is why the count of a
    topic in use is never changed. Raises `ZeroDivisionError` for 0 partitions.
    """
    return (murmurhash2(key, _SEED) & 0x7FFFFFFF) % partitions
