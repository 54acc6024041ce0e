"""Records the figures of a worker in the database, every ten seconds, on a thread of its own."""

import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import attrs
import structlog

from order_sagas.bridges.errors import BridgeError
from order_sagas.bridges.operations import pauses_that_last
from order_sagas.bridges.operations.paused_steps import ServicesOfSteps
from order_sagas.bridges.processor.messages import Report
from order_sagas.bridges.storage import queries
from order_sagas.bridges.storage.connection import Connection, connect
from order_sagas.bridges.storage.deadlines import deadlines
from order_sagas.bridges.storage.history import FINE, Figures, HistoryTable
from order_sagas.system.log_client import log_access
from order_sagas.system.saga_registry import registry_of
from order_sagas.system.settings import Settings

_log = structlog.get_logger(__name__)

STOP_WITHIN = 2.0
"""Maximum seconds that a stop waits for a row that is being written."""


class HistoryRecorder:
    """Writes a row of `history` at the end of every interval between `start` and `close`.

    Figures of the whole system are read by the worker that owns shard 0. A row that cannot be
    written is dropped: it does not stop the worker.
    """

    def __init__(
        self, settings: Settings, report: Callable[[], Report | None], worker: str = "0"
    ) -> None:
        """`report` returns the figures of the worker since its start; None if it is too busy."""
        self._settings = settings
        self._report = report
        self._log = log_access(settings, again_and_again=True)
        self._source = f"{socket.gethostname()}/{worker}"
        self._before: Report | None = None
        self._db: Connection | None = None
        self._failing = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="history", daemon=True)

    def start(self) -> "HistoryRecorder":
        """Begin to record."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop recording. A row that is being written is finished, within a time limit."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(STOP_WITHIN)

    def record(self, now: float, *, is_over: bool = True) -> None:
        """Write the row of the interval that ends at `now` (epoch seconds). Raises BridgeError.

        Without `is_over`, the interval is the one that contains `now`; a worker that is started
        again adds to its row.
        """
        at = round(now / FINE) * FINE - FINE if is_over else int(now) // FINE * FINE
        report = self._report()
        if report is None:
            return
        figures = _figures(at, self._source, self._before, report)
        if 0 in report.shards:
            figures = attrs.evolve(figures, **self._gauges(now))
        if self._db is None:
            self._db = connect(self._settings.database)
        HistoryTable(self._db).add(figures)
        self._before = report

    def _gauges(self, now: float) -> dict[str, Any]:
        """The gauges of the whole system. Raises BridgeError."""
        settings = self._settings
        with queries.reading(settings.database) as db:
            services = ServicesOfSteps(registry_of(settings))
            names = {each.name for each in pauses_that_last(db)}
            late = deadlines(
                db, now, lambda saga, step: services.paused(saga, step, names) is not None
            )
            attention, _ = queries.attention_count(db)
        found: dict[str, Any] = {"needs_attention": attention, "overdue": late.due}
        with suppress(BridgeError):  # Kafka does not answer: unknown, which is not zero
            found["waiting"] = sum(self._log.lag().topics.values())
        return found

    def _run(self) -> None:
        while not self._stopping.wait(FINE - time.time() % FINE):
            self._try(is_over=True)
        self._try(is_over=False)
        self._disconnect()

    def _try(self, *, is_over: bool) -> None:
        try:
            self.record(time.time(), is_over=is_over)
            self._failing = False
        except Exception as error:  # any error: the worker continues
            self._lost(error)

    def _lost(self, error: Exception) -> None:
        self._disconnect()
        if not self._failing:  # once for consecutive failures
            _log.warning("history.not_written", error=str(error), pid=os.getpid())
        self._failing = True

    def _disconnect(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None


def _figures(at: int, source: str, before: Report | None, now: Report) -> Figures:
    """The counts between two reports; since the start, if there is no former one."""
    was = before or Report([], 0, 0, 0, 0, 0.0, 0.0, 0, 0.0)
    earlier = was.durations or [0] * len(now.durations)
    return Figures(
        at=at,
        source=source,
        started=now.begun - was.begun,
        ended=now.ended - was.ended,
        cancelled=now.cancelled - was.cancelled,
        records=now.records - was.records,
        dead_letters=now.dead_letters - was.dead_letters,
        durations=[a - b for a, b in zip(now.durations, earlier, strict=True)],
        in_flight=now.in_flight,
        shards=len(now.shards),
    )
