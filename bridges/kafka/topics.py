"""The topics: created once, checked at every start."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource
from kafka.errors import KafkaError, TopicAlreadyExistsError

from order_sagas.actors.topics import DEAD_LETTERS
from order_sagas.actors.words import many
from order_sagas.bridges.kafka.connection import KafkaConnection
from order_sagas.bridges.kafka.errors import (
    KafkaRefusedError,
    TopicMismatchError,
    TopicMissingError,
    map_errors,
)

_MAX_BATCH = "max.message.bytes"
_CLEANUP = "cleanup.policy"
_USUAL_LIMIT = 1_048_588
"""Kafka's default limit for a batch, in bytes."""
_WEEK = 7 * 24 * 3600.0


def create_topics(
    connection: KafkaConnection,
    topics: Sequence[str],
    *,
    partitions: int,
    replication: int = 1,
    retention: float = _WEEK,
) -> list[str]:
    """Create the topics that are missing; return their names once they can be used.

    `retention` is in seconds. `dead-letters` is kept for ever, and takes records twice as large as
    any other topic, so that a record that is too large to be decoded still fits as a whole. Raises
    TopicMismatchError, and creates nothing, if a topic exists with another number of partitions:
    that would separate the records of a key, and Kafka cannot remove partitions.
    """
    with _admin(connection) as admin:
        present = _partition_counts(admin, topics)
        _refuse_mismatch(present, partitions)
        missing = [topic for topic in topics if topic not in present]
        if missing:
            shape = {"num_partitions": partitions, "replication_factor": replication}
            kept = str(int(retention * 1000))
            _create(
                admin,
                {
                    topic: {**shape, "configs": {"retention.ms": kept, _CLEANUP: "delete"}}
                    for topic in missing
                    if topic != DEAD_LETTERS
                },
            )
            if DEAD_LETTERS in missing:
                others = [topic for topic in topics if topic != DEAD_LETTERS]
                configs = {
                    "retention.ms": "-1",
                    _CLEANUP: "delete",
                    **_room_for_letters(admin, others),
                }
                _create(admin, {DEAD_LETTERS: {**shape, "configs": configs}})
            _refuse_mismatch(_partition_counts(admin, topics), partitions)
        return missing


def check_topics(
    connection: KafkaConnection, topics: Sequence[str], *, partitions: int | None = None
) -> int:
    """The number of partitions of all topics, which must be `partitions` if that is given.

    Raises TopicMissingError, which names the command to run, and TopicMismatchError, for compacted
    topics too.
    """
    with _admin(connection) as admin:
        present = _partition_counts(admin, topics)
        _refuse_compaction(admin, [*present])
    missing = [topic for topic in topics if topic not in present]
    if missing:
        raise TopicMissingError(
            f"Kafka has no topic {', '.join(missing)}; `topics create` creates missing topics"
        )
    count = next(iter(present.values())) if partitions is None else partitions
    _refuse_mismatch(present, count)
    return count


def ids_of_topics(connection: KafkaConnection, topics: Sequence[str]) -> dict[str, str]:
    """The id that Kafka gave each topic when it was created.

    An empty text if the broker returns none. Raises TopicMissingError.
    """
    with _admin(connection) as admin:
        described = {topic["name"]: topic for topic in admin.describe_topics(list(topics))}
    for topic in topics:
        if topic not in described or described[topic]["error_code"]:
            raise TopicMissingError(f"Kafka has no topic {topic}")
    return {topic: str(described[topic].get("topic_id") or "") for topic in topics}


def batch_limits(connection: KafkaConnection, topics: Sequence[str]) -> dict[str, int]:
    """Maximum size of a batch in bytes, by topic.

    Raises KafkaRefusedError if the configuration may not be read.
    """
    with _admin(connection) as admin:
        return _batch_limits(admin, topics)


def _batch_limits(admin: KafkaAdminClient, topics: Sequence[str]) -> dict[str, int]:
    asked = [ConfigResource("TOPIC", topic, [_MAX_BATCH]) for topic in topics]
    answer = admin.describe_configs(asked, config_filter="all")["topic"]
    limits = {
        topic: int(configs[_MAX_BATCH]["value"]) for topic, configs in answer.items() if configs
    }
    if not limits:
        raise KafkaRefusedError("Kafka does not return the size limits of topics.")
    return limits


def _room_for_letters(admin: KafkaAdminClient, topics: Sequence[str]) -> dict[str, str]:
    """The limit for `dead-letters`: records of any other topic must fit, with the added headers."""
    if not topics:
        return {}
    try:
        return {_MAX_BATCH: str(2 * max(_batch_limits(admin, topics).values()))}
    except (KafkaRefusedError, KafkaError):  # may create topics, but not read their configuration
        return {_MAX_BATCH: str(_USUAL_LIMIT * 2)}


def _create(admin: KafkaAdminClient, wanted: dict[str, dict[str, Any]]) -> None:
    if wanted:
        with suppress(TopicAlreadyExistsError):  # created meanwhile by another worker
            admin.create_topics(wanted)
        admin.wait_for_topics([*wanted])


def _refuse_mismatch(present: dict[str, int], partitions: int) -> None:
    other = [f"{topic} has {count}" for topic, count in present.items() if count != partitions]
    if other:
        raise TopicMismatchError(
            f"All topics must have {many(partitions, 'partition')}, so that one worker owns all "
            f"records of a key, but {', '.join(other)}. Set `partitions` to that number if all "
            "have it; otherwise delete the topics and create them again."
        )


def compacted_topics(connection: KafkaConnection, topics: Sequence[str]) -> list[str]:
    """The topics of which Kafka deletes all but the newest record of a key.

    Empty if the configuration may not be read.
    """
    with _admin(connection) as admin:
        return _compacted(admin, topics)


def _refuse_compaction(admin: KafkaAdminClient, topics: Sequence[str]) -> None:
    """Raise TopicMismatchError for compacted topics.

    The records of an order have one key, so that those not handled yet would be lost.
    """
    if compacted := _compacted(admin, topics):
        raise TopicMismatchError(
            f"{', '.join(compacted)}: {_CLEANUP} is compact, so that Kafka would delete records of "
            f"an order before they are handled. Set {_CLEANUP}=delete on the topic."
        )


def _compacted(admin: KafkaAdminClient, topics: Sequence[str]) -> list[str]:
    asked = [ConfigResource("TOPIC", topic, [_CLEANUP]) for topic in topics]
    try:
        answer = admin.describe_configs(asked, config_filter="all")["topic"] if asked else {}
    except KafkaError:
        return []
    return sorted(
        topic
        for topic, configs in answer.items()
        if configs and "compact" in str(configs.get(_CLEANUP, {}).get("value", ""))
    )


def _partition_counts(admin: KafkaAdminClient, topics: Sequence[str]) -> dict[str, int]:
    described = {topic["name"]: topic for topic in admin.describe_topics(list(topics))}
    return {
        topic: len(described[topic]["partitions"])
        for topic in topics
        if topic in described and not described[topic]["error_code"]
    }


@contextmanager
def _admin(connection: KafkaConnection) -> Iterator[KafkaAdminClient]:
    admin = connection.make(KafkaAdminClient)
    try:
        with map_errors():
            yield admin
    finally:
        admin.close()
