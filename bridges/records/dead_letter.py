"""Dead letters: records that could not be handled, kept whole so that they can be replayed."""

from order_sagas.actors.clock import iso
from order_sagas.actors.topics import DEAD_LETTERS
from order_sagas.bridges.records.partitioner import partition_for
from order_sagas.bridges.records.record import Outgoing, Record

ABOUT = tuple(f"dead-letter-{each}" for each in ("topic", "partition", "offset", "error", "time"))
"""The headers with origin and cause of a dead letter: the last ones, in order."""

LONGEST_ERROR = 2000
"""Maximum length of the error in a dead letter, in characters."""


def dead_letter(record: Record, error: str, now: float, partitions: int) -> Outgoing:
    """The record for the topic `dead-letters`.

    Key, value and headers are those of `record`. Five headers are added at the end: topic,
    partition, offset, error, and time (`now`, in seconds since the Unix epoch, as ISO 8601).
    """
    key = record.key or b""
    if len(error) > LONGEST_ERROR:
        error = error[: LONGEST_ERROR - 1] + "…"
    place = (record.topic, str(record.partition), str(record.offset))
    about = zip(ABOUT, (*place, error, iso(now)), strict=True)
    headers = tuple((name, text.encode()) for name, text in about)
    return Outgoing(
        DEAD_LETTERS,
        partition_for(key, partitions),
        record.key,
        record.value,
        (*record.headers, *headers),
    )
