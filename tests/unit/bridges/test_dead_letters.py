"""A dead letter is the record as it came, and why it is there."""

from order_sagas.bridges.records.dead_letter import dead_letter
from order_sagas.bridges.records.partitioner import partition_for
from order_sagas.bridges.records.record import Record

HEADERS = (("traceparent", b"00-1-2-01"), ("odd", b"\xff"))


def test_a_record_is_kept_whole_with_where_it_was_and_why_it_died() -> None:
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


def test_it_goes_where_its_key_belongs() -> None:
    """Not where the record was found: it may have been on the wrong partition."""
    letter = dead_letter(Record("order-events", 5, 17, b"o-1", b"", ()), "error", 0.0, 8)

    assert ("dead-letters", partition_for(b"o-1", 8)) == (letter.topic, letter.partition)


def test_a_record_with_neither_key_nor_value_is_kept_as_well() -> None:
    letter = dead_letter(Record("order-events", 5, 17, None, None, ()), "empty", 0.0, 8)

    assert (None, None) == (letter.key, letter.value)
