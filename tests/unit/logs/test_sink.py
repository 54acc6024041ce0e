"""When lines reach the file, and what happens to the file."""

import errno
import io
import threading

import pytest

from order_sagas.system.logs.sink import BUFFERED_LINES, LogSink
from tests.support.small_disk import small_disk


@pytest.fixture
def path(tmp_path):
    return tmp_path / "logs" / "order-sagas.jsonl"


@pytest.fixture
def sink(path):
    sink = LogSink(path, max_bytes=1000, backups=2)
    yield sink
    sink.close()


def test_a_line_is_in_the_file_after_a_flush_and_not_before(sink, path):
    """One write for each batch, with any number of lines."""
    sink.append(b"one")
    sink.append(b"two")

    assert not path.exists()

    sink.flush()

    assert b"one\ntwo\n" == path.read_bytes()


def test_an_error_is_written_at_once_with_all_before_it(sink, path):
    """With the lines that led to it."""
    sink.append(b"before")
    sink.append_now(b"error")

    assert b"before\nerror\n" == path.read_bytes()


def test_a_full_buffer_is_flushed(sink, path):
    """So that memory stays bounded without explicit flushes."""
    for _ in range(BUFFERED_LINES):
        sink.append(b"x")

    assert BUFFERED_LINES == path.read_bytes().count(b"\n")


def test_lines_after_closing_open_the_file_again(sink, path):
    """The last lines of a process are not lost."""
    sink.append(b"one")
    sink.close()
    sink.append(b"two")
    sink.close()

    assert b"one\ntwo\n" == path.read_bytes()


def test_a_file_is_rotated_at_its_size_and_only_so_many_are_kept(sink, path):
    """A batch is never split over two files, and the oldest file is deleted."""
    for batch in b"abcd":
        for _ in range(3):
            sink.append(bytes([batch]) * 199)
        sink.flush()

    names = ["order-sagas.jsonl", "order-sagas.jsonl.1", "order-sagas.jsonl.2"]
    assert names == sorted(file.name for file in path.parent.iterdir())
    assert [b"d", b"c", b"b"] == [(path.parent / name).read_bytes()[:1] for name in names]
    assert {600} == {(path.parent / name).stat().st_size for name in names}


def test_without_backups_the_file_just_grows(path):
    """No lines are deleted by a rotation."""
    sink = LogSink(path, max_bytes=10, backups=0)
    for _ in range(3):
        sink.append_now(b"x" * 20)
    sink.close()

    assert 63 == path.stat().st_size


def test_a_line_after_a_torn_one_begins_a_new_line(sink, path):
    """A process killed while writing costs its own last line only."""
    path.parent.mkdir()
    path.write_bytes(b'{"event": "torn')

    sink.append_now(b"{}")

    assert b'{"event": "torn\n{}\n' == path.read_bytes()


def test_lines_of_many_threads_all_arrive_whole(path):
    """Appending and flushing at once neither loses nor doubles."""
    sink = LogSink(path, max_bytes=10**9, backups=1)

    def write(name):
        for number in range(500):
            sink.append(b"%d-%d" % (name, number))
            if number % 7 == name:
                sink.flush()

    threads = [threading.Thread(target=write, args=(name,)) for name in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sink.close()

    lines = path.read_bytes().split()
    assert 3000 == len(lines) == len(set(lines))
    for name in range(6):
        own = [line for line in lines if line.startswith(b"%d-" % name)]
        assert [b"%d-%d" % (name, number) for number in range(500)] == own


def test_a_log_that_cannot_be_written_is_reported_once(tmp_path, capsys):
    """Orders are handled although the disk of the logs is full; lost lines are counted."""
    (tmp_path / "logs").write_text("in the way of the directory")
    sink = LogSink(tmp_path / "logs" / "x.jsonl", max_bytes=1000, backups=1)

    sink.append_now(b"one")
    sink.append_now(b"two")
    sink.close()

    assert 2 == sink.lost
    assert 1 == capsys.readouterr().err.count("Log lines are being lost")


class FullDisk(io.StringIO):
    """A file on a full disk."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_log_and_standard_error_do_not_stop_the_system(tmp_path, monkeypatch):
    """They are often files on one disk."""
    (tmp_path / "logs").write_text("in the way of the directory")
    sink = LogSink(tmp_path / "logs" / "x.jsonl", max_bytes=1000, backups=1)
    monkeypatch.setattr("sys.stderr", FullDisk())
    sink.append_now(b"one")
    sink.append_now(b"two")
    sink.close()

    assert 2 == sink.lost


@pytest.mark.mounts
def test_a_line_after_a_partly_written_one_begins_a_new_line(tmp_path, capsys):
    """A message says that lines are written again, with the number of lost ones."""
    with small_disk(tmp_path / "disk", 1) as disk:
        sink = LogSink(disk.path / "x.jsonl", max_bytes=10**9, backups=1)
        sink.append_now(b"first")
        disk.fill()
        sink.append_now(b"x" * 10_000)
        sink.append_now(b"lost too")
        disk.free()
        sink.append_now(b"last")
        sink.close()
        lines = (disk.path / "x.jsonl").read_bytes().splitlines()

    assert (b"first", b"last") == (lines[0], lines[-1])
    assert {b"x"} >= {bytes([letter]) for letter in b"".join(lines[1:-1])}
    assert 2 == sink.lost
    assert "Log lines are written again, 2 were lost" in capsys.readouterr().err
