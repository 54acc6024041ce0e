"""A system in a separate process, and commands in others, on one SQLite file."""

import json
import os
import signal
import sqlite3
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.cli import COMMAND, Started, environment, number, order_sagas
from tests.support.waiting import wait_until

pytestmark = pytest.mark.processes

TICKS = os.sysconf("SC_CLK_TCK")
"""The kernel's ticks of CPU time in a second."""


def orders_file(directory: Path, count: int, name: str = "orders.jsonl") -> Path:
    """Write a file with a number of orders of one pen each."""
    line = {"sku": "PEN", "quantity": 1, "unitPrice": 150}
    path = directory / name
    path.write_text(
        "".join(
            json.dumps(
                {"orderId": f"{path.stem}-{n}", "customerId": "c", "currency": "EUR",
                 "lines": [line]}
            ) + "\n"
            for n in range(count)
        )
    )  # fmt: skip
    return path


def stock_file(directory: Path, count: int) -> Path:
    """Write a file with a delivery of pens."""
    path = directory / "stock.csv"
    path.write_text(f"sku,quantity\nPEN,{count}\n")
    return path


def output_of(env, *args):
    """The JSON output of a command."""
    result = order_sagas(*args, "--json", env=env)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def ticks(pid: int) -> int:
    """The CPU that a process has used so far, in the kernel's ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_orders_are_handled_as_soon_as_they_are_submitted(tmp_path):
    """The doorbell wakes the system, which polls only once a minute."""
    env = environment(tmp_path)
    with Started(tmp_path, env) as system:
        order_sagas("stock", "load", stock_file(tmp_path, 30), env=env)
        summary = output_of(env, "submit", orders_file(tmp_path, 40), "--wait")

        assert 0 == system.stop()
    assert [("COMPLETED", "", 30), ("CANCELLED", "out_of_stock", 10)] == [
        (each["status"], each["reason"], each["orders"]) for each in summary["outcomes"]
    ]


def test_records_submitted_while_nothing_runs_are_handled_at_the_start(tmp_path):
    """Goods first, then orders: records are handled in the order of submission."""
    env = environment(tmp_path)
    order_sagas("stock", "load", stock_file(tmp_path, 50), env=env)
    order_sagas("submit", orders_file(tmp_path, 50), env=env)
    with Started(tmp_path, env) as system:
        assert "51 records waiting" in system.printed
        completed = "SELECT count(*) FROM orders WHERE status = 'COMPLETED'"
        wait_until(lambda: number(completed, env) == 50, "50 orders to complete")


def test_an_idle_system_uses_no_cpu(tmp_path):
    """Less than a hundredth of a core, also with commands that only read."""
    env = environment(tmp_path)
    with Started(tmp_path, env) as system:
        order_sagas("submit", orders_file(tmp_path, 1), "--wait", env=env)
        before, began = ticks(system.process.pid), time.monotonic()
        for _ in range(3):
            order_sagas("orders", env=env)  # only reads
        used = ticks(system.process.pid) - before
        at_most = 0.01 * TICKS * (time.monotonic() - began)

    assert used < max(1.0, at_most)


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_stopping_finishes_the_batch_and_loses_nothing(tmp_path, by):
    """The rest of the orders is handled after the next start."""
    env = environment(tmp_path, batch_size=20)
    order_sagas("stock", "load", stock_file(tmp_path, 2000), env=env)
    order_sagas("submit", orders_file(tmp_path, 2000), env=env)
    with Started(tmp_path, env) as system:
        assert 0 == system.stop(by)
        assert f"{by.name}: finishing the current batch" in system.printed
        assert "Stopped." in system.printed
    with Started(tmp_path, env) as system:
        summary = output_of(env, "submit", orders_file(tmp_path, 2000), "--wait")
        (stock,) = output_of(env, "stock", "show")

        assert 0 == system.stop()
    assert [("COMPLETED", 2000)] == [(o["status"], o["orders"]) for o in summary["outcomes"]]
    assert (0, 0, 2000) == (stock["onHand"], stock["held"], stock["sold"])


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_sagas_in_flight_continue_after_a_restart_with_their_deadlines(tmp_path, how):
    """The payment service answers only after the restart."""
    env = environment(tmp_path, payment_silent_rate=1, payment_silent_attempts=100)
    path = orders_file(tmp_path, 2)
    with Started(tmp_path, env) as system:
        order_sagas("submit", path, env=env)
        running = "SELECT count(*) FROM sagas WHERE status = 'RUNNING'"
        wait_until(lambda: number(running, env) == 2, "sagas to wait")
        before = output_of(env, "sagas")
        if how == "stopped":
            system.stop()
        else:
            system.process.kill()
            system.process.wait()
    with Started(tmp_path, env) as system:
        assert "2 sagas in flight" in system.printed
        after = output_of(env, "sagas")
        for order_id in ("orders-0", "orders-1"):
            paid = json.dumps({"orderId": order_id, "status": "PAYMENT_COMPLETED"})
            order_sagas("inject", "payment-events", paid, env=env)
        summary = output_of(env, "submit", path, "--wait")

    assert [saga["deadline"] for saga in before] == [saga["deadline"] for saga in after]
    assert [("CANCELLED", "out_of_stock", 2)] == [
        (each["status"], each["reason"], each["orders"]) for each in summary["outcomes"]
    ]


def test_a_second_system_on_the_same_database_is_refused(tmp_path):
    """The error names the process that has it, which is not affected."""
    env = environment(tmp_path)
    with Started(tmp_path, env) as system:
        second = order_sagas("start", env=env)

        assert 1 == second.returncode
        assert f"running on this database already (process {system.process.pid})" in second.stderr
        assert 0 == system.stop()
    with Started(tmp_path, env) as third:
        assert 0 == third.stop()


def test_a_killed_system_leaves_no_lock_and_no_doorbell(tmp_path):
    """Its lock ends with the process, and the next submitter removes its doorbell."""
    env = environment(tmp_path)
    with Started(tmp_path, env) as system:
        system.process.kill()
        system.process.wait()
    alone = order_sagas("submit", orders_file(tmp_path, 3), env=env)
    with Started(tmp_path, env) as system:
        summary = output_of(env, "submit", orders_file(tmp_path, 3), "--wait")
        assert 0 == system.stop()

    assert "No system is running" in alone.stderr
    assert 3 == sum(each["orders"] for each in summary["outcomes"])
    assert [] == [path.name for path in tmp_path.iterdir() if ".bell." in path.name]


def test_many_submitters_at_once_submit_each_order_once(tmp_path):
    """While the system runs: each order is accepted once, by whichever process submits it."""
    env = environment(tmp_path)
    paths = [orders_file(tmp_path, 1500, f"f{n}.jsonl") for n in range(3)]
    with Started(tmp_path, env) as system, ThreadPoolExecutor(6) as pool:
        tallies = list(pool.map(lambda path: output_of(env, "submit", path), [*paths, *paths]))
        output_of(env, "submit", paths[0], "--wait")
        cancelled = "SELECT count(*) FROM sagas WHERE status = 'CANCELLED'"
        wait_until(lambda: number(cancelled, env) == 4500, "all to be handled")
        assert 0 == system.stop()

    assert 4500 == sum(tally["accepted"] for tally in tallies)
    assert 4500 == sum(tally["alreadyThere"] for tally in tallies)


def test_a_fatal_error_is_printed_and_exits_with_1(tmp_path):
    """Instead of hanging, so that a service manager can notice it."""
    env = environment(tmp_path, partitions=4)
    order_sagas("submit", orders_file(tmp_path, 1), env=env)
    other = order_sagas("start", env={**env, "ORDER_SAGAS_PARTITIONS": "5"})

    assert 1 == other.returncode
    assert "partitions = 4" in other.stderr
    assert "Traceback" not in other.stderr


def test_a_database_that_breaks_ends_a_running_system_with_1(tmp_path):
    """The error says that committed data is safe, and where to read more."""
    env = environment(tmp_path)
    with Started(tmp_path, env) as system:
        order_sagas("submit", orders_file(tmp_path, 1), "--wait", env=env)
        with sqlite3.connect(tmp_path / "orders.db") as db:
            db.execute("ALTER TABLE sagas RENAME COLUMN step TO step_apart")
        order_sagas("submit", orders_file(tmp_path, 1, "another.jsonl"), env=env)

        assert 1 == system.process.wait(60)
        assert "the system failed" in system.printed
        assert "no column named step" in system.printed


def test_a_command_that_is_interrupted_exits_with_130(tmp_path):
    """`submit --wait` only stops waiting: the orders stay submitted."""
    env = environment(tmp_path)
    waiting = subprocess.Popen(
        [*COMMAND, "submit", str(orders_file(tmp_path, 1)), "--wait"],
        env=env, stderr=subprocess.PIPE, text=True,
        # A shell that runs the tests in the background makes them ignore SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert waiting.stderr
    assert "No system is running" in waiting.stderr.readline()
    waiting.send_signal(signal.SIGINT)

    assert 130 == waiting.wait(60)
    assert ["SUBMITTED"] == [order["status"] for order in output_of(env, "orders")]
