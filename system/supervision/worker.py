"""The part that a worker process runs: the whole system, for its shards."""

import time
from collections.abc import Callable

from thespian.actors import ActorSystem

from order_sagas.actors.clock import SystemClock
from order_sagas.bridges.logs.doorbell import Doorbell
from order_sagas.bridges.processor.messages import RecordsWaiting
from order_sagas.system.bootstrap import Parts, start
from order_sagas.system.gc_settings import tune_garbage_collection
from order_sagas.system.history_recorder import HistoryRecorder
from order_sagas.system.logs import configure_logging
from order_sagas.system.runtime import EventLoopBase
from order_sagas.system.supervision.messages import ChildMetrics, ChildStatus, RunWorker
from order_sagas.system.telemetry.setup import metrics_text, telemetry_of

PATIENCE = 60.0
"""Seconds in which the current batch has to finish at a stop."""


class Worker:
    """Runs the system on an event loop. `on_failure` is called if it cannot continue.

    The constructor raises any exception of the start of the system.
    """

    def __init__(self, order: RunWorker, on_failure: Callable[[BaseException], None]) -> None:
        settings, clock = order.settings, SystemClock()
        self._sink = sink = configure_logging(settings, clock, worker=order.name)
        self._telemetry = telemetry = telemetry_of(settings)
        parts = Parts(
            settings=settings,
            clock=clock,
            outage_folder=settings.log_dir,
            shards=order.shards,
            flush=sink.flush,
            observers=telemetry.observers,
            tracing=telemetry.tracing,
        )
        actors = ActorSystem(EventLoopBase(clock), transientUnique=True)
        self._running = running = start(parts, actors, on_failure)
        self._bell = Doorbell(settings.database, lambda: running.tell_processor(RecordsWaiting()))
        self._bell.listen()
        running.tell_processor(RecordsWaiting())  # for records appended before the doorbell existed
        self._history = HistoryRecorder(settings, running.report, order.name).start()
        tune_garbage_collection()

    def status(self) -> ChildStatus:
        """Return the report of its batch processor, and the CPU time of its process."""
        return ChildStatus(self._running.report(), time.process_time(), self._sink.lost)

    def metrics(self) -> ChildMetrics:
        """Return its metrics in Prometheus's text format."""
        return ChildMetrics(metrics_text(self._telemetry, self._running.report))

    def stop(self) -> bool:
        """Finish and commit the current batch; return True if that was done in time."""
        self._bell.close()
        self._history.close()
        stopped = self._running.stop(PATIENCE)
        self._telemetry.close()
        self._sink.close()
        return stopped
