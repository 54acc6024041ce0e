"""A publication tells what became of its records."""

import pytest

from order_sagas.bridges.kafka.errors import NotAcknowledgedError, RecordTooLargeError
from order_sagas.bridges.kafka.publication import Publication


def test_it_is_done_once_the_last_record_is_settled() -> None:
    """In whatever portions the acknowledgements come."""
    publication = Publication(3)
    told: list[Publication] = []
    publication.add_done_callback(told.append)
    publication.settle(2)
    assert not publication.is_done

    publication.settle(1)
    publication.wait(0)
    assert told == [publication]


def test_it_names_the_records_that_failed_and_raises_the_first() -> None:
    """The others are acknowledged all the same."""
    publication = Publication(3)
    publication.fail(2, NotAcknowledgedError("later"))
    publication.fail(0, RecordTooLargeError("first"))
    publication.settle(1)

    with pytest.raises(RecordTooLargeError, match="first"):
        publication.wait(0)
    assert set(publication.failures) == {0, 2}


def test_waiting_ends_with_the_timeout() -> None:
    """And says how many records nobody knows about."""
    publication = Publication(3)
    publication.settle(1)

    with pytest.raises(NotAcknowledgedError, match="2 records"):
        publication.wait(0)


def test_nothing_published_is_done_at_once_and_late_callbacks_are_called() -> None:
    """Nobody waits for ever for nothing."""
    publication = Publication(0)
    told: list[Publication] = []
    publication.add_done_callback(told.append)

    publication.wait(0)
    assert told == [publication]
