"""Calls on threads: a bounded pool for each service, and a stop that does not wait for calls."""

import subprocess
import sys
import threading

import attrs

from order_sagas.actors.services.call_limits import CallLimits
from order_sagas.bridges.processor.thread_pools import ThreadPools
from tests.support.calls import PATIENCE, Results, a_call
from tests.unit.calls.conftest import Events


class Gate:
    """A call that waits until the gate is opened."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.reached = threading.Semaphore(0)

    def __call__(self) -> None:
        self.reached.release()
        assert self.open.wait(PATIENCE)

    def wait_for(self, count: int) -> None:
        """Wait until a number of calls have arrived."""
        for _ in range(count):
            assert self.reached.acquire(timeout=PATIENCE)


def test_a_hanging_service_delays_no_other() -> None:
    """With any number of waiting calls."""
    pools, gate, results = ThreadPools(threads=2), Gate(), Results()
    for n in range(50):
        pools.run(a_call(f"o-{n}", gate, service="notifications"), results)
    gate.wait_for(2)

    pools.run(a_call("o-1", service="payments"), results)

    assert ["payments"] == [done.service for done in results.wait_for(1)]
    gate.open.set()
    assert 51 == len(results.wait_for(51))


def test_no_more_calls_run_at_a_time_than_there_are_threads() -> None:
    pools, gate, results = ThreadPools(threads=3), Gate(), Results()
    for n in range(10):
        pools.run(a_call(f"o-{n}", gate), results)
    gate.wait_for(3)

    assert not gate.reached.acquire(blocking=False)

    gate.open.set()
    results.wait_for(10)


def test_calls_of_one_thread_are_made_in_their_order() -> None:
    pools, results = ThreadPools(threads=1), Results()
    for n in range(100):
        pools.run(a_call(f"o-{n}"), results)

    assert [f"o-{n}" for n in range(100)] == [done.key for done in results.wait_for(100)]


def test_a_stop_returns_calls_that_had_not_begun() -> None:
    """Running calls may still report."""
    pools, gate, results = ThreadPools(threads=1), Gate(), Results()
    for n in range(3):
        pools.run(a_call(f"o-{n}", gate), results)
    gate.wait_for(1)

    assert ["o-1", "o-2"] == [call.key for call in pools.stop()]
    assert [] == pools.stop()

    gate.open.set()
    assert ["o-0"] == [done.key for done in results.wait_for(1)]


def test_a_client_that_ends_its_thread_is_a_failure_like_any_other() -> None:
    """The thread is used for the next call."""
    pools, results = ThreadPools(threads=1), Results()
    pools.run(a_call("o-1", lambda: sys.exit("no licence")), results)
    pools.run(a_call("o-2"), results)
    first, second = results.wait_for(2)

    assert ("exception", "SystemExit: no licence") == (first.failure, first.error)
    assert ("o-2", "") == (second.key, second.failure)


def test_a_report_that_raises_is_logged_and_its_thread_continues(logged: Events) -> None:
    def refuse(done: object) -> None:
        raise RuntimeError("nobody listens")

    pools, results = ThreadPools(threads=1), Results()
    pools.run(a_call("o-1"), refuse)
    pools.run(a_call("o-2"), results)
    results.wait_for(1)

    (line,) = logged()
    assert ("external_call.not_reported", "o-1", "nobody listens") == (
        line["event"], line["order_id"], line["error"],
    )  # fmt: skip


def test_a_call_that_takes_too_long_counts_as_not_answered() -> None:
    """Its thread is replaced, and its late result is dropped."""
    pools, gate, results = ThreadPools(threads=1), Gate(), Results()
    limits = CallLimits(timeout=0.01)
    pools.run(a_call("o-1", gate, limits=limits), results)
    (late,) = results.wait_for(1)
    pools.run(a_call("o-2", limits=attrs.evolve(limits)), results)
    results.wait_for(2)
    gate.open.set()
    pools.run(a_call("o-3", limits=limits), results)

    assert ("exception", "TimeoutError: no answer within 0.01 s; the call still runs") == (
        late.failure, late.error,
    )  # fmt: skip
    assert ["o-1", "o-2", "o-3"] == [done.key for done in results.wait_for(3)]


def test_services_with_equal_limits_and_pool_share_its_threads() -> None:
    pools, gate, results = ThreadPools(), Gate(), Results()
    for service in ("cards", "refunds"):
        limits = CallLimits(pool="bank", at_once=1)
        pools.run(a_call("o-1", gate, service=service, limits=limits), results)
    gate.wait_for(1)

    assert not gate.reached.acquire(blocking=False)

    gate.open.set()
    assert ["cards", "refunds"] == [done.service for done in results.wait_for(2)]


def test_calls_wait_while_the_circuit_is_open_and_are_made_afterwards(logged: Events) -> None:
    """None is lost: the first one afterwards is the probe."""

    def away() -> None:
        raise ConnectionError("away")

    pools, results = ThreadPools(threads=1), Results()
    limits = CallLimits(failures=1, open_for=0.01)
    for n, make in enumerate((away, away, lambda: None, lambda: None)):
        pools.run(a_call(f"o-{n}", make, limits=limits), results)

    found = [done.failure for done in results.wait_for(4)]
    assert ["exception", "exception", "", ""] == found
    assert ["external_call.circuit_opened", "external_call.circuit_closed"] == [
        line["event"] for line in logged()
    ]


def test_a_stop_returns_calls_that_wait_for_the_circuit() -> None:
    def away() -> None:
        raise ConnectionError("away")

    pools, results = ThreadPools(threads=1), Results()
    limits = CallLimits(failures=1, open_for=PATIENCE)
    pools.run(a_call("o-1", away, limits=limits), results)
    pools.run(a_call("o-2", limits=limits), results)
    results.wait_for(1)

    assert ["o-2"] == [call.key for call in pools.stop()]


HANGING = """
import threading
from order_sagas.bridges.processor.thread_pools import ThreadPools
from tests.support.calls import a_call

begun = threading.Event()
ThreadPools(threads=1).run(a_call("o-1", lambda: (begun.set(), threading.Event().wait())), print)
begun.wait()
print("ended")
"""


def test_a_process_exits_although_a_call_hangs() -> None:
    """The threads are daemons: none is waited for."""
    ended = subprocess.run(
        [sys.executable, "-c", HANGING],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )

    assert "ended\n" == ended.stdout
