"""Dead letters: records that could not be handled, kept whole so that they can be replayed."""

from order_sagas.actors.clock import iso
from order_sagas.actors.topics import DEAD_LETTERS
from order_sagas.bridges.records.partitioner import partition_for
from order_sagas.bridges.records.record import Outgoing, Record


def dead_letter(record: Record, error: str, now: float, partitions: int) -> Outgoing:
    """The record for the topic `dead-letters`.

    Key, value and headers are those of `record`. Five headers are added at the end: topic,
    partition, offset, error, and time (`now`, in seconds since the Unix epoch, as ISO 8601).
    """
    key = record.key or b""
    about = {
        "dead-letter-topic": record.topic,
        "dead-letter-partition": str(record.partition),
        "dead-letter-offset": str(record.offset),
        "dead-letter-error": error,
        "dead-letter-time": iso(now),
    }
    headers = tuple((name, text.encode()) for name, text in about.items())
    return Outgoing(
        DEAD_LETTERS,
        partition_for(key, partitions),
        record.key,
        record.value,
        (*record.headers, *headers),
    )
