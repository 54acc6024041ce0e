"""Commands of an operator to a running system, from another process."""

import os
import pty
import subprocess

import pytest

from tests.integration.embedded.test_a_running_system import orders_file, output_of, stock_file
from tests.support.cli import COMMAND, Started, environment, number, order_sagas
from tests.support.waiting import TIMEOUT, wait_until

pytestmark = pytest.mark.processes


def at_a_terminal(*args, env, answer):
    """The output of a command at a terminal, whose question is answered."""
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            [*COMMAND, *args], env=env, stdin=theirs, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        os.write(ours, answer.encode() + b"\n")
        output, _ = process.communicate(timeout=TIMEOUT)
    finally:
        os.close(ours)
        os.close(theirs)
    return output


def test_a_bulk_action_needs_confirmation(tmp_path):
    """At a terminal it asks first; the answer "no" changes nothing."""
    env = environment(tmp_path, payment_silent_rate=1, payment_silent_attempts=100)
    with Started(tmp_path, env):
        order_sagas("submit", orders_file(tmp_path, 3), env=env)
        running = "SELECT count(*) FROM sagas WHERE status = 'RUNNING'"
        wait_until(lambda: number(running, env) == 3, "sagas to wait")
        cancel = ("cancel", "--all", "--step", "process payment", "--why", "a drill")
        no = at_a_terminal(*cancel, env=env, answer="n")
        before = output_of(env, "sagas", "--status", "running")
        yes = at_a_terminal(*cancel, "--limit", "2", env=env, answer="y")
        wait_until(lambda: number(running, env) == 1, "two to turn round")
        trace = order_sagas("trace", "orders-0", env=env).stdout

    assert "Cancel 3 sagas? [y/N]" in no
    assert 3 == len(before)
    assert "Sent to 2 sagas" in yes
    assert "(a drill)" in trace


def test_a_pause_holds_for_all_workers_and_over_their_restarts(tmp_path):
    """`status` shows who paused it, why and since when."""
    env = environment(tmp_path, workers=2)
    parked = "SELECT count(*) FROM parked"
    completed = "SELECT count(*) FROM orders WHERE status = 'COMPLETED'"
    order_sagas("stock", "load", stock_file(tmp_path, 100), env=env)
    with Started(tmp_path, env) as system:
        order_sagas("pause", "payments", "--why", "a drill", "--by", "ada", env=env)
        order_sagas("submit", orders_file(tmp_path, 40), env=env)
        wait_until(lambda: number(parked, env) == 40, "all payments to be kept")
        first = kept(env)
        system.process.kill()
        system.process.wait()
    with Started(tmp_path, env) as system:
        status = order_sagas("status", env=env).stdout
        order_sagas("pause", "intake", "--why", "enough", env=env)
        order_sagas("submit", orders_file(tmp_path, 10, "later.jsonl"), env=env)
        wait_until(lambda: number(parked, env) == 60, "all orders to be kept")
        both = kept(env)
        again = order_sagas("pause", "payments", "--why", "a drill", env=env)
        order_sagas("unpause", "payments", "--by", "ada", env=env)
        wait_until(lambda: number(completed, env) == 40, "the first orders to complete")
        order_sagas("unpause", "intake", env=env)
        wait_until(lambda: number(completed, env) == 50, "the later orders to complete")
        assert 0 == system.stop()
        audit = order_sagas("audit", "--ended", env=env)

    assert ({"payments": 40}, {"payments": 40, "intake": 20}) == (first, both)
    assert "payments is paused since" in " ".join(status.split())
    assert "by ada (a drill), 40 messages kept" in " ".join(status.split())
    assert (1, True) == (again.returncode, "is paused already" in again.stderr)
    assert 0 == audit.returncode, audit.stdout


def kept(env):
    """The number of deferred messages, by paused service."""
    return {each["name"]: each["kept"] for each in output_of(env, "status")["paused"]}
