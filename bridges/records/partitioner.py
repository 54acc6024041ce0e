"""The partition of a key, by the rule that Kafka clients follow for records with a key."""

from murmurhash2 import murmurhash2

_SEED = 0x9747B28C
"""The seed of `org.apache.kafka.common.utils.Utils.murmur2`. Another seed gives other partitions.
"""


def partition_for(key: bytes, partitions: int) -> int:
    """The partition, from 0, that Java's default partitioner gives this key.

    A service written elsewhere that uses the order id as key therefore writes to the same
    partition. The result depends on the number of partitions, so that number must not change while
    a topic is in use. Raises ZeroDivisionError for 0 partitions.
    """
    return (murmurhash2(key, _SEED) & 0x7FFFFFFF) % partitions
