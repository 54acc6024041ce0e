"""The doorbell: heard at once, and never mistaken for another's."""

import queue
import subprocess
import sys

import pytest

from bridges.doorbell import Doorbell, ring


@pytest.fixture(params=["short", "long"])
def database(request, tmp_path):
    """A database whose bell is beside it, or one whose path is too long for a socket."""
    directory = tmp_path if request.param == "short" else tmp_path / ("d" * 90)
    directory.mkdir(exist_ok=True)
    return f"sqlite:///{directory / 'orders.db'}"


def test_a_ring_is_heard(database):
    """Without waiting for anything else."""
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()
    bell = Doorbell(database, lambda: heard.put("ring"))
    bell.listen()

    assert 1 == ring(database)
    assert "ring" == heard.get(timeout=10)
    bell.close()


def test_a_ring_from_before_anybody_listened_is_heard_later(database):
    """The system hears of what was submitted while it was restored."""
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()
    bell = Doorbell(database, lambda: heard.put("ring"))
    ring(database)
    bell.listen()

    assert "ring" == heard.get(timeout=10)
    bell.close()


def test_nobody_hears_when_nobody_runs_or_another_database_does(database, tmp_path):
    """That is how a submitter knows that no system is running."""
    bell = Doorbell(f"sqlite:///{tmp_path / 'orders.db2'}", lambda: None)
    bell.listen()

    assert 0 == ring(database)
    bell.close()
    assert 0 == ring(f"sqlite:///{tmp_path / 'orders.db2'}")


def test_the_bell_of_a_dead_process_is_taken_away(tmp_path):
    """It is neither counted as running, nor left lying around."""
    database = f"sqlite:///{tmp_path / 'orders.db'}"
    hang = f"from bridges.doorbell import Doorbell; Doorbell({database!r}, print)"
    subprocess.run([sys.executable, "-c", f"{hang}; import os; os._exit(9)"], check=False)
    left = list(tmp_path.iterdir())

    assert 1 == len(left)
    assert 0 == ring(database)
    assert [] == list(tmp_path.iterdir())


def test_a_bell_that_is_full_still_counts_as_heard(tmp_path):
    """A submitter never waits for a system that is busy."""
    database = f"sqlite:///{tmp_path / 'orders.db'}"
    bell = Doorbell(database, lambda: None)

    assert {1} == {ring(database) for _ in range(1000)}
    bell.close()


def test_a_database_on_a_server_has_no_bell():
    """Its records come another way."""
    bell = Doorbell("postgresql://localhost/orders", lambda: None)
    bell.listen()

    assert 0 == ring("postgresql://localhost/orders")
    bell.close()


def test_two_ways_of_naming_one_file_are_one_bell(tmp_path, monkeypatch):
    """The submitter may stand in another directory."""
    bell = Doorbell(f"sqlite:///{tmp_path / 'orders.db'}", lambda: None)
    monkeypatch.chdir(tmp_path)

    assert 1 == ring("sqlite:///orders.db")
    bell.close()
