"""Kafka as the log: topics, one reader and one writer for a whole worker."""

from bridges.kafka.connection import KafkaConnection, LoginMechanism, SecurityProtocol
from bridges.kafka.errors import (
    BrokerUnreachableError,
    KafkaBridgeError,
    KafkaRefusedError,
    NotAcknowledgedError,
    RecordTooLargeError,
    TopicMismatchError,
    TopicMissingError,
)
from bridges.kafka.owner import Batch, ShardOwner
from bridges.kafka.producer import TopicWriter
from bridges.kafka.publication import Publication
from bridges.kafka.reader import TopicReader
from bridges.kafka.topics import TOPICS, check_topics, create_topics

__all__ = [
    "TOPICS",
    "Batch",
    "BrokerUnreachableError",
    "KafkaBridgeError",
    "KafkaConnection",
    "KafkaRefusedError",
    "LoginMechanism",
    "NotAcknowledgedError",
    "Publication",
    "RecordTooLargeError",
    "SecurityProtocol",
    "ShardOwner",
    "TopicMismatchError",
    "TopicMissingError",
    "TopicReader",
    "TopicWriter",
    "check_topics",
    "create_topics",
]
