"""Dead letters that are malformed, large or many, on the embedded log."""

from typing import Any

import msgspec
import pytest

from order_sagas.bridges.logs.embedded import EmbeddedLetters, EmbeddedLog
from order_sagas.bridges.logs.log_writer import HEAD, MARK
from order_sagas.bridges.operations import dead_letters
from order_sagas.bridges.operations.dead_letters import (
    DeadLetterError,
    DeadLetterOperations,
    DeadLetterReader,
)
from order_sagas.bridges.operations.letters import SHOWN, DeadLetterFilter, Mark
from order_sagas.bridges.records.dead_letter import ABOUT, LONGEST_ERROR, dead_letter
from order_sagas.bridges.records.record import Record

LETTERS = "dead-letters"


@pytest.fixture
def database(tmp_path):
    """The URL of a database."""
    return f"sqlite:///{tmp_path}/orders.db"


@pytest.fixture
def log(database):
    """The embedded log in it."""
    with EmbeddedLog(database, 4) as log:
        yield log


def put(log, value=b"oops", *, error="not JSON", offset=7, headers=()):
    """Append a dead letter of this value, as a worker does."""
    record = Record("order-events", 1, offset, b"k", value, headers)
    log.append(dead_letter(record, error, 1000.0, 4))


def put_raw(log, value, *headers):
    """Append any record to the topic of dead letters."""
    log.append(log.outgoing(LETTERS, "k", value, headers))


