"""Processes of a supervised run that are killed, fail, hang, or lose the files of their run."""

import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # types-psutil is not worth a dependency
import pytest

from tests.integration.embedded.test_a_running_system import orders_file, output_of, stock_file
from tests.support.cli import COMMAND, Started, environment, number, order_sagas
from tests.support.ports import free_port, is_listening
from tests.support.processes import is_alive
from tests.support.sockets import tree
from tests.support.waiting import TIMEOUT, wait_until

pytestmark = pytest.mark.processes


NEWER = "UPDATE meta SET value = '999' WHERE name = 'schema'"
"""No worker can be started on such a database."""
BROKEN = "ALTER TABLE sagas RENAME COLUMN step TO step_apart"
"""Makes every commit of a new saga fail with an error that is no outage and no record's fault."""
MENDED = "ALTER TABLE sagas RENAME COLUMN step_apart TO step"


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """Two workers, with the logs beside the database of the test."""
    return environment(tmp_path, workers=2, log_dir=tmp_path / "logs")


@pytest.fixture
def killed_afterwards() -> Iterator[list[psutil.Process]]:
    """Processes that are killed after the test, also if it fails."""
    processes: list[psutil.Process] = []
    yield processes
    for process in processes:
        if is_alive(process):
            process.kill()


def statuses(env: dict[str, str]) -> list[dict[str, Any]]:
    """The supervisor's status of its workers."""
    found: list[dict[str, Any]] = output_of(env, "status")["workers"]
    return found


def wait_for_states(env: dict[str, str], *states: str) -> list[dict[str, Any]]:
    """Wait until the workers are in these states; return their status."""

    def found() -> list[dict[str, Any]]:
        workers = statuses(env)
        return workers if [*states] == [worker["state"] for worker in workers] else []

    return wait_until(found, f"the workers to be {states}")


def wait_until_gone(processes: list[psutil.Process]) -> None:
    """Wait until all processes have ended."""
    wait_until(lambda: not any(map(is_alive, processes)), "every process to end")


def make_unusable(database: Path) -> None:
    """Replace a database by a directory, so that no worker can start any more."""
    for leftover in database.parent.glob(f"{database.name}*"):
        if not leftover.is_socket():
            leftover.unlink()
    database.mkdir()


def test_a_worker_that_failed_exits_although_the_folder_of_its_run_is_gone(tmp_path, env):
    """It cannot commit, exits, and is started again with the stored state."""
    with Started(tmp_path, env) as system:
        before = wait_for_states(env, "running", "running")
        processes = [psutil.Process(worker["pid"]) for worker in before]
        shutil.rmtree(tmp_path / "logs" / "run")
        order_sagas("stock", "load", stock_file(tmp_path, 20), env=env)
        with closing(sqlite3.connect(tmp_path / "orders.db", isolation_level=None)) as db:
            db.execute(BROKEN)
            order_sagas("submit", orders_file(tmp_path, 20), env=env)
            wait_until(lambda: not all(map(is_alive, processes)), "a worker to exit")
            db.execute(MENDED)
        wait_until(
            lambda: number("SELECT count(*) FROM orders WHERE status = 'COMPLETED'", env) == 20,
            "every order to end",
        )

        assert 0 == order_sagas("stop", env=env).returncode
        assert 0 == system.process.wait(TIMEOUT)


def test_a_run_without_its_folder_reports_why_it_gives_up(tmp_path, env):
    """The reason travels over the channel of the worker, not through a file."""
    with Started(tmp_path, env) as system:
        found = wait_for_states(env, "running", "running")
        shutil.rmtree(tmp_path / "logs" / "run")
        with closing(sqlite3.connect(tmp_path / "orders.db", isolation_level=None)) as db:
            db.execute(NEWER)
        for worker in found:
            os.kill(worker["pid"], signal.SIGKILL)

        assert 1 == system.process.wait(TIMEOUT * 2)
        assert "a worker could not be kept running: worker" in system.printed
        assert "NewerDatabaseError: the database has schema version 999" in system.printed


def test_a_run_of_one_process_that_cannot_print_its_failure_ends(tmp_path, env):
    """Its standard error is a file on a full disk."""
    env = {**env, "ORDER_SAGAS_WORKERS": "1"}
    with open("/dev/full", "w") as full:
        process = subprocess.Popen(
            [*COMMAND, "start"], env=env, stdout=subprocess.PIPE, stderr=full, text=True
        )
    assert process.stdout is not None
    assert "order-sagas is running\n" == process.stdout.readline()
    with closing(sqlite3.connect(tmp_path / "orders.db", isolation_level=None)) as db:
        db.execute(BROKEN)
    order_sagas("submit", orders_file(tmp_path, 20), env=env)

    with process.stdout:
        assert 0 != process.wait(TIMEOUT)


