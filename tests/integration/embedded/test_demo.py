"""`order-sagas demo`, as `make demo` runs it."""

import json
import os
import re
import shlex
import signal
import subprocess
import urllib.request

import pytest

from order_sagas.bridges.storage.instance_lock import DatabaseLock
from order_sagas.system.demo import figures_of, run_demo
from order_sagas.system.demo.live_app import STUCK
from tests.support.cli import COMMAND, Started, environment, order_sagas
from tests.support.ports import free_port
from tests.support.waiting import wait_until

pytestmark = pytest.mark.processes


def test_the_same_seed_gives_the_same_counts(tmp_path):
    """Although the timers of the silent services fire at varying times."""
    counts = []
    for name, seed in (("one", 7), ("two", 7), ("three", 8)):
        (tmp_path / name).mkdir()
        demo = run_demo(tmp_path / name, 300, seed, lambda _: None)
        counts.append(figures_of(demo.settings.database).counts())

    assert counts[0] == counts[1]
    assert counts[0] != counts[2]
    assert [300] * 3 == [sum(each.values()) for each in counts]
    assert {"card_declined", "out_of_stock", "timed_out", "completed"} <= {*counts[0]}


def test_a_demo_in_a_pipe_is_plain_text_and_its_suggestions_work(tmp_path):
    """Each suggestion is run unchanged, from the directory where the demo was run."""
    env = environment(tmp_path)
    shown = subprocess.run(
        [*COMMAND, "demo", "--orders", "200"],
        env=env, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip

    assert "\x1b" not in shown.stdout
    for word in ("completed", "cancelled", "compensations run", "timeouts", "retries", "p99"):
        assert word in shown.stdout
    suggestions = re.findall(r"^  order-sagas (.+)$", shown.stdout, re.M)
    assert 3 == len(suggestions)
    for suggestion in suggestions:
        result = subprocess.run(
            [*COMMAND, *shlex.split(suggestion)],
            env=env, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert 0 == result.returncode, result.stderr
        assert "DEMO-" in result.stdout


def test_a_demo_replaces_an_earlier_one_and_nothing_else(tmp_path):
    """A directory of the user is not emptied."""
    env = environment(tmp_path)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("all my work")
    refused = order_sagas("demo", "--orders", 5, "--keep", mine, env=env)
    first = order_sagas("demo", "--orders", 5, "--keep", tmp_path / "demo", env=env)
    (tmp_path / "demo" / "orders.db.bell.4711").touch()  # of a demo that was killed
    second = order_sagas("demo", "--orders", 5, "--keep", tmp_path / "demo", env=env)
    with DatabaseLock(f"sqlite:///{tmp_path / 'demo' / 'orders.db'}"):
        busy = order_sagas("demo", "--orders", 5, "--keep", tmp_path / "demo", env=env)

    assert (2, 0, 0) == (refused.returncode, first.returncode, second.returncode)
    assert (1, True) == (busy.returncode, f"(process {os.getpid()})" in busy.stderr)
    assert "thesis.txt" in refused.stderr
    assert "all my work" == (mine / "thesis.txt").read_text()


def test_a_demo_with_http_keeps_running_with_faults_to_resolve(tmp_path):
    """Its suggestions can be run, and resolve the faults; Ctrl-C ends it."""
    env = environment(tmp_path)
    folder, port = tmp_path / "demo", free_port()
    database = f"sqlite:///{folder / 'orders.db'}"
    words = ("demo", "--orders", 20, "--keep", folder, "--http", f"127.0.0.1:{port}")

    def status():
        shown = order_sagas("status", "--json", "--database", database, env=env)
        return json.loads(shown.stdout)

    def saga_of_stuck():
        shown = order_sagas("show", STUCK, "--json", "--database", database, env=env)
        return json.loads(shown.stdout)["sagas"][0]["status"]

    with Started(tmp_path, env, *words, wait=False, command=COMMAND) as demo:
        wait_until(
            lambda: demo.process.poll() is not None or "unpause" in demo.printed, "its troubles"
        )
        wait_until(lambda: status()["needsAttention"]["sagas"] == 1, "the stuck order")
        found = status()
        page = urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10).read()
        suggested = re.findall(r"^ {4}order-sagas (.+)$", demo.printed, re.M)
        for suggestion in suggested:
            done = order_sagas(*shlex.split(suggestion), env=env)
            assert 0 == done.returncode, done.stderr
        wait_until(lambda: saga_of_stuck() == "CANCELLED", "the refund")
        after = status()

        assert 0 == demo.stop(signal.SIGINT)
    assert b"<html" in page
    assert 1 == found["deadLetters"]["open"]
    assert ["notifications"] == [each["name"] for each in found["paused"]]
    assert 6 == len(suggested)
    assert (0, 0, []) == (
        after["needsAttention"]["sagas"], after["deadLetters"]["open"], after["paused"]
    )  # fmt: skip
    assert "Stopped." in demo.printed
    assert "Traceback" not in demo.printed
    live = order_sagas("orders", "--json", "--database", database, env=env).stdout
    assert "LIVE-0" in live
    again = order_sagas("demo", "--orders", 5, "--keep", folder, env=env)
    assert 0 == again.returncode, again.stderr


@pytest.mark.parametrize("address", ["8080", "localhost:port", ":80", "0.0.0.0:8080"])
def test_an_invalid_address_of_a_demo_is_refused_first(tmp_path, address):
    """Before the thousand orders are handled."""
    shown = order_sagas(
        "demo", "--keep", tmp_path / "demo", "--http", address, env=environment(tmp_path)
    )

    assert 2 == shown.returncode
    problem = "has no tokens" if address[0] == "0" else "is no HOST:PORT"
    assert problem in " ".join(shown.stderr.split())
    assert not (tmp_path / "demo").exists()
