"""A process for tests to kill: it runs the system with many simulated failures."""

import os
import signal
from collections import Counter

import structlog
from thespian.actors import ActorSystem

from order_sagas.actors.clock import SystemClock
from order_sagas.bridges.processor.messages import RecordsWaiting
from order_sagas.system.bootstrap import Parts, start
from order_sagas.system.runtime import EventLoopBase
from order_sagas.system.settings import Settings


def unlucky(database: str) -> Settings:
    """Settings with declines, silence, slow replies, and deadlines of hundredths of a second.

    Batches are small, but large enough that a process killed at its sixth commit makes progress
    beyond repeating its external calls.
    """
    return Settings(
        database=database,
        partitions=4,
        batch_size=100,
        deadline_scale=0.005,
        payment_decline_rate=0.1,
        payment_silent_rate=0.2,
        payment_silent_attempts=2,
        payment_delay=0.01,
        stock_silent_rate=0.1,
        # Pruning has a timer, so that the system would never be idle.
        keep_idempotency_keys=None,
        keep_operator_actions=None,
    )


def run_until_idle(database: str, point: str = "", count: int = 0) -> None:
    """Handle all records and timers; then stop in good order.

    With a point ("before commit") and a count, the process kills itself at that occurrence of the
    point.
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("error"))
    passed: Counter[str] = Counter()

    def watch(where: str) -> None:
        passed[where] += 1
        if (where, passed[where]) == (point, count):
            os.kill(os.getpid(), signal.SIGKILL)

    clock = SystemClock()
    base = EventLoopBase(clock, threaded=False)
    parts = Parts(settings=unlucky(database), clock=clock, watch=watch)
    running = start(parts, ActorSystem(base, transientUnique=True))
    running.tell_processor(RecordsWaiting())
    base.run_until(lambda: running.failed.is_set() or not (base.timers() or base.pending()))
    if running.failure:
        raise running.failure
    running.stop()
