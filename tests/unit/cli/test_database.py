"""`order-sagas database` on a database of a former version."""

import json
import sqlite3
from contextlib import closing

import pytest

from order_sagas.bridges.storage.instance_lock import DatabaseLock
from order_sagas.bridges.storage.migrations import NEWEST
from tests.support.cli import Started, environment, order_sagas
from tests.support.golden import restore

pytestmark = pytest.mark.processes


@pytest.fixture
def env(tmp_path):
    """The environment of commands on a database of version 1."""
    env = environment(tmp_path, partitions=4, log_dir=tmp_path / "logs")
    restore("orders", env["ORDER_SAGAS_DATABASE"])
    return env


def dump(env) -> list[str]:
    """The whole content of the database."""
    file = env["ORDER_SAGAS_DATABASE"].removeprefix("sqlite:///")
    with closing(sqlite3.connect(file)) as db:
        return list(db.iterdump())


def test_a_dry_run_lists_each_step_and_changes_nothing(env) -> None:
    """With the rows that it would change."""
    before = dump(env)
    told = order_sagas("database", "migrate", "--dry-run", env=env)

    assert (0, "") == (told.returncode, told.stderr)
    assert "Version 2: Sagas are stored by the names of their fields." in told.stdout
    assert "  ALTER TABLE sagas RENAME COLUMN progress TO state\n" in told.stdout
    assert "(17 rows)" in told.stdout
    assert told.stdout.endswith("Nothing was changed: without --dry-run, it is done.\n")
    assert before == dump(env)


def test_it_is_migrated_once(env) -> None:
    """The second time, there is nothing to do."""
    told = order_sagas("database", "version", env=env).stdout
    first, second = (order_sagas("database", "migrate", env=env) for _ in range(2))
    dry = order_sagas("database", "migrate", "--dry-run", env=env)

    assert f"The database has schema version 1; this program needs {NEWEST}." in told
    assert f"has schema version {NEWEST}: it had 1.\n" in first.stdout
    assert f"The database has schema version {NEWEST}: nothing to do.\n" == second.stdout
    assert dry.stdout.startswith("There is nothing to do")
    [noted] = json.loads(order_sagas("actions", "list", "--json", env=env).stdout)
    assert ("migrate", "database", f"to version {NEWEST}") == (
        noted["action"], noted["target"], noted["step"],
    )  # fmt: skip


@pytest.mark.parametrize(
    "command",
    [
        ("orders",), ("sagas",), ("show", "kept"), ("status",), ("audit",), ("stock", "show"),
        ("dead-letters", "list"), ("resume", "--all"), ("prune", "--older-than", "1d"),
        ("inject", "order-events", '{"orderId": "A", "status": "ORDER_CREATED"}'),
        ("pause", "stock", "--why", "x"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_commands_other_than_start_refuse_a_former_version(env, command) -> None:
    """In one line that says what to do; nothing is changed."""
    before = dump(env)
    done = order_sagas(*command, env=env)

    assert 1 == done.returncode
    assert 1 == done.stderr.count("\n")
    assert "has schema version 1, and this program needs" in done.stderr
    assert "run `database migrate`" in done.stderr
    assert "Try: order-sagas database migrate" in done.stderr
    assert before == dump(env)


def test_a_newer_version_is_refused_by_every_command(env) -> None:
    """With both versions, and what to do."""
    order_sagas("database", "migrate", env=env)
    with closing(sqlite3.connect(env["ORDER_SAGAS_DATABASE"].removeprefix("sqlite:///"))) as db:
        db.execute("UPDATE meta SET value = '99' WHERE name = 'schema'")
        db.commit()
    commands = (
        ("start",),
        ("orders",),
        ("database", "migrate"),
        ("database", "migrate", "--dry-run"),
    )

    for command in commands:
        done = order_sagas(*command, env=env)
        assert 1 == done.returncode
        assert f"version 99, and this program knows versions up to {NEWEST}:" in done.stderr


def test_the_database_of_a_running_system_is_not_migrated(env) -> None:
    """That system may be of the former version."""
    with DatabaseLock(env["ORDER_SAGAS_DATABASE"]):
        done = order_sagas("database", "migrate", env=env)

    assert 1 == done.returncode
    assert "a system is running on this database already" in done.stderr
    assert "one process runs an SQLite database. Try: order-sagas stop" in done.stderr


def test_a_missing_database_is_an_error(tmp_path) -> None:
    """No database is created."""
    done = order_sagas("database", "migrate", env=environment(tmp_path))

    assert 1 == done.returncode
    assert "there is no database at" in done.stderr
    assert not (tmp_path / "orders.db").exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_start_migrates(env, tmp_path, workers) -> None:
    """Before any worker opens the database."""
    with Started(tmp_path, env, "--workers", workers) as system:
        shown = order_sagas("show", "kept", env=env)
        stopped = system.stop()

    assert (0, 0) == (shown.returncode, stopped)
    assert "COMPLETED" in shown.stdout
