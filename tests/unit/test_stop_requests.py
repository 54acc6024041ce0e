"""Waiting for a reason to stop: no signal is missed, despite other threads."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from order_sagas.system.stop_requests import StopRequests
from tests.support.waiting import TIMEOUT

ROOT = Path(__file__).parents[2]
BUSY = """
import os, signal, sys, threading
from order_sagas.system.stop_requests import StopRequests

sys.setswitchinterval(1e-5)
go = threading.Semaphore(0)

def busy():
    while True:
        sum(range(1000))

def kill():
    while True:
        go.acquire()
        os.kill(os.getpid(), signal.SIGTERM)

for each in (busy, busy, kill):
    threading.Thread(target=each, daemon=True).start()
for _ in range(1000):
    with StopRequests() as stops:
        go.release()
        assert "SIGTERM" == stops.get()
"""
TWICE = """
from order_sagas.system.stop_requests import StopRequests

with StopRequests() as stops:
    print("ready", flush=True)
    print(stops.get(), flush=True)
    stops.get()
"""


def test_reasons_come_in_order_from_any_thread() -> None:
    """Also those added before the wait."""
    stops = StopRequests()
    stops.put("first")
    threading.Timer(0.01, stops.put, ["second"]).start()

    assert ["first", "second"] == [stops.get(), stops.get()]


def test_a_signal_that_comes_just_before_the_wait_is_not_missed() -> None:
    """A thousand times, while other threads take turns with the one that waits."""
    done = subprocess.run([sys.executable, "-c", BUSY], cwd=ROOT, timeout=TIMEOUT)

    assert 0 == done.returncode


def test_a_second_signal_ends_the_process_at_once() -> None:
    """For both signals."""
    process = subprocess.Popen(
        [sys.executable, "-c", TWICE], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process.stdout as said:
        assert "ready\n" == said.readline()
        os.kill(process.pid, signal.SIGTERM)
        assert "SIGTERM\n" == said.readline()
        os.kill(process.pid, signal.SIGINT)

        assert -signal.SIGINT == process.wait(TIMEOUT)
