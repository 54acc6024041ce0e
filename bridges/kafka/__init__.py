"""The Kafka client: one consumer and one producer for each worker, assignor, topics."""

from order_sagas.bridges.kafka.connection import KafkaConnection, LoginMechanism, SecurityProtocol
from order_sagas.bridges.kafka.consumer import TopicReader
from order_sagas.bridges.kafka.consumer_listener import Batch, ShardOwner
from order_sagas.bridges.kafka.errors import (
    BrokerUnreachableError,
    KafkaClientError,
    KafkaRefusedError,
    NotAcknowledgedError,
    RecordTooLargeError,
    TopicMismatchError,
    TopicMissingError,
)
from order_sagas.bridges.kafka.producer import TopicWriter
from order_sagas.bridges.kafka.publication import Publication
from order_sagas.bridges.kafka.topics import check_topics, create_topics

__all__ = [
    "Batch",
    "BrokerUnreachableError",
    "KafkaClientError",
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
