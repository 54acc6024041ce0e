"""A dead letter is the unchanged record with its error."""

from order_sagas.bridges.records.dead_letter import dead_letter
from order_sagas.bridges.records.partitioner import partition_for
from order_sagas.bridges.records.record import Record

HEADERS = (("traceparent", b"00-1-2-01"), ("odd", b"\xff"))


def test_a_record_is_kept_whole_with_its_position_and_error() -> None:
    record = Record("order-events", 5, 17, b"o-1", b'{"broken', HEADERS)
    letter = dead_letter(record, "not JSON", 0.0, 8)

    assert (b"o-1", b'{"broken') == (letter.key, letter.value)
    assert HEADERS == letter.headers[:2]
    assert {
        "dead-letter-topic": b"order-events",
        "dead-letter-partition": b"5",
        "dead-letter-offset": b"17",
        "dead-letter-error": b"not JSON",
        "dead-letter-time": b"1970-01-01T00:00:00.000Z",
    } == dict(letter.headers[2:])


def test_it_is_in_the_partition_of_its_key() -> None:
    """Not in the partition of the record, which may be the wrong one."""
    letter = dead_letter(Record("order-events", 5, 17, b"o-1", b"", ()), "error", 0.0, 8)

    assert ("dead-letters", partition_for(b"o-1", 8)) == (letter.topic, letter.partition)


def test_a_record_without_key_and_value_is_kept_as_well() -> None:
    letter = dead_letter(Record("order-events", 5, 17, None, None, ()), "empty", 0.0, 8)

    assert (None, None) == (letter.key, letter.value)
