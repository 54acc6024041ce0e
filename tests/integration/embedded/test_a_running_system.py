"""A system in a process of its own, and commands in others: one SQLite file between them."""

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
    """So many orders of one pen each."""
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
    """So many pens."""
    path = directory / "stock.csv"
    path.write_text(f"sku,quantity\nPEN,{count}\n")
    return path


def said(env, *args):
    """What a command printed as JSON."""
    result = order_sagas(*args, "--json", env=env)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def ticks(pid: int) -> int:
    """The CPU that a process has used so far, in the kernel's ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_orders_are_handled_as_soon_as_they_are_submitted(tmp_path):
    """The doorbell wakes the system, which looks by itself once a minute only."""
    env = environment(tmp_path)
    with Started(tmp_path, env) as system:
        order_sagas("stock", "load", stock_file(tmp_path, 30), env=env)
        summary = said(env, "submit", orders_file(tmp_path, 40), "--wait")

        assert 0 == system.stop()
    assert [("COMPLETED", "", 30), ("CANCELLED", "out_of_stock", 10)] == [
        (each["status"], each["reason"], each["orders"]) for each in summary["outcomes"]
    ]


def test_what_was_submitted_while_nothing_ran_is_handled_at_the_start(tmp_path):
    """Goods first, then orders: records are handled in the order they were submitted."""
    env = environment(tmp_path)
    order_sagas("stock", "load", stock_file(tmp_path, 50), env=env)
    order_sagas("submit", orders_file(tmp_path, 50), env=env)
    with Started(tmp_path, env) as system:
        assert "51 records waiting" in system.said
        completed = "SELECT count(*) FROM orders WHERE status = 'COMPLETED'"
        wait_until(lambda: number(completed, env) == 50, "50 orders to complete")


def test_an_idle_system_uses_no_cpu(tmp_path):
    """Less than a hundredth of a core, over the whole lives of processes that only read."""
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
    """In the middle of the work; what is left continues at the next start."""
    env = environment(tmp_path, batch_size=20)
    order_sagas("stock", "load", stock_file(tmp_path, 2000), env=env)
    order_sagas("submit", orders_file(tmp_path, 2000), env=env)
    with Started(tmp_path, env) as system:
        assert 0 == system.stop(by)
        assert f"{by.name}: finishing the current batch" in system.said
        assert "Stopped." in system.said
    with Started(tmp_path, env) as system:
        summary = said(env, "submit", orders_file(tmp_path, 2000), "--wait")
        (stock,) = said(env, "stock", "show")

        assert 0 == system.stop()
    assert [("COMPLETED", 2000)] == [(o["status"], o["orders"]) for o in summary["outcomes"]]
    assert (0, 0, 2000) == (stock["onHand"], stock["held"], stock["sold"])


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_sagas_in_flight_continue_after_a_restart_with_their_deadlines(tmp_path, how):
    """The payment service is silent; what it says after the restart is what they waited for."""
    env = environment(tmp_path, payment_silent_rate=1, payment_silent_attempts=100)
    path = orders_file(tmp_path, 2)
    with Started(tmp_path, env) as system:
        order_sagas("submit", path, env=env)
        running = "SELECT count(*) FROM sagas WHERE status = 'RUNNING'"
        wait_until(lambda: number(running, env) == 2, "sagas to wait")
        before = said(env, "sagas")
        if how == "stopped":
            system.stop()
        else:
            system.process.kill()
            system.process.wait()
    with Started(tmp_path, env) as system:
        assert "2 sagas in flight" in system.said
        after = said(env, "sagas")
        for order_id in ("orders-0", "orders-1"):
            paid = json.dumps({"orderId": order_id, "status": "PAYMENT_COMPLETED"})
            order_sagas("inject", "payment-events", paid, env=env)
        summary = said(env, "submit", path, "--wait")

    assert [saga["deadline"] for saga in before] == [saga["deadline"] for saga in after]
    assert [("CANCELLED", "out_of_stock", 2)] == [
        (each["status"], each["reason"], each["orders"]) for each in summary["outcomes"]
    ]


def test_a_second_system_on_the_same_database_is_refused(tmp_path):
    """With the number of the process that has it, and without harm to that one."""
    env = environment(tmp_path)
    with Started(tmp_path, env) as system:
        second = order_sagas("start", env=env)

        assert 1 == second.returncode
        assert f"running on this database already (process {system.process.pid})" in second.stderr
        assert 0 == system.stop()
    with Started(tmp_path, env) as third:
        assert 0 == third.stop()


def test_a_killed_system_leaves_nothing_that_hinders_the_next(tmp_path):
    """Its lock went with it, and its bell is taken away by the first who rings it."""
    env = environment(tmp_path)
    with Started(tmp_path, env) as system:
        system.process.kill()
        system.process.wait()
    alone = order_sagas("submit", orders_file(tmp_path, 3), env=env)
    with Started(tmp_path, env) as system:
        summary = said(env, "submit", orders_file(tmp_path, 3), "--wait")
        assert 0 == system.stop()

    assert "No system is running" in alone.stderr
    assert 3 == sum(each["orders"] for each in summary["outcomes"])
    assert [] == [path.name for path in tmp_path.iterdir() if ".bell." in path.name]


def test_many_submitters_at_once_do_not_get_in_each_others_way(tmp_path):
    """Nor in the system's: each order is accepted once, whoever brought it."""
    env = environment(tmp_path)
    paths = [orders_file(tmp_path, 1500, f"f{n}.jsonl") for n in range(3)]
    with Started(tmp_path, env) as system, ThreadPoolExecutor(6) as pool:
        tallies = list(pool.map(lambda path: said(env, "submit", path), [*paths, *paths]))
        said(env, "submit", paths[0], "--wait")
        cancelled = "SELECT count(*) FROM sagas WHERE status = 'CANCELLED'"
        wait_until(lambda: number(cancelled, env) == 4500, "all to be handled")
        assert 0 == system.stop()

    assert 4500 == sum(tally["accepted"] for tally in tallies)
    assert 4500 == sum(tally["alreadyThere"] for tally in tallies)


