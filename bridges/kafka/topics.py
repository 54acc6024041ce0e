"""The topics: made once, checked at every start."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource
from kafka.errors import TopicAlreadyExistsError

from bridges.kafka.connection import KafkaConnection
from bridges.kafka.errors import (
    KafkaRefusedError,
    TopicMismatchError,
    TopicMissingError,
    map_errors,
)

DEAD_LETTERS = "dead-letters"
TOPICS = ("order-events", "payment-events", "stock-events", "notification-events", DEAD_LETTERS)

_MAX_BATCH = "max.message.bytes"
_WEEK = 7 * 24 * 3600.0


def create_topics(
    connection: KafkaConnection,
    topics: Sequence[str] = TOPICS,
    *,
    partitions: int,
    replication: int = 1,
    retention: float = _WEEK,
) -> list[str]:
    """Make the topics that are not there yet, and return their names, once they can be used.

    `retention` is in seconds; dead letters are kept until they are replayed or discarded. Raises
    `TopicMismatchError`, and makes nothing, when one is there with another partition count: that
    would part a key's records of different topics, and Kafka cannot take partitions back.
    """
    with _admin(connection) as admin:
        present = _partition_counts(admin, topics)
        _refuse_mismatch(present, partitions)
        missing = [topic for topic in topics if topic not in present]
        if missing:
            wanted = {
                topic: {
                    "num_partitions": partitions,
                    "replication_factor": replication,
                    "configs": {"retention.ms": _retention(topic, retention)},
                }
                for topic in missing
            }
            with suppress(TopicAlreadyExistsError):  # by another worker that started with us
                admin.create_topics(wanted)
            admin.wait_for_topics(missing)
            _refuse_mismatch(_partition_counts(admin, topics), partitions)
        return missing


def check_topics(
    connection: KafkaConnection, topics: Sequence[str] = TOPICS, *, partitions: int | None = None
) -> int:
    """The partition count that all the topics have, which is `partitions` when that is given.

    Raises `TopicMissingError`, which says what to do, and `TopicMismatchError` when they differ.
    """
    with _admin(connection) as admin:
        present = _partition_counts(admin, topics)
    missing = [topic for topic in topics if topic not in present]
    if missing:
        raise TopicMissingError(
            f"Kafka has no topic {', '.join(missing)}. Make them: order-sagas topics create"
        )
    count = next(iter(present.values())) if partitions is None else partitions
    _refuse_mismatch(present, count)
    return count


def largest_batch(connection: KafkaConnection, topics: Sequence[str]) -> int:
    """How many bytes a batch may have that every one of the topics takes.

    Raises `KafkaRefusedError` where we may not ask.
    """
    with _admin(connection) as admin:
        asked = [ConfigResource("TOPIC", topic, [_MAX_BATCH]) for topic in topics]
        answer = admin.describe_configs(asked, config_filter="all")["topic"]
    limits = [int(configs[_MAX_BATCH]["value"]) for configs in answer.values() if configs]
    if not limits:
        raise KafkaRefusedError("Kafka does not tell how large a topic's batches may be.")
    return min(limits)


def _refuse_mismatch(present: dict[str, int], partitions: int) -> None:
    other = [f"{topic} has {count}" for topic, count in present.items() if count != partitions]
    if other:
        raise TopicMismatchError(
            f"All topics must have {partitions} partitions, so that one worker owns all records "
            f"of a key, but {', '.join(other)}."
        )


def _partition_counts(admin: KafkaAdminClient, topics: Sequence[str]) -> dict[str, int]:
    described = {topic["name"]: topic for topic in admin.describe_topics(list(topics))}
    return {
        topic: len(described[topic]["partitions"])
        for topic in topics
        if topic in described and not described[topic]["error_code"]
    }


def _retention(topic: str, seconds: float) -> str:
    return "-1" if topic == DEAD_LETTERS else str(int(seconds * 1000))


@contextmanager
def _admin(connection: KafkaConnection) -> Iterator[KafkaAdminClient]:
    admin = connection.make(KafkaAdminClient)
    try:
        with map_errors():
            yield admin
    finally:
        admin.close()
