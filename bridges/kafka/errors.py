"""The errors of Kafka. All exceptions of kafka-python are mapped to these."""

from collections.abc import Iterator
from contextlib import contextmanager

from kafka import errors as theirs

from order_sagas.bridges.errors import KafkaClientError as KafkaClientError  # the root of all below


class BrokerUnreachableError(KafkaClientError, ConnectionError):
    """No broker can be reached now. The same call may succeed later."""


class KafkaRefusedError(KafkaClientError, PermissionError):
    """The broker refuses the login or the operation."""


class TopicMissingError(KafkaClientError, LookupError):
    """A topic or partition does not exist."""

    command = ("topics", "create")


class TopicMismatchError(KafkaClientError, ValueError):
    """A topic exists with another number of partitions than required."""


class RecordTooLargeError(KafkaClientError, ValueError):
    """A record is larger than the producer or the topic allows."""


class NotAcknowledgedError(KafkaClientError, TimeoutError):
    """It is unknown whether the record was written: it may appear later, or never."""


_MAPPED: list[tuple[type[KafkaClientError], tuple[type[Exception], ...]]] = [
    (
        RecordTooLargeError,
        (theirs.MessageSizeTooLargeError, theirs.RecordListTooLargeError),
    ),
    (
        KafkaRefusedError,
        (
            theirs.AuthorizationError,
            theirs.SaslAuthenticationFailedError,
            theirs.UnsupportedSaslMechanismError,
            theirs.IllegalSaslStateError,
        ),
    ),
    (
        TopicMissingError,
        (theirs.UnknownTopicOrPartitionError, theirs.InvalidTopicError),
    ),
    (
        BrokerUnreachableError,
        (
            theirs.KafkaConnectionError,
            theirs.NodeNotReadyError,
            theirs.BrokerNotAvailableError,
            theirs.MetadataEmptyBrokerList,
        ),
    ),
    (NotAcknowledgedError, (theirs.RetriableError,)),
]


def mapped(error: BaseException) -> KafkaClientError:
    """The error of this module for one of kafka-python's.

    Errors of this module are returned as they are.
    """
    if isinstance(error, KafkaClientError):
        return error
    words = str(error) or type(error).__name__
    for ours, originals in _MAPPED:
        if isinstance(error, originals):
            return ours(words)
    return KafkaClientError(words)


@contextmanager
def map_errors() -> Iterator[None]:
    """Raise errors of this module in place of those of kafka-python."""
    try:
        yield
    except theirs.KafkaError as error:
        raise mapped(error) from error
