"""One worker: a Thespian actor whose process runs the whole system of its shards."""

import fcntl
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

from thespian.actors import Actor, ActorAddress, ActorExitRequest, ActorSystem

from actors.clock import SystemClock
from bridges.doorbell import Doorbell
from bridges.world import RecordsWaiting
from system.bootstrap import Parts, RunningSystem, start
from system.logs import configure_logging
from system.runtime import EventLoopBase
from system.supervision.messages import AskStatus, Finished, Shutdown, Work, WorkerStatus
from system.supervision.runs import lock_of
from system.telemetry.setup import Telemetry, telemetry_of, tell_run
from system.tuning import tune_garbage_collection

PATIENCE = 60.0
"""Seconds that the batch in hand gets to finish."""


def failure_of(folder: str, number: int) -> Path:
    """Where a worker writes why it cannot go on, for the supervisor to read."""
    return Path(folder) / f"worker-{number}.failure"


class Worker(Actor):
    """Runs the system on an event loop of its own. It heeds its supervisor, and no signals."""

    _running: RunningSystem | None = None
    _bell: Doorbell
    _work: Work
    _telemetry: Telemetry

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        if isinstance(message, Work):
            self._work = message
            try:
                self._start(message)
            except Exception as error:
                self._failed(error)  # Thespian would only print it, and nobody start us again
        elif isinstance(message, AskStatus):
            self.send(sender, self._status())
        elif isinstance(message, Shutdown):
            self.send(sender, Finished(self._stop()))
        elif isinstance(message, ActorExitRequest):
            self._stop()

    def _start(self, work: Work) -> None:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)  # the supervisor hears them, and asks us to stop
        die_with_the_run(work.folder)
        clock = SystemClock()
        sink = configure_logging(work.settings, clock, worker=work.name)
        telemetry = self._telemetry = telemetry_of(work.settings)
        parts = Parts(
            settings=work.settings,
            clock=clock,
            outage_folder=work.settings.log_dir,
            shards=work.shards,
            flush=sink.flush,
            observers=telemetry.observers,
            tracing=telemetry.tracing,
        )
        actors = ActorSystem(EventLoopBase(clock), transientUnique=True)
        self._running = running = start(parts, actors, self._failed)
        tell_run(telemetry, work.folder, work.number, running.report)
        self._bell = Doorbell(work.settings.database, lambda: running.tell_bridge(RecordsWaiting()))
        self._bell.listen()
        running.tell_bridge(RecordsWaiting())  # for what came before the bell was there
        tune_garbage_collection()

    def _failed(self, error: BaseException) -> None:
        failure_of(self._work.folder, self._work.number).write_text(
            f"{type(error).__name__}: {error}"
        )
        os._exit(1)

    def _stop(self) -> bool:
        running, self._running = self._running, None
        if running is None:
            return True
        self._bell.close()
        stopped = running.stop(PATIENCE)
        self._telemetry.close()
        return stopped

    def _status(self) -> WorkerStatus:
        report = self._running.report() if self._running else None
        return WorkerStatus(self._work.number, os.getpid(), 0, report, time.process_time())


def die_with_the_run(folder: str, *, with_group: bool = False) -> None:
    """End this process when the one that started the run is gone, however it went.

    `with_group` ends its process group: Thespian's administrator too, which outlives everybody.

    The kernel lets go of a dead process's lock: a thread that waits for it needs no polling.
    """

    def wait() -> None:
        with lock_of(folder).open() as held:
            fcntl.lockf(held, fcntl.LOCK_SH)
        if with_group:
            os.killpg(os.getpgrp(), signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=wait, name="run-lock", daemon=True).start()
