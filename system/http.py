"""Wires the HTTP process together from the settings."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from thespian.actors import ActorSystem

from order_sagas.actors.clock import SystemClock
from order_sagas.bridges.http import Dependencies, HttpOptions, HttpServer
from order_sagas.bridges.http.api.system_views import WorkerView
from order_sagas.bridges.http.config import TimelineError
from order_sagas.system.http_links import links_of
from order_sagas.system.http_registry import register_http
from order_sagas.system.log_client import check_log, log_access
from order_sagas.system.logs import configure_logging
from order_sagas.system.logs.log_file_slot import own_slot
from order_sagas.system.private_files import tighten, warn_of_access
from order_sagas.system.runtime import EventLoopBase
from order_sagas.system.saga_registry import registry_of
from order_sagas.system.settings import Settings
from order_sagas.system.supervision.control_client import ask_status
from order_sagas.system.trace import SearchTimeoutError, Timeline, read_lines, timeline_fields

USUAL_ADDRESS = "127.0.0.1:8080"
"""Default address of `order-sagas http`."""

TIMELINE_SECONDS = 10.0
"""Time limit for the search of the log files for one order."""

T = TypeVar("T")


def serve_http(
    settings: Settings,
    on_failure: Callable[[BaseException], Any],
    *,
    console: Any = None,
    restarts: int = 0,
) -> HttpServer:
    """Start an HTTP server, and log to a file of this process.

    The server is registered for `order-sagas status`, with its number of `restarts`.

    Raises HttpError, StoreError or KafkaClientError if it cannot be started.
    """
    tightened = tighten(settings)
    check_log(settings)
    clock = SystemClock()
    name = f"http-{own_slot(settings.log_dir)}"
    sink = configure_logging(settings, clock, worker=name, console=console)
    warn_of_access(settings, tightened)
    actors = ActorSystem(EventLoopBase(clock), transientUnique=True)
    try:
        server = HttpServer(
            surroundings_of(settings, sink.flush), options_of(settings), actors, on_failure
        )
        server.start()
        register_http(settings, name, server.address, restarts)
    except BaseException:
        actors.shutdown()
        raise
    return server


def options_of(settings: Settings) -> HttpOptions:
    """Return the HTTP options in the settings."""
    host, _, port = (settings.http or USUAL_ADDRESS).rpartition(":")
    return HttpOptions(
        host=host,
        port=int(port),
        tokens=Path(settings.http_tokens) if settings.http_tokens else None,
        rate=settings.http_rate,
        max_body=settings.http_max_body,
        queue=settings.http_queue,
        connections=settings.http_connections,
        connections_of_address=settings.http_connections_of_address,
        timeout=settings.http_timeout,
    )


def surroundings_of(settings: Settings, flush: Callable[[], None]) -> Dependencies:
    """Return the dependencies of the HTTP server. `flush` writes buffered log lines."""
    access = log_access(settings, again_and_again=True)
    return Dependencies(
        database=settings.database,
        registry=registry_of(settings),
        approval_above=dict(settings.approval_above),
        open_log=access.open,
        letters=access.letters,
        running=_kept(access.running),
        timeline=lambda order_id: _timeline(settings, order_id),
        lag=access.lag,
        records_of=access.records_of,
        links_of=links_of(settings),
        dead_letters=access.dead_letters,
        workers=lambda: workers_of(settings),
        topic_problems=_kept(access.problems),
        check_log=access.check_reachable,
        flush=flush,
    )


def workers_of(settings: Settings) -> tuple[list[WorkerView], str]:
    """Return the workers of the supervised runs of this database, and the last error of one."""
    statuses = [*ask_status(settings).values()]
    found, errors = [], [status.last_error for status in statuses]
    for worker in (worker for status in statuses for worker in status.workers):
        report = worker.report
        errors.append(report.last_error if report else "")
        fields: dict[str, Any] = {}
        if report is not None:
            fields = {
                "shards": report.shards,
                "in_flight": report.in_flight,
                "records": report.records,
                "ended_rate": round(report.ended_rate, 1),
                "seconds": round(report.seconds, 1),
                "last_error": report.last_error,
            }
        found.append(
            WorkerView(
                number=worker.number,
                pid=worker.pid,
                state=worker.state,
                restarts=worker.restarts,
                cpu=round(worker.cpu, 1),
                **fields,
            )
        )
    return found, next(filter(None, errors), "")


def _timeline(settings: Settings, order_id: str) -> Any:
    try:
        lines = read_lines(settings.log_dir, order_id, time.monotonic() + TIMELINE_SECONDS)
    except SearchTimeoutError:
        raise TimelineError(
            f"the log files could not be searched within {TIMELINE_SECONDS:g} s; "
            "the command `trace` has no limit"
        ) from None
    timeline = Timeline.from_lines(order_id, lines)
    if not timeline.sagas and not timeline.others:
        return None
    return timeline_fields(timeline)


KEPT = 5.0
"""Seconds for which the number of workers is cached, to limit requests to Kafka."""


def _kept(ask: Callable[[], T]) -> Callable[[], T]:
    """Cache the result of a function for KEPT seconds. One thread at a time calls it."""
    lock = threading.Lock()
    known: list[T] = []
    known_at = float("-inf")

    def kept() -> T:
        nonlocal known_at
        with lock:
            if not known or time.monotonic() - known_at > KEPT:
                known[:] = [ask()]
                known_at = time.monotonic()
            return known[0]

    return kept
