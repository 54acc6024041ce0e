"""Several workers on one database, under a supervisor: real processes, started, killed, stopped."""

import json
import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # types-psutil is not worth a dependency
import pytest

from order_sagas.actors.words import many
from order_sagas.system.supervision.cpu_count import usable_cores
from tests.integration.embedded.test_a_running_system import orders_file, output_of, stock_file
from tests.support.cli import Started, environment, order_sagas
from tests.support.waiting import wait_until

pytestmark = pytest.mark.processes

LOG = "log_dir"


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """Two workers, with the logs beside the database of the test."""
    return environment(tmp_path, workers=2, log_dir=tmp_path / "logs")


def workers(env) -> Any:
    """Wait until all workers answer; return the supervisor's status of each."""

    def all_answer():
        answer = json.loads(order_sagas("status", "--json", env=env).stdout or "{}")
        found = answer.get("workers", [])
        return len(found) == 2 and all(each["report"] for each in found) and found

    return wait_until(all_answer, "both workers to answer")


def alive(pid):
    """Whether a process runs and is no zombie."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_workers_share_the_shards_and_every_order_ends(tmp_path, env):
    """Stock belongs to one worker, so half of the orders cross to the other one and back."""
    with Started(tmp_path, env) as system:
        shards = [set(each["report"]["shards"]) for each in workers(env)]
        order_sagas("stock", "load", stock_file(tmp_path, 250), env=env)
        summary = output_of(env, "submit", orders_file(tmp_path, 300), "--wait")
        ended = [each["report"]["ended"] for each in workers(env)]

        assert 0 == system.stop()
    assert set(range(8)) == shards[0] | shards[1]
    assert not shards[0] & shards[1]
    assert 300 == sum(ended)
    assert all(ended)
    assert [("COMPLETED", "", 250), ("CANCELLED", "out_of_stock", 50)] == [
        (each["status"], each["reason"], each["orders"]) for each in summary["outcomes"]
    ]
    assert 0 == order_sagas("audit", "--ended", env=env).returncode


def test_a_worker_that_is_killed_is_started_again_with_its_shards(tmp_path, env):
    """Killed while orders are in flight: all of them end, and the invariants hold."""
    with Started(tmp_path, env) as system:
        before = workers(env)
        order_sagas("stock", "load", stock_file(tmp_path, 5000), env=env)
        order_sagas("submit", orders_file(tmp_path, 3000), env=env)
        os.kill(before[1]["pid"], signal.SIGKILL)
        after: Any = wait_until(
            lambda: next((w for w in workers(env) if w["restarts"]), None), "a worker to restart"
        )
        again = output_of(env, "submit", orders_file(tmp_path, 100, "more.jsonl"), "--wait")

        assert 0 == system.stop()
    assert before[1]["report"]["shards"] == after["report"]["shards"]
    assert before[1]["pid"] != after["pid"]
    assert [("COMPLETED", 100)] == [(o["status"], o["orders"]) for o in again["outcomes"]]
    assert 0 == order_sagas("audit", "--ended", env=env).returncode


def test_a_worker_that_keeps_failing_ends_the_run_with_an_error(tmp_path, env):
    """A database of a version that is not known: each start of a worker fails."""
    with Started(tmp_path, env) as system:
        found = workers(env)
        with closing(sqlite3.connect(tmp_path / "orders.db", isolation_level=None)) as db:
            db.execute("UPDATE meta SET value = '999' WHERE name = 'schema'")
        for each in found:
            os.kill(each["pid"], signal.SIGKILL)

        assert 1 == system.process.wait(120)
        assert "a worker could not be kept running" in system.printed


def test_workers_end_when_the_process_that_started_them_is_killed(tmp_path, env):
    """No process is left that holds the database, and the next start finds all committed data."""
    with Started(tmp_path, env) as system:
        pids = [each["pid"] for each in workers(env)]
        order_sagas("submit", orders_file(tmp_path, 20), env=env)
        system.process.kill()
        system.process.wait()
        wait_until(lambda: not any(alive(pid) for pid in pids), "the workers to end")
    with Started(tmp_path, env) as system:
        wait_until(
            lambda: order_sagas("audit", "--ended", env=env).returncode == 0, "all orders to end"
        )

        assert 0 == system.stop()


def test_a_run_is_stopped_from_another_terminal(tmp_path, env):
    """As Ctrl-C would; a second stop says that there is nothing to stop."""
    with Started(tmp_path, env) as system:
        workers(env)

        assert 0 == order_sagas("stop", env=env).returncode
        assert 0 == system.process.wait(60)
    again = order_sagas("stop", env=env)
    assert "stop" in order_sagas("actions", "list", env=env).stdout
    assert 1 == again.returncode
    assert "no system runs" in again.stderr


def test_runs_on_two_databases_may_share_a_log_directory(tmp_path, env):
    """Status and stop find each run by its database."""
    other = tmp_path / "other"
    other.mkdir()
    others_env = environment(other, workers=2, log_dir=tmp_path / "logs")
    with Started(tmp_path, env) as system, Started(other, others_env) as another:
        pids = {each["pid"] for each in workers(env)}
        others = {each["pid"] for each in workers(others_env)}
        order_sagas("submit", orders_file(tmp_path, 20), env=env)

        assert not pids & others
        assert 0 == order_sagas("stop", env=env).returncode
        assert 0 == system.process.wait(60)
        assert others == {each["pid"] for each in workers(others_env)}
        assert 0 == another.stop()


def test_by_default_there_is_one_worker_for_each_core(tmp_path):
    """On a machine with one core, that is this process alone."""
    env = environment(tmp_path, workers="auto", log_dir=tmp_path / "logs")
    with Started(tmp_path, env) as system:
        assert f"{min(8, usable_cores())}, of {many(usable_cores(), 'core')}" in system.printed
        assert 0 == system.stop()