@pytest.mark.parametrize("folder", ["kept", "removed"])
def test_every_process_ends_when_the_first_is_killed(tmp_path, env, folder):
    """Workers and HTTP, with and without the folder of the run."""
    port = free_port()
    with Started(tmp_path, env, "--http", f"127.0.0.1:{port}") as system:
        wait_for_states(env, "running", "running")
        wait_until(lambda: is_listening(port), "HTTP to be served")
        first, *others = tree(system.process.pid)
        if folder == "removed":
            shutil.rmtree(tmp_path / "logs" / "run")
        first.kill()
        wait_until_gone(others)
    assert 3 == len(others)


def test_every_process_ends_when_the_first_is_killed_while_they_start(tmp_path, env):
    """No process that is still loading is left to run later."""
    with Started(tmp_path, env) as system:
        first, *others = tree(system.process.pid)
        first.kill()
        wait_until_gone(others)
    with Started(tmp_path, env) as system:
        wait_for_states(env, "running", "running")

        assert 0 == system.stop()


def test_status_distinguishes_starting_running_hanging_and_waiting_workers(
    tmp_path, env, killed_afterwards
):
    """One that hangs has a process and no report; one that waits to be started has no process."""
    with Started(tmp_path, env) as system:
        first, second = wait_for_states(env, "running", "running")
        os.kill(second["pid"], signal.SIGSTOP)
        killed_afterwards.append(psutil.Process(second["pid"]))
        _, hanging = wait_for_states(env, "running", "not answering")
        shown = order_sagas("status", env={**env, "COLUMNS": "160"}).stdout
        os.kill(second["pid"], signal.SIGCONT)
        _, awake = wait_for_states(env, "running", "running")
        make_unusable(tmp_path / "orders.db")
        os.kill(second["pid"], signal.SIGKILL)

        assert 1 == system.process.wait(TIMEOUT * 2)
    assert first["cpu"] > 0
    assert (second["pid"], None) == (hanging["pid"], hanging["report"])
    assert f"{second['pid']}, not answering" in shown
    assert (second["pid"], 0) == (awake["pid"], awake["restarts"])


def test_ctrl_c_finishes_the_batches_in_every_state(tmp_path, env):
    """A terminal signals every process of the group: the workers leave it to the first process."""
    order_sagas("stock", "load", stock_file(tmp_path, 100), env=env)
    order_sagas("submit", orders_file(tmp_path, 100), env=env)
    process = subprocess.Popen(
        [*COMMAND, "start"],
        env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert "order-sagas is running\n" == process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)
    rest = process.stdout.read()

    assert 0 == process.wait(TIMEOUT)
    assert "SIGINT: finishing the current batches ..." in rest
    assert "Stopped. Sagas in flight continue at the next start." in rest


def test_a_second_ctrl_c_ends_the_run_at_once(tmp_path, env, killed_afterwards):
    """Although a worker hangs, which ends as soon as it can."""
    with Started(tmp_path, env) as system:
        found = wait_for_states(env, "running", "running")
        workers = [psutil.Process(worker["pid"]) for worker in found]
        killed_afterwards += workers
        for worker in workers:
            worker.suspend()
        system.process.send_signal(signal.SIGINT)
        wait_until(lambda: "SIGINT: finishing" in system.printed, "the first Ctrl-C to be heard")
        system.process.send_signal(signal.SIGINT)

        assert -signal.SIGINT == system.process.wait(TIMEOUT)
        for worker in workers:
            worker.resume()
        wait_until_gone(workers)


def test_a_closed_terminal_does_not_prevent_a_clean_stop(tmp_path, env):
    """The run cannot print its last lines, which is ignored."""
    process = subprocess.Popen(
        [*COMMAND, "start"],
        env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert "order-sagas is running\n" == process.stdout.readline()
    workers = tree(process.pid)[1:]
    wait_for_states(env, "running", "running")
    process.stdout.close()
    order_sagas("stock", "load", stock_file(tmp_path, 100), env=env)
    order_sagas("submit", orders_file(tmp_path, 100), env=env)
    process.send_signal(signal.SIGTERM)
    process.wait(TIMEOUT)

    assert not any(map(is_alive, workers))
    assert 0 == order_sagas("audit", env=env).returncode
