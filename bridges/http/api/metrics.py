"""`/metrics`: Prometheus metrics. Gauges are read from the database when they are scraped."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from starlette.requests import Request
from starlette.responses import Response

from order_sagas.bridges.errors import BridgeError
from order_sagas.bridges.http.api.endpoint import Content, Endpoint, read_endpoint
from order_sagas.bridges.http.api.read_model import ReadModel
from order_sagas.bridges.http.config import Dependencies
from order_sagas.bridges.http.server.request_threads import in_thread
from order_sagas.bridges.storage.queries import ORDER_STATUSES, SAGA_STATUSES

KEPT = 5.0
"""Seconds for which the gauges that were read are cached."""

T = TypeVar("T")


class MetricRoutes:
    """The `/metrics` endpoint. Requests are counted as they end; the rest is read from storage."""

    def __init__(
        self, dependencies: Dependencies, reader: ReadModel, waiting: Callable[[], int]
    ) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._registry.register(_StorageCollector(dependencies, reader, waiting))
        self._requests = Counter(
            "order_sagas_http_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "order_sagas_http_request_seconds",
            "Seconds from the head of a request to the last byte of its response.",
            ("method", "route"),
            registry=self._registry,
        )

    def endpoints(self) -> list[Endpoint]:
        """Return the endpoints of this class."""
        return [
            read_endpoint(
                "/metrics",
                self._show,
                "Metrics in the Prometheus text format",
                Content({"type": "string"}, "text/plain"),
            )
        ]

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request, and its duration in seconds."""
        self._requests.labels(method, route, status).inc()
        self._seconds.labels(method, route).observe(seconds)

    async def _show(self, request: Request) -> Response:
        text = await in_thread(generate_latest, self._registry)
        return Response(text, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


class _StorageCollector:
    """Collector of the gauges that are read from the database and the log.

    Gauges whose source cannot be read are left out of the scrape.
    """

    def __init__(
        self, dependencies: Dependencies, reader: ReadModel, waiting: Callable[[], int]
    ) -> None:
        self._dependencies = dependencies
        self._reader = reader
        self._waiting = waiting
        self._collecting = threading.Lock()
        self._kept: list[Metric] = []
        self._kept_at = float("-inf")

    def collect(self) -> Iterable[Metric]:
        with self._collecting:
            if time.monotonic() - self._kept_at > KEPT:
                self._kept = [*self._state(), *self._lag(), *self._workers()]
                self._kept_at = time.monotonic()
            kept = self._kept
        yield from kept
        queue = _gauge("http_orders_waiting", "Orders that wait to be stored.", self._waiting())
        yield queue

    def describe(self) -> Iterable[Metric]:
        """Return nothing. Without this method, registering would call `collect` at start."""
        return ()

    def _state(self) -> Iterable[Metric]:
        snapshot = _or_none(self._reader.snapshot)
        yield _gauge("database_up", "1 if the database could be read, else 0.", int(bool(snapshot)))
        if snapshot is None:
            return
        orders = {**dict.fromkeys(ORDER_STATUSES, 0), **snapshot.orders}
        sagas = {**dict.fromkeys(SAGA_STATUSES, 0), **snapshot.sagas}
        yield _by("orders", "Orders, by status.", "status", orders)
        yield _by("sagas", "Sagas, by status.", "status", sagas)
        yield _by("sagas_at_step", "Sagas in flight, by current step.", "step", snapshot.steps)
        yield _gauge("sagas_in_flight", "Sagas that have not ended.", snapshot.in_flight)
        attention = sagas["NEEDS_ATTENTION"]
        yield _gauge("sagas_needing_attention", "Sagas that wait for a person.", attention)
        overdue = "Sagas in flight whose deadline has passed."
        yield _gauge("timers_overdue", overdue, snapshot.overdue)
        oldest = snapshot.oldest_deadline
        if oldest:
            at = datetime.fromisoformat(oldest).timestamp()
            about = "The earliest deadline of a saga in flight, since the Unix epoch."
            yield _gauge("oldest_deadline_timestamp_seconds", about, at)

    def _lag(self) -> Iterable[Metric]:
        lag = _or_none(self._dependencies.lag)
        if lag is not None:
            about = "Records that are not handled yet, by topic."
            yield _by("records_waiting", about, "topic", lag.topics)
            about = "Records that are not handled yet, by role. Absent for a role never started."
            started = {role: count for role, count in lag.roles.items() if count is not None}
            yield _by("role_records_waiting", about, "role", started)
        letters = _or_none(self._dependencies.dead_letters)
        if letters is not None:
            about = "Records in the dead-letter topic, including replay and discard marks."
            yield _gauge("dead_letter_records", about, letters)

    def _workers(self) -> Iterable[Metric]:
        running = _or_none(self._dependencies.running)
        if running is not None:
            yield _gauge("workers", "Processes that handle records.", running)


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(f"order_sagas_{name}", about, value=value)


def _by(name: str, about: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"order_sagas_{name}", about, labels=[label])
    for value, count in values.items():
        family.add_metric([value], count)
    return family


def _or_none(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except BridgeError:
        return None
