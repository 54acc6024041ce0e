"""What can go wrong with Kafka, in few words: the client's hundred errors stop here."""

from collections.abc import Iterator
from contextlib import contextmanager

from kafka import errors as theirs

from bridges.errors import KafkaBridgeError as KafkaBridgeError  # the root of all below


class BrokerUnreachableError(KafkaBridgeError, ConnectionError):
    """No broker answers now; the same may work later."""


class KafkaRefusedError(KafkaBridgeError, PermissionError):
    """The broker does not accept who we are, or what we may do."""


class TopicMissingError(KafkaBridgeError, LookupError):
    """A topic is not there."""

    command = ("topics", "create")


class TopicMismatchError(KafkaBridgeError, ValueError):
    """A topic is there with another partition count than it must have."""


class RecordTooLargeError(KafkaBridgeError, ValueError):
    """A record has more bytes than the writer or the topic allows."""


class NotAcknowledgedError(KafkaBridgeError, TimeoutError):
    """Whether the record was written is not known: it may turn up later, or never."""


_MAPPED: list[tuple[type[KafkaBridgeError], tuple[type[Exception], ...]]] = [
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


def mapped(error: BaseException) -> KafkaBridgeError:
    """Our error for one of the client's; one of ours stays as it is."""
    if isinstance(error, KafkaBridgeError):
        return error
    words = str(error) or type(error).__name__
    for ours, originals in _MAPPED:
        if isinstance(error, originals):
            return ours(words)
    return KafkaBridgeError(words)


@contextmanager
def map_errors() -> Iterator[None]:
    """Raise our errors where the block raises the client's."""
    try:
        yield
    except theirs.KafkaError as error:
        raise mapped(error) from error
