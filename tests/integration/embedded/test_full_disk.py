"""Real processes on a small file system that is full for a while: database, logs, or both."""

import json
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psutil  # type: ignore[import-untyped]  # types-psutil is not worth a dependency
import pytest

from tests.integration.embedded.test_a_running_system import orders_file, output_of, stock_file
from tests.support.cli import Started, environment, number, order_sagas
from tests.support.ports import free_port
from tests.support.processes import is_alive
from tests.support.small_disk import SmallDisk, small_disk
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.processes, pytest.mark.mounts]

ENDED = "SELECT count(*) FROM orders WHERE status IN ('COMPLETED', 'CANCELLED')"


def places(disk: SmallDisk, tmp_path: Path, on_disk: str) -> dict[str, str]:
    """The environment of two workers, with database, logs or both on the small disk."""
    data = tmp_path if on_disk == "logs" else disk.path
    logs = (tmp_path if on_disk == "database" else disk.path) / "logs"
    return environment(data, workers=2, log_dir=logs)


def submitted(env: dict[str, str], file: Path) -> bool:
    """Submit the orders of a file; return whether the command reported that they are stored."""
    return 0 == order_sagas("submit", file, env=env).returncode


def status_of_post(address: str, order_id: str) -> int:
    """Submit an order over HTTP, and return the status of the response."""
    line = {"sku": "PEN", "quantity": 1, "unitPrice": 100}
    body = {"orderId": order_id, "customerId": "c", "currency": "EUR", "lines": [line]}
    request = Request(
        f"{address}/api/v1/orders", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urlopen(request, timeout=60) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


@pytest.mark.parametrize("on_disk", ["database", "logs", "both"])
def test_every_order_that_was_acknowledged_ends_once_there_is_space_again(tmp_path, on_disk):
    """No process is left hanging, and `status` names the full disk."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    with small_disk(tmp_path / "disk", 32) as disk:
        env = places(disk, tmp_path, on_disk)
        order_sagas("stock", "load", stock_file(tmp_path, 1000), env=env)
        with Started(tmp_path, env) as system:
            accepted = submitted(env, orders_file(first, 50))
            disk.fill()
            while_full = submitted(env, orders_file(second, 60))
            found = output_of(env, "status")
            disk.free()
            wait_until(lambda: submitted(env, second / "orders.jsonl"), "space to submit")
            wait_until(lambda: number(ENDED, env) == 60, "every order to end")
            workers = output_of(env, "status")["workers"]

            assert accepted
            assert while_full == (on_disk == "logs")
            assert found["fullDisks"]
            assert ["running", "running"] == [worker["state"] for worker in workers]
            assert all(is_alive(psutil.Process(worker["pid"])) for worker in workers)
            assert 0 == order_sagas("audit", "--ended", env=env).returncode
            assert 0 == system.stop()


def test_workers_killed_while_the_disk_is_full_are_restarted_until_they_run(tmp_path):
    """The run does not give up, however often they fail to start."""
    with small_disk(tmp_path / "disk", 32) as disk:
        env = places(disk, tmp_path, "both")
        with Started(tmp_path, env) as system:
            workers: list[dict[str, Any]] = wait_until(
                lambda: [w for w in output_of(env, "status")["workers"] if w["state"] == "running"],
                "a worker to run",
            )
            disk.fill()
            for worker in workers:
                psutil.Process(worker["pid"]).kill()
            wait_until(
                lambda: max(w["restarts"] for w in output_of(env, "status")["workers"]) > 4,
                "more restarts than a run has otherwise",
            )
            error = output_of(env, "status")["lastError"]
            disk.free()
            wait_until(
                lambda: all(w["state"] == "running" for w in output_of(env, "status")["workers"]),
                "the workers to run again",
            )

            assert 0 == system.stop()
    assert "StoreUnavailableError: the database cannot be written" in error


def test_http_confirms_no_order_that_is_not_stored(tmp_path):
    """Orders are answered with 503 while the disk is full, and with 201 afterwards."""
    port = free_port()
    with small_disk(tmp_path / "disk", 32) as disk:
        env = places(disk, tmp_path, "both")
        order_sagas("stock", "load", stock_file(tmp_path, 1000), env=env)
        with Started(tmp_path, env, "--http", f"127.0.0.1:{port}"):
            address = f"http://127.0.0.1:{port}"
            before = wait_until(
                lambda: status_of_post_if_served(address, "A-0"), "HTTP to be served"
            )
            disk.fill()
            full = [status_of_post(address, f"B-{i}") for i in range(5)]
            stored = number("SELECT count(*) FROM order_keys WHERE order_id LIKE 'B-%'", env)
            disk.free()
            wait_until(lambda: status_of_post(address, "C-0") == 201, "an order to be taken")

    assert 201 == before
    assert full.count(201) == stored
    assert 503 in full


def status_of_post_if_served(address: str, order_id: str) -> int:
    """As `status_of_post`; 0 if nothing listens yet."""
    try:
        return status_of_post(address, order_id)
    except OSError:
        return 0
