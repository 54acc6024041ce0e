"""What a test kills: a process that runs the system on a database, as unlucky as can be."""

import os
import signal
from collections import Counter

import structlog
from thespian.actors import ActorSystem

from actors.clock import SystemClock
from bridges.messages import RecordsWaiting
from system.bootstrap import Parts, start
from system.runtime import EventLoopBase
from system.settings import Settings


def unlucky(database: str) -> Settings:
    """Declines, silence, slow answers, and deadlines of hundredths of a second.

    Batches are small, but not so small that a life which ends at its sixth commit gets no further
    than to ask again for all that is owed.
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
        keep_idempotency_keys=None,  # or it would never be idle: pruning has a timer
    )


def run_until_idle(database: str, point: str = "", count: int = 0) -> None:
    """Handle what is in the log and wait for every timer; then stop in good order.

    With a point ("before commit") and a count, the process kills itself there, when it has come by
    so many times.
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
    running.tell_bridge(RecordsWaiting())
    base.run_until(lambda: running.failed.is_set() or not (base.timers() or base.pending()))
    if running.failure:
        raise running.failure
    running.stop()
