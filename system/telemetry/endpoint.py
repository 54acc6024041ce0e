"""The Prometheus endpoint: one address per run, for all its worker processes."""

import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from prometheus_client import (
    CollectorRegistry,
    Metric,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families

from order_sagas.bridges.processor.messages import Report
from order_sagas.system.telemetry.errors import TelemetryError
from order_sagas.system.telemetry.exposition import Exposition, labelled
from order_sagas.system.telemetry.meter import Meter
from order_sagas.system.telemetry.metric_definitions import PREFIX, UP
from order_sagas.system.telemetry.metrics_server import IsReader, MetricsServer


class Collects(Protocol):
    """A collector in the sense of prometheus-client."""

    def collect(self) -> Iterable[Metric]:
        """Return the current metrics. Called on the endpoint's threads."""
        ...


class Endpoint:
    """Serves the metrics of a collector over HTTP, on threads of its own, until it is closed.

    `is_reader` checks the bearer token of a request; None: no token is needed.

    Raises TelemetryError if the address cannot be bound. Port 0 is any free port.
    """

    def __init__(
        self, host: str, port: int, collector: Collects, is_reader: IsReader | None = None
    ) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        registry = CollectorRegistry()
        registry.register(collector)
        try:
            self._server = MetricsServer(host, port, registry, is_reader)
        except OSError as error:
            raise _refused(host, port, error) from error
        self.port: int = self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="metrics", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop serving and close the socket."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> "Endpoint":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class OneWorker:
    """Collector of one worker's metrics, and of the process metrics of the operating system."""

    def __init__(self, meter: Meter, report: Callable[[], Report | None]) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(namespace=PREFIX.rstrip("_"), registry=self._registry)
        self._registry.register(Exposition(meter, report))

    def collect(self) -> Iterable[Metric]:
        """Return the current metrics, without the label of the worker."""
        return self._registry.collect()

    def describe(self) -> Iterable[Metric]:
        """Return nothing, so that registering does not call `collect`."""
        return ()


class Labelled:
    """Collector of a run with one worker: labels its metrics with the number 0."""

    def __init__(self, worker: OneWorker) -> None:
        self._worker = worker

    def collect(self) -> Iterable[Metric]:
        """Return the current metrics, labelled with the worker."""
        return [labelled(family, "0") for family in self._worker.collect()]

    def describe(self) -> Iterable[Metric]:
        """Return nothing, so that registering does not call `collect`."""
        return ()


class WholeRun:
    """Collector of all workers of a run; a worker that does not answer has `worker_up` 0.

    `metrics` returns the metrics by worker number, in Prometheus's text format, or None for a
    worker that does not answer.
    """

    def __init__(self, metrics: Callable[[], Mapping[int, str | None]]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        """Request the metrics of all workers, and merge them by metric."""
        merged: dict[str, Metric] = {}
        for number, text in sorted(self._metrics().items()):
            for family in _families(text):
                family = labelled(family, str(number))
                known = merged.setdefault(family.name, family)
                if known is not family:
                    known.samples += family.samples
        return merged.values()

    def describe(self) -> Iterable[Metric]:
        """Return nothing, so that registering does not call `collect`."""
        return ()


def check_address(host: str, port: int) -> None:
    """Raise TelemetryError if the address cannot be bound."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        raise _refused(host, port, error) from error


def text_of(collector: Collects) -> str:
    """Return the metrics of a collector in Prometheus's text format."""
    registry = CollectorRegistry()
    registry.register(collector)
    return generate_latest(registry).decode()


def _families(text: str | None) -> list[Metric]:
    if not text:
        return [GaugeMetricFamily(UP.name, UP.help, value=0)]
    return list(text_string_to_metric_families(text))


def _refused(host: str, port: int, error: OSError) -> TelemetryError:
    return TelemetryError(f"metrics cannot be served at {host}:{port}: {error.strerror or error}")


def address_of(setting: str) -> tuple[str, int]:
    """Split HOST:PORT; brackets of an IPv6 address are removed."""
    host, _, port = setting.rpartition(":")
    return host.strip("[]"), int(port)
