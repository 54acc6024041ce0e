"""The database file is removed or replaced while real processes use it."""

import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from order_sagas.bridges.errors import StoreError
from order_sagas.bridges.storage.connection import connect
from order_sagas.bridges.storage.file_watch import DatabaseFileWatch, explained
from tests.integration.embedded.test_a_running_system import orders_file
from tests.support.cli import Started, environment, number, order_sagas
from tests.support.waiting import TIMEOUT, wait_until

ORDERS = "SELECT count(*) FROM orders"


@pytest.mark.processes
@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_whose_database_file_is_removed_ends_and_saves_what_it_held(tmp_path, workers):
    """With an error that names both files; every order is in the saved one."""
    env = environment(tmp_path, workers=workers, log_dir=tmp_path / "logs")
    with Started(tmp_path, env) as system:
        order_sagas("submit", orders_file(tmp_path, 20), env=env)
        wait_until(lambda: number(ORDERS, env) == 20, "the orders to be stored")
        for file in tmp_path.glob("orders.db*"):
            if not file.is_socket() and file.suffix != ".lock":
                file.unlink()
        status = system.process.wait(TIMEOUT)
        said = system.printed
    (saved,) = tmp_path.glob("orders.db.saved-*")
    with closing(sqlite3.connect(saved)) as db:
        ((orders,),) = db.execute(ORDERS)

    assert 1 == status
    # A process of the run that opens the path before the check makes an empty file there.
    what = "was (removed|replaced by another file) while it was in use"
    assert re.search(f"{tmp_path / 'orders.db'} {what}", said)
    assert str(saved) in said
    assert 20 == orders


def made(path: Path, value: int) -> str:
    """Make a database with one value, and return its URL."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("CREATE TABLE t (n)")
        db.execute("INSERT INTO t VALUES (?)", (value,))
        db.commit()
    return f"sqlite:///{path}"


def test_a_replaced_file_is_detected(tmp_path):
    """The new file is left as it is, and the content of the former one is saved."""
    url, other = made(tmp_path / "a.db", 1), tmp_path / "b.db"
    made(other, 2)
    found: list[BaseException] = []
    with DatabaseFileWatch(url, found.append) as watch:
        shutil.move(other, tmp_path / "a.db")
        wait_until(lambda: found, "the other file to be noticed")
    assert watch.saved is not None
    values = []
    for path in (watch.saved, tmp_path / "a.db"):
        with closing(sqlite3.connect(path)) as db:
            values += [n for (n,) in db.execute("SELECT n FROM t")]

    assert [watch.error] == found
    assert "replaced by another file" in str(explained(watch))
    assert [1, 2] == values


@pytest.mark.parametrize("url", ["postgresql://db/orders", "sqlite:///:memory:", "file"])
def test_an_unchanged_database_is_no_error(tmp_path, url):
    """Nor is a database that is not a file of this machine."""
    with DatabaseFileWatch(made(tmp_path / "a.db", 1) if url == "file" else url, print) as watch:
        pass

    assert explained(watch) is None


def test_a_damaged_file_is_reported_by_its_name(tmp_path):
    """With an error that is no outage, because waiting does not help."""
    (tmp_path / "a.db").write_bytes(b"no database" * 1000)

    with pytest.raises(StoreError, match="damaged: file is not a database"):
        connect(f"sqlite:///{tmp_path / 'a.db'}")
