"""Metrics of a run as Prometheus scrapes them: one address for any number of processes."""

import os
import signal
import socket
from pathlib import Path
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from order_sagas.system.telemetry.metric_definitions import ROLE_LAG
from tests.integration.embedded.test_a_running_system import orders_file, output_of, stock_file
from tests.support.cli import Started, environment, order_sagas
from tests.support.ports import free_port
from tests.support.waiting import wait_until

pytestmark = pytest.mark.processes


def scraped(port: int) -> dict[str, dict[str, float]]:
    """Scrape, and return the sums of metrics by name and worker, or by name and role."""
    with urlopen(f"http://127.0.0.1:{port}/metrics") as response:
        text = response.read().decode()
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            of_worker = found.setdefault(sample.name.removeprefix("order_sagas_"), {})
            of = sample.labels["role" if family.name == ROLE_LAG.name else "worker"]
            of_worker[of] = of_worker.get(of, 0.0) + sample.value
    return found


@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_has_one_endpoint(tmp_path: Path, workers: int) -> None:
    """It has the metrics of every worker, and counts all orders."""
    port = free_port()
    env = environment(tmp_path, workers=workers, metrics=f"127.0.0.1:{port}")
    names = {str(number) for number in range(workers)}
    with Started(tmp_path, env) as system:
        wait_until(
            lambda: scraped(port).get("worker_up") == dict.fromkeys(names, 1.0), "all to answer"
        )
        order_sagas("stock", "load", stock_file(tmp_path, 100), env=env)
        output_of(env, "submit", orders_file(tmp_path, 40), "--wait")
        found = scraped(port)

        assert 0 == system.stop()
    assert 40 == sum(found["sagas_started_total"].values())
    assert 40 == sum(found["sagas_ended_total"].values())
    assert 8 == sum(found["worker_shards"].values())
    assert names == set(found["commit_seconds_count"])
    assert {"orchestrator", "orders", "payments", "stock", "notifications"} == set(
        found["role_records_waiting"]
    )


def test_a_restarted_worker_has_new_counters(tmp_path: Path) -> None:
    """Prometheus recognises it by the start time of its process."""
    port = free_port()
    env = environment(tmp_path, workers=2, metrics=f"127.0.0.1:{port}")
    up = {"0": 1.0, "1": 1.0}
    with Started(tmp_path, env) as system:
        wait_until(lambda: scraped(port).get("worker_up") == up, "both workers to answer")
        before = scraped(port)["process_start_time_seconds"]
        status = output_of(env, "status")
        os.kill(next(w["pid"] for w in status["workers"] if w["number"] == 1), signal.SIGKILL)

        def is_back() -> bool:
            now = scraped(port)
            began = now["process_start_time_seconds"].get("1", before["1"])
            return now["worker_up"] == up and began != before["1"]

        wait_until(is_back, "the worker to be back")
        after = scraped(port)["process_start_time_seconds"]

        assert 0 == system.stop()
    assert before["0"] == after["0"]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_address_that_is_taken_is_refused(tmp_path: Path, workers: int) -> None:
    """The error is one line, and no process is left."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        env = environment(tmp_path, workers=workers, metrics=address)
        refused = order_sagas("start", env=env)

    assert 1 == refused.returncode
    assert f"Error: metrics cannot be served at {address}" in refused.stderr
    assert 1 == order_sagas("status", env=env).returncode
