"""Finding the lines of an order in the log files."""

import json

import msgspec
import pytest

from order_sagas.system.logs import LogSink
from order_sagas.system.trace import SearchTimeoutError, read_lines
from order_sagas.system.trace import reading as reading_module


def write(path, *lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def a_line(number, order_id="o-1", **more):
    return {"order_id": order_id, "n": number, **more}


def numbers(directory, order_id="o-1"):
    return [line["n"] for line in read_lines(directory, order_id)]


def test_rotated_files_are_read_from_the_oldest_to_the_current(tmp_path):
    """.10 is older than .9, whatever the alphabet says."""
    write(tmp_path / "order-sagas.jsonl", a_line(4))
    write(tmp_path / "order-sagas.jsonl.1", a_line(2), a_line(3))
    write(tmp_path / "order-sagas.jsonl.10", a_line(0))
    write(tmp_path / "order-sagas.jsonl.9", a_line(1))

    assert [0, 1, 2, 3, 4] == numbers(tmp_path)


def test_only_lines_of_that_very_order_are_read(tmp_path):
    """An id within another id, or in another key, is not the order."""
    write(
        tmp_path / "order-sagas.jsonl",
        a_line(1),
        a_line(2, order_id="o-11"),
        a_line(3, order_id="o-2", cause="o-1"),
        a_line(4, order_id="o-2", reason='mentions "o-1"'),
    )

    assert [1] == numbers(tmp_path)


@pytest.mark.parametrize("order_id", ['a"b', "ünïcode", "back\\slash", "tab\there"])
def test_ids_that_json_writes_differently_are_found(tmp_path, order_id):
    """As the log writes them, not as the command line does."""
    sink = LogSink(tmp_path / "order-sagas.jsonl", max_bytes=10**6, backups=1)
    sink.append(msgspec.json.encode(a_line(1, order_id=order_id)))
    sink.close()

    assert [1] == numbers(tmp_path, order_id)


def test_lines_that_name_the_order_elsewhere_are_not_decoded(tmp_path, monkeypatch):
    """An order named "info" would be in each of millions of lines."""
    write(tmp_path / "order-sagas.jsonl", *(a_line(n, "o-2", level="o-1") for n in range(9)))
    decoded: list[bytes] = []
    monkeypatch.setattr(msgspec.json, "decode", decoded.append)

    assert ([], []) == (numbers(tmp_path), decoded)


def test_a_search_ends_at_its_deadline(tmp_path):
    """The files of a busy month are not read for one request."""
    write(tmp_path / "order-sagas.jsonl", a_line(1))

    with pytest.raises(SearchTimeoutError):
        read_lines(tmp_path, "o-1", deadline=0.0)


def test_torn_and_foreign_lines_are_left_out(tmp_path):
    """A process was killed while writing, twice; something else wrote into the file."""
    torn = '{"order_id": "o-1", "n": 2, "rea'
    whole = json.dumps(a_line(1))
    (tmp_path / "order-sagas.jsonl").write_text(
        f'{whole}\n{torn}\n["order_id", "o-1"]\n{json.dumps(a_line(3))}\n{torn}'
    )

    assert [1, 3] == numbers(tmp_path)


def test_lines_on_either_side_of_a_block_are_found_once(tmp_path, monkeypatch):
    """Files are searched in blocks, and lines are never split between two."""
    write(tmp_path / "order-sagas.jsonl", *(a_line(n, pad="x" * (n % 40)) for n in range(300)))

    for block in (1, 64, 100, 4096):
        monkeypatch.setattr(reading_module, "BLOCK", block)
        assert list(range(300)) == numbers(tmp_path)


def test_files_of_several_workers_are_merged_by_time(tmp_path):
    """An order can move from one worker to another, and back."""
    write(
        tmp_path / "order-sagas-a.jsonl",
        a_line(1, timestamp="2025-01-01T00:00:01.000Z"),
        a_line(4, timestamp="2025-01-01T00:00:04.000Z"),
    )
    write(tmp_path / "order-sagas-b.jsonl", a_line(2, timestamp="2025-01-01T00:00:02.000Z"))
    write(tmp_path / "order-sagas-b.jsonl.1", a_line(0, timestamp="2025-01-01T00:00:00.000Z"))

    assert [0, 1, 2, 4] == numbers(tmp_path)


def test_a_directory_that_is_not_there_holds_no_lines(tmp_path):
    """The command reports it."""
    assert [] == read_lines(tmp_path / "nowhere", "o-1")


def test_lines_of_children_are_read_with_those_of_their_parents(tmp_path):
    """Of the child's saga alone, and of its children; by time, as if they were of one order."""

    def of(order_id, saga, minute, **more):
        at = f"2026-01-01T00:0{minute}:00Z"
        return {"order_id": order_id, "saga_id": f"{saga}/{order_id}", "timestamp": at, **more}

    write(
        tmp_path / "order-sagas.jsonl",
        of("T-1", "trip", 0, n=0),
        of("I-7", "insure", 1, n=1, parent="trip/T-1"),
        of("I-7", "other", 2, n=9),
        of("D-5", "deposit", 3, n=2, parent="insure/I-7"),
        of("D-6", "deposit", 4, n=9, parent="other/I-7"),
        of("T-1", "trip", 5, n=4),
        of("I-7", "insure", 4, n=3),
        of("XT-1", "trip", 6, n=9),
    )

    assert [0, 1, 2, 3, 4] == numbers(tmp_path, "T-1")
    assert [2] == numbers(tmp_path, "D-5")
    assert [1, 9, 2, 3, 9] == numbers(tmp_path, "I-7")