def test_a_system_that_cannot_go_on_says_why_and_exits_with_1(tmp_path):
    """Rather than hang: whatever supervises it shall see it."""
    env = environment(tmp_path, partitions=4)
    order_sagas("submit", orders_file(tmp_path, 1), env=env)
    other = order_sagas("start", env={**env, "ORDER_SAGAS_PARTITIONS": "5"})

    assert 1 == other.returncode
    assert "partitions = 4" in other.stderr
    assert "Traceback" not in other.stderr


def test_a_database_that_breaks_under_a_running_system_ends_it_with_1(tmp_path):
    """What was committed is safe; it says so, and where to read more."""
    env = environment(tmp_path)
    with Started(tmp_path, env) as system:
        order_sagas("submit", orders_file(tmp_path, 1), "--wait", env=env)
        with sqlite3.connect(tmp_path / "orders.db") as db:
            db.execute("ALTER TABLE sagas RENAME COLUMN step TO step_apart")
        order_sagas("submit", orders_file(tmp_path, 1, "another.jsonl"), env=env)

        assert 1 == system.process.wait(60)
        assert "the system failed" in system.said
        assert "no column named step" in system.said


def test_a_command_that_is_interrupted_exits_with_130(tmp_path):
    """`submit --wait` only stops waiting: the orders stay submitted."""
    env = environment(tmp_path)
    waiting = subprocess.Popen(
        [*COMMAND, "submit", str(orders_file(tmp_path, 1)), "--wait"],
        env=env, stderr=subprocess.PIPE, text=True,
        # A shell that runs the tests in the background lets them, and us, ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert waiting.stderr
    assert "No system is running" in waiting.stderr.readline()
    waiting.send_signal(signal.SIGINT)

    assert 130 == waiting.wait(60)
    assert ["SUBMITTED"] == [order["status"] for order in said(env, "orders")]
