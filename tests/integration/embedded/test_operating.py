"""What an operator does to a running system, from another process."""

import os
import pty
import subprocess

import pytest

from tests.integration.embedded.test_a_running_system import orders_file, said
from tests.support.cli import COMMAND, Started, environment, order_sagas
from tests.support.waiting import TIMEOUT, wait_until

pytestmark = pytest.mark.processes


def at_a_terminal(*args, env, answer):
    """What a command printed that was run at a terminal, where somebody answers its question."""
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


def test_many_sagas_are_asked_at_once_if_it_is_meant(tmp_path):
    """At a terminal a question comes first; a no changes nothing."""
    env = environment(tmp_path, payment_silent_rate=1, payment_silent_attempts=100)
    with Started(tmp_path, env):
        order_sagas("submit", orders_file(tmp_path, 3), env=env)
        wait_until(lambda: len(said(env, "sagas", "--status", "running")) == 3, "sagas to wait")
        cancel = ("cancel", "--all", "--step", "process payment", "--why", "a drill")
        no = at_a_terminal(*cancel, env=env, answer="n")
        before = said(env, "sagas", "--status", "running")
        yes = at_a_terminal(*cancel, "--limit", "2", env=env, answer="y")
        wait_until(lambda: len(said(env, "sagas", "--status", "running")) == 1, "two to turn round")
        trace = order_sagas("trace", "orders-0", env=env).stdout

    assert "Cancel 3 saga(s)? [y/N]" in no
    assert 3 == len(before)
    assert "Asked 2 saga(s)" in yes
    assert "(a drill)" in trace