HOSTILE = {
    "a mark that is not JSON": (b"garbage", ((MARK, b"1"),)),
    "a mark without a value": (b"", ((MARK, b"1"),)),
    "a mark with other fields": (b'{"letter":"one"}', ((MARK, b"1"),)),
    "nothing but a value": (b"garbage", ()),
    "headers that are not UTF-8": (b"v", tuple((name, b"\xff") for name in ABOUT)),
    "a partition that is no number": (b"v", tuple((name, b"x") for name in ABOUT)),
    "a partition that is too long": (b"v", tuple((name, b"1" * 300) for name in ABOUT)),
    "a mark among other headers": (b"v", (("a", b""), (MARK, b"1"))),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_malformed_record_is_a_letter_of_its_own(log, database, name):
    """The other letters are shown and acted on as before, and it can be discarded."""
    value, headers = HOSTILE[name]
    put(log)
    put_raw(log, value, *headers)
    operations = DeadLetterOperations(log)
    good, bad = DeadLetterReader(EmbeddedLetters(database)).all()
    operations.discard([good.number, bad.number], "ada", "no order of ours")

    assert ("order-events", 1, 7) == (good.topic, good.partition, good.offset)
    assert ("", value, headers) == (bad.topic, bad.value, bad.headers)
    assert "does not say where it came from" in bad.error
    assert [] == operations.choose(DeadLetterFilter())
    with pytest.raises(DeadLetterError, match="no header with its topic"):
        operations.replay([bad.number], "ada", again=True)


def test_a_letter_of_a_partition_that_does_not_exist_is_not_replayed(log):
    """Its headers may have been written by anybody."""
    put_raw(log, b"v", *zip(ABOUT, (b"order-events", b"9", b"1", b"e", b"t"), strict=True))
    operations = DeadLetterOperations(log)
    (letter,) = operations.all()

    with pytest.raises(DeadLetterError, match="partition 9, but there are 4"):
        operations.replay([letter.number], "ada")


def test_a_large_letter_is_shown_in_part_and_replayed_whole(log, database):
    """Lists are bounded by bytes."""
    value, headers = b"x" * 100_000, (("big", b"y" * 50_000),)
    put(log, value, headers=headers)
    reader = DeadLetterReader(EmbeddedLetters(database))
    (listed,) = reader.all()
    shown = reader.get(listed.number)
    DeadLetterOperations(log).replay([listed.number], "ada")
    query = "SELECT length(value) FROM log WHERE topic = 'order-events'"

    assert (b"x" * SHOWN, (), True) == (listed.value, listed.headers, listed.is_cut)
    assert "not JSON" == listed.error
    assert (value, headers, False) == (shown.value, shown.headers, shown.is_cut)
    assert [(100_000,)] == list(log.db.rows(query, ()))


def test_a_list_does_not_read_large_values_whole(log, database):
    """Only their beginnings leave the database."""
    put(log, b"x" * 100_000)
    ((_, _, value, _),) = EmbeddedLetters(database).letters()

    assert HEAD == len(value or b"")


def test_the_size_of_one_replay_is_limited(log, monkeypatch):
    """Above the limit nothing is replayed, and the error says what to do."""
    monkeypatch.setattr(dead_letters, "MOST_BYTES", 1500)
    put(log, b"a" * 1000)
    put(log, b"b" * 1000)
    operations = DeadLetterOperations(log)
    numbers = [letter.number for letter in operations.all()]

    with pytest.raises(DeadLetterError, match="name fewer"):
        operations.replay(numbers, "ada")
    operations.replay(numbers[:1], "ada")
    assert [numbers[1]] == [letter.number for letter in operations.choose(DeadLetterFilter())]


def test_pages_begin_after_a_letter_and_leave_out_marked_ones(log):
    """Marks are records of the same topic, and are not listed."""
    for each in range(6):
        put(log, b"%d" % each)
    operations = DeadLetterOperations(log)
    numbers = [letter.number for letter in operations.all()]
    operations.discard(numbers[1:3], "ada", "a test")
    first, more = operations.page(2)
    second, no_more = operations.page(5, first[-1].number)
    marked, _ = operations.page(6, numbers[0], marked=True)

    assert ([b"0", b"3"], numbers[3]) == ([letter.value for letter in first], more)
    assert ([b"4", b"5"], None) == ([letter.value for letter in second], no_more)
    assert [b"1", b"2", b"3", b"4", b"5"] == [letter.value for letter in marked]
    assert ["ada", "ada"] == [letter.mark.by for letter in marked if letter.mark]


def test_a_page_reads_a_limited_number_of_letters(log, monkeypatch):
    """It says where to continue, and may be empty without being the last."""
    monkeypatch.setattr(dead_letters, "GROUPED", 2)
    for each in range(5):
        put(log, b"%d" % each, error="x" if each == 3 else "y")
    reader, which = DeadLetterReader(log.dead_letters), DeadLetterFilter(error="X")
    pages: list[Any] = []
    after = None
    while not pages or after is not None:
        letters, after = reader.page(9, after, which=which)
        pages.append([letter.value for letter in letters])

    assert [[], [b"3"], []] == pages


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (DeadLetterFilter(since=1000.0), [7, 8]),
        (DeadLetterFilter(since=1000.5), []),
        (DeadLetterFilter(until=1000.5), [7, 8]),
        (DeadLetterFilter(until=1000.0), []),
        (DeadLetterFilter(topic="order-events", error="JSON"), [7]),
        (DeadLetterFilter(topic="other"), []),
    ],
)
def test_letters_are_found_by_topic_error_and_time(log, which, expected):
    """In pages and in whole lists; a letter without a time matches no condition of times."""
    put(log)
    put(log, error="no route", offset=8)
    put_raw(log, b"garbage")
    reader = DeadLetterReader(log.dead_letters)
    letters, _ = reader.page(9, which=which)

    assert expected == [letter.offset for letter in letters]
    assert expected == [letter.offset for letter in reader.choose(which)]


def test_the_last_mark_of_a_letter_counts(log):
    """A letter may be replayed again."""
    put(log)
    operations = DeadLetterOperations(log)
    (letter,) = operations.all()
    operations.replay([letter.number], "ada")
    operations.replay([letter.number], "bob", "once more", again=True)

    mark = operations.get(letter.number).mark
    assert mark
    assert ("bob", "once more") == (mark.by, mark.why)


def test_a_long_reason_is_refused_and_a_long_error_cut(log):
    """Marks are read whole, and so are errors."""
    put(log, error="e" * 100_000)
    operations = DeadLetterOperations(log)
    (letter,) = operations.all()

    assert LONGEST_ERROR == len(letter.error)
    with pytest.raises(DeadLetterError, match="at most 1000 characters"):
        operations.discard([letter.number], "ada", "x" * 1001)
    operations.discard([letter.number], "ö" * 200, "\U0001f600" * 1000)
    mark = operations.get(letter.number).mark
    assert mark
    assert "discarded" == mark.action


def test_a_mark_fits_into_what_is_read_of_a_value():
    """With the longest reason and name, in the letters that take most bytes."""
    mark = Mark(2**63, "discarded", "\u0001" * 200, "\u0001" * 1000, "2026-01-01T00:00:00.000000Z")

    assert len(msgspec.json.encode(mark)) < HEAD
